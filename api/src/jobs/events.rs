//! Progress as an event stream. Each event carries the whole state, so whoever reconnects misses nothing.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use grok2api_queue::{LOOK_EVERY, Watching};
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, Registry};
use poem_openapi::types::Type;
use tokio::time::Instant;

use super::find;
use super::object::{Job, Work};
use crate::error::ApiError;
use crate::json_type::inline;
use crate::state::AppState;

/// Silence after which a comment keeps the connection alive.
const PING_AFTER: Duration = Duration::from_secs(15);
/// A stream ends after this long, whatever the work does; the client connects again (H5).
const LONGEST: Duration = Duration::from_secs(3600);
/// Before the first event: how long a browser waits before it connects again.
const RETRY: &str = "retry: 2000\n\n";

/// A stream of events.
pub(crate) struct JobEvents(pub(super) Response);

impl IntoResponse for JobEvents {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for JobEvents {
    fn meta() -> MetaResponses {
        let description = "Events `job.queued`, `job.in_progress`, and one of `job.completed`, `job.failed` and \
                           `job.cancelled` at the end; the data of each is a `Job`.";
        let events = MetaSchema { description: Some(description), ..MetaSchema::ANY };
        MetaResponses {
            responses: vec![MetaResponse {
                description: "Events.",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType { content_type: "text/event-stream", schema: inline(events) }],
                headers: Vec::new(),
            }],
        }
    }

    fn register(registry: &mut Registry) {
        <Job as Type>::register(registry);
    }
}

/// Follows one piece of work.
pub(super) struct Progress {
    state: AppState,
    watching: Watching,
    owner: String,
    id: String,
    base: String,
    work: Work,
    /// Status and percent that were told last.
    told: Option<(&'static str, i32)>,
    begun: bool,
    ends_at: Instant,
    over: bool,
}

impl Progress {
    /// Listens first and looks then, so that nothing is missed in between.
    ///
    /// # Errors
    /// 404, or the database does not answer.
    pub(super) async fn follow(state: &AppState, owner: &str, id: &str, base: String) -> Result<Self, ApiError> {
        let watched = match find::find(state, owner, id).await? {
            Work::Request(row) => row.id,
            Work::Single(job) => job.id,
        };
        let watching = state.jobs.hub().watch(watched);
        let work = find::find(state, owner, id).await?;
        Ok(Self {
            state: state.clone(),
            watching,
            owner: owner.to_owned(),
            id: id.to_owned(),
            base,
            work,
            told: None,
            begun: false,
            ends_at: Instant::now() + LONGEST,
            over: false,
        })
    }

    /// The body.
    pub(super) fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        stream::unfold(self, |mut progress| async move {
            let event = progress.next().await?;
            Some((Ok(event), progress))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        if !self.begun {
            self.begun = true;
            return Some(Bytes::from_static(RETRY.as_bytes()));
        }
        let ping_at = Instant::now() + PING_AFTER;
        while !self.over {
            match self.event().await {
                Ok(Some(event)) => return Some(event),
                Ok(None) => {}
                // The client asks again, and finds what there is then.
                Err(_) => return None,
            }
            let now = Instant::now();
            if now >= self.ends_at {
                return None;
            }
            if now >= ping_at {
                return Some(Bytes::from_static(b": ping\n\n"));
            }
            tokio::select! {
                _news = tokio::time::timeout_at(ping_at.min(now + LOOK_EVERY), self.watching.next()) => {}
                () = self.state.cut_off.cancelled() => return None,
                // The client asks the next process.
                () = self.state.leaving.cancelled() => return None,
            }
            match find::find(&self.state, &self.owner, &self.id).await {
                Ok(work) => self.work = work,
                Err(_) => return None,
            }
        }
        None
    }

    /// What is to be told of the work as it stands, if that was not told before.
    async fn event(&mut self) -> Result<Option<Bytes>, ApiError> {
        let mut job = self.work.state();
        if self.told == Some((job.status, job.progress)) {
            return Ok(None);
        }
        self.told = Some((job.status, job.progress));
        if self.work.is_over() {
            job = find::whole(&self.state, &self.work, &self.base).await?;
            self.over = true;
        }
        let data = serde_json::to_string(&job).map_err(|_| ApiError::internal())?;
        Ok(Some(format!("event: job.{}\ndata: {data}\n\n", job.status).into()))
    }
}
