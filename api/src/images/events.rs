//! Pictures as an event stream: each one as soon as it is stored.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, stream};
use grok2api_entity::failure::Code;
use grok2api_entity::generation::{self, Kind};
use grok2api_gateway::GatewayError;
use grok2api_queue::{Following, Jobs};
use tokio::time::Instant;
use uuid::Uuid;

use super::answer::{Facts, format_of, link, open, shown};
use super::base64_text::{Segment, encoded};
use super::validate::Delivery;
use crate::error::ApiError;
use crate::failure;
use crate::receipt::Receipt;
use crate::state::AppState;

/// Silence after which a comment keeps the connection alive.
const PING_AFTER: Duration = Duration::from_secs(15);
/// So long the status waits for the first picture: a failure within it has a status of its own.
const FIRST_WORD: Duration = Duration::from_secs(15);
const PING: Bytes = Bytes::from_static(b": ping\n\n");

/// The events of one request.
pub(super) struct Events {
    state: AppState,
    following: Following,
    kind: Kind,
    id: Uuid,
    facts: Facts,
    delivery: Delivery,
    base: String,
    sent: HashSet<Uuid>,
    ready: VecDeque<Segment>,
    picture: Option<BoxStream<'static, io::Result<Bytes>>>,
    deadline: Instant,
    over: bool,
    failure: Option<ApiError>,
}

impl Events {
    pub(super) fn new(
        state: &AppState,
        row: &generation::Model,
        delivery: Option<Delivery>,
        base: String,
        deadline: Instant,
    ) -> Self {
        Self {
            state: state.clone(),
            following: state.jobs.follow(row.id),
            kind: row.kind,
            id: row.id,
            facts: Facts::of(row),
            // Events have no links unless they are asked for.
            delivery: delivery.unwrap_or(Delivery::B64Json),
            base,
            sent: HashSet::new(),
            ready: VecDeque::new(),
            picture: None,
            deadline,
            over: false,
            failure: None,
        }
    }

    /// Waits a while for the first picture, so that what fails early fails with a status.
    ///
    /// # Errors
    /// The request failed.
    pub(super) async fn begin(&mut self) -> Result<(), ApiError> {
        let until = Instant::now() + FIRST_WORD;
        while self.ready.is_empty() && !self.over && Instant::now() < until {
            self.look().await?;
            if self.ready.is_empty() && !self.over {
                self.wait(until).await?;
            }
        }
        Ok(())
    }

    /// The body.
    pub(super) fn into_stream(self, mut receipt: Receipt) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        receipt.answering();
        stream::unfold((self, receipt), |(mut events, mut receipt)| async move {
            let Some(piece) = events.next().await else {
                receipt.count_calls(events.id).await;
                receipt.images(events.sent.len());
                match &events.failure {
                    Some(error) => receipt.failed(error),
                    None => receipt.answered(),
                }
                return None;
            };
            if piece.is_err() {
                // The connection is cut: a picture that ends in the middle must not look whole.
                events.over = true;
                events.picture = None;
                events.ready.clear();
                receipt.failed(&failure::error(Code::MediaUnavailable, None));
            }
            Some((piece, (events, receipt)))
        })
    }

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let mut silent_since = Instant::now();
        loop {
            if let Some(picture) = &mut self.picture {
                match picture.next().await {
                    Some(piece) => return Some(piece),
                    None => self.picture = None,
                }
            }
            match self.ready.pop_front() {
                Some(Segment::Text(text)) => return Some(Ok(text)),
                Some(Segment::Picture(bytes)) => {
                    self.picture = Some(encoded(bytes).boxed());
                    continue;
                }
                None if self.over => return None,
                None => {}
            }
            let ping_at = silent_since + PING_AFTER;
            if Instant::now() >= ping_at {
                return Some(Ok(PING));
            }
            let moved = match self.wait(ping_at).await {
                Ok(()) => self.look().await,
                Err(error) => Err(error),
            };
            if let Err(error) = moved {
                self.fail(error);
                silent_since = Instant::now();
            }
        }
    }

    /// Waits for news, at most until `until`.
    async fn wait(&mut self, until: Instant) -> Result<(), ApiError> {
        let deadline = until.min(self.deadline);
        loop {
            let told = tokio::select! {
                told = self.following.wait(deadline) => told,
                () = self.state.given_up(self.id) => return Err(GatewayError::ShuttingDown.into()),
            };
            // Progress alone brings no picture.
            if told.is_none() || Instant::now() >= deadline {
                return Ok(());
            }
        }
    }

    /// Queues the pictures that were stored since the last look, and the end.
    async fn look(&mut self) -> Result<(), ApiError> {
        let row = self.following.look().await?.ok_or_else(ApiError::internal)?;
        let is_over = Jobs::is_over(&row);
        let results = self.state.media.results_of(self.id).await?;
        for picture in shown(results, self.facts.n) {
            if self.sent.len() >= self.facts.n || self.sent.contains(&picture.id) {
                continue;
            }
            let event = match self.delivery {
                Delivery::Url => {
                    let link = serde_json::to_string(&link(&self.base, &picture)).unwrap_or_default();
                    vec![Segment::Text(format!("{}\"url\":{link}", self.head()).into())]
                }
                Delivery::B64Json => match open(&self.state, &picture).await? {
                    Some(bytes) => vec![
                        Segment::Text(format!("{}\"b64_json\":\"", self.head()).into()),
                        Segment::Picture(bytes),
                        Segment::Text(Bytes::from_static(b"\"")),
                    ],
                    None => continue,
                },
            };
            self.ready.extend(event);
            self.ready.push_back(Segment::Text(self.tail(format_of(Some(&picture))).into()));
            self.sent.insert(picture.id);
        }
        if is_over {
            self.over = true;
            if self.sent.is_empty() {
                return Err(failure::of_generation(&row));
            }
        } else if Instant::now() >= self.deadline {
            return Err(super::serve::too_late(&row));
        }
        Ok(())
    }

    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Edit => "image_edit.completed",
            Kind::Image | Kind::Video => "image_generation.completed",
        }
    }

    fn head(&self) -> String {
        let name = self.name();
        format!("event: {name}\ndata: {{\"type\":\"{name}\",")
    }

    fn tail(&self, format: &str) -> String {
        let Facts { created, size, usage, .. } = &self.facts;
        let usage = serde_json::to_string(usage).unwrap_or_default();
        format!(
            ",\"created_at\":{created},\"size\":\"{size}\",\"quality\":\"auto\",\"background\":\"opaque\",\
             \"output_format\":\"{format}\",\"usage\":{usage}}}\n\n"
        )
    }

    fn fail(&mut self, error: ApiError) {
        self.over = true;
        let mut event = Vec::from(&b"event: error\ndata: "[..]);
        event.extend_from_slice(&error.to_json());
        event.extend_from_slice(b"\n\n");
        self.ready.push_back(Segment::Text(event.into()));
        self.failure = Some(error);
    }
}
