//! A video asked for in a chat: durable work, whose progress is the answer's reasoning and whose link is its text.
//!
//! The client may leave: the work goes on, and the video is found under `/v1/videos`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use grok2api_config::{ProgressWording, ReasoningFormat};
use grok2api_entity::asset::State;
use grok2api_entity::failure::Code;
use grok2api_entity::generation::{self, Kind};
use grok2api_gateway::request::{ChatRequest, Message, Part, Role};
use grok2api_gateway::upstream::collect::video_markup;
use grok2api_gateway::upstream::event::{ChatEvent, EventSink, FinishReason};
use grok2api_gateway::usage::TokenEstimate;
use grok2api_gateway::{Calls, GatewayError};
use grok2api_queue::{Following, Jobs, Order};
use tokio::time::Instant;
use uuid::Uuid;

use super::encode::ChunkEncoder;
use super::report::{Outcome, Report};
use super::sse::{DONE, Ending, PING, PING_AFTER};
use crate::auth::ClientKey;
use crate::error::ApiError;
use crate::failure;
use crate::inputs::Inputs;
use crate::intake::{self, Wanted};
use crate::state::AppState;

/// The workers end a job that is out of time within this.
const LAST_LOOK: Duration = Duration::from_secs(10);

/// A video that is on record, and how it is shown.
pub(super) struct Film {
    state: AppState,
    row: generation::Model,
    base: String,
    deadline: Instant,
    pub(super) prompt_tokens: u64,
    /// Upstream calls, once it has come to its end.
    pub(super) calls: Arc<Calls>,
}

impl Film {
    /// Puts the request on record: the last message of the user says what is to be filmed, its picture is the first one.
    ///
    /// # Errors
    /// Faults of the request; the queue is full; the database refuses.
    pub(super) async fn accept(
        state: &AppState,
        key: &ClientKey,
        request: &ChatRequest,
        base: String,
    ) -> Result<Self, ApiError> {
        if request.choices > 1 {
            return Err(ApiError::invalid("n", "unsupported_value", "A video model gives one answer."));
        }
        let (text, pictures) = words_of(request);
        let prompt = intake::prompt(text, &state.gateway).map_err(|error| error.about("messages"))?;
        let id = Uuid::now_v7();
        let mut inputs = Inputs::new(state, &key.owner, id, 1);
        if let Err(error) = inputs.take_urls(&pictures, "messages").await {
            inputs.discard().await;
            return Err(error);
        }
        let lasts = Duration::from_secs(state.gateway.settings().load().video.total_timeout);
        let mut tokens = TokenEstimate::default();
        tokens.add(&prompt);
        let wanted = Wanted {
            id,
            kind: Kind::Video,
            owner: &key.owner,
            model: intake::model(Some(&request.model), Kind::Video, &state.gateway, key)?,
            prompt,
            order: Order { n: 1, inputs: inputs.ids(), ..Order::default() },
            lasts,
        };
        match intake::accept(state, wanted, None).await {
            Ok(record) => Ok(Self {
                state: state.clone(),
                row: record.row,
                base,
                deadline: Instant::now() + lasts + LAST_LOOK,
                prompt_tokens: tokens.tokens(),
                calls: Arc::default(),
            }),
            Err(error) => {
                inputs.discard().await;
                Err(error)
            }
        }
    }

    /// Waits for the video; the line that shows it.
    ///
    /// # Errors
    /// What became of it instead.
    pub(super) async fn finished(&self) -> Result<String, ApiError> {
        let row = tokio::select! {
            row = self.state.jobs.finished(self.row.id, self.deadline) => row?.ok_or_else(ApiError::internal)?,
            () = self.state.given_up(self.row.id) => return Err(GatewayError::ShuttingDown.into()),
        };
        self.line(&row).await
    }

    /// What is shown at the end, or why nothing is.
    async fn line(&self, row: &generation::Model) -> Result<String, ApiError> {
        match self.state.jobs.calls_of(row.id).await {
            Ok((made, last)) => self.calls.set(made, last),
            Err(error) => tracing::debug!(error = %error, "the calls of a video could not be counted"),
        }
        if !Jobs::is_over(row) {
            let message = format!("The video is not ready in time. See /v1/videos/{}.", row.public_id);
            return Err(failure::error(Code::UpstreamTimeout, Some(&message)));
        }
        if row.state != generation::State::Completed {
            return Err(failure::of_generation(row));
        }
        let assets = self.state.media.results_of(row.id).await?;
        let video = assets.iter().find(|asset| {
            asset.kind == grok2api_entity::asset::Kind::Video && matches!(asset.state, State::Stored | State::Evicted)
        });
        match video {
            Some(asset) => Ok(video_markup(&format!("{}/images/{}", self.base, asset.name))),
            None => Err(failure::error(Code::MediaUnavailable, None)),
        }
    }

    /// The answer as an event stream.
    pub(super) fn into_stream(
        self,
        encoder: ChunkEncoder,
        ending: Ending,
        report: Report,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let following = self.state.jobs.follow(self.row.id);
        let wording = self.state.gateway.settings().load().video.progress_wording;
        let now = Instant::now();
        let showing = Showing {
            film: self,
            following,
            encoder,
            ending,
            report,
            wording,
            told: 0,
            begun: false,
            over: false,
            last_write: now,
        };
        stream::unfold(showing, async |mut showing| showing.next().await.map(|bytes| (Ok(bytes), showing)))
    }
}

/// What is to be filmed, and from which pictures.
fn words_of(request: &ChatRequest) -> (String, Vec<String>) {
    let last = request.messages.iter().rev().find(|message: &&Message| message.role == Role::User);
    let parts = last.map(|message| message.parts.as_slice()).unwrap_or_default();
    let mut words: Vec<&str> = Vec::new();
    let mut pictures = Vec::new();
    for part in parts {
        match part {
            Part::Text(text) => words.push(text),
            Part::Image(url) => pictures.push(url.clone()),
            Part::File { data_url, .. } => pictures.push(data_url.clone()),
        }
    }
    (words.join("\n"), pictures)
}

/// How far a video is, in words.
pub(super) fn progress_text(wording: ProgressWording, percent: i32) -> String {
    match wording {
        ProgressWording::Plain => format!("Video: {percent} %\n"),
        ProgressWording::Seed => format!("视频已生成{percent}%\n"),
    }
}

/// A stream on its way.
struct Showing {
    film: Film,
    following: Following,
    encoder: ChunkEncoder,
    ending: Ending,
    report: Report,
    wording: ProgressWording,
    told: i32,
    begun: bool,
    over: bool,
    last_write: Instant,
}

impl Showing {
    /// The next bytes for the client; a comment when nothing happened for long.
    async fn next(&mut self) -> Option<Bytes> {
        if self.over {
            return None;
        }
        if !self.begun {
            self.begun = true;
            self.encoder.begin();
            return Some(self.written());
        }
        loop {
            match self.following.look().await {
                Ok(Some(row)) if Jobs::is_over(&row) || Instant::now() >= self.film.deadline => {
                    return Some(self.end(&row).await);
                }
                Ok(Some(row)) => {
                    if self.tell(row.progress) {
                        return Some(self.written());
                    }
                }
                Ok(None) => return Some(self.fail(&ApiError::internal())),
                // The work goes on without the answer; the next look may succeed.
                Err(error) => tracing::debug!(error = %error, "a video's row could not be read"),
            }
            let ping_at = self.last_write + PING_AFTER;
            tokio::select! {
                progress = self.following.wait(self.film.deadline.min(ping_at)) => {
                    if progress.is_some_and(|progress| self.tell(progress)) {
                        return Some(self.written());
                    }
                }
                () = self.film.state.given_up(self.film.row.id) => {
                    return Some(self.fail(&GatewayError::ShuttingDown.into()));
                }
            }
            if Instant::now() >= ping_at {
                self.last_write = Instant::now();
                return Some(Bytes::from_static(PING));
            }
        }
    }

    /// False when it was told before.
    fn tell(&mut self, progress: i32) -> bool {
        if progress <= self.told {
            return false;
        }
        self.told = progress;
        self.encoder.progress(&progress_text(self.wording, progress));
        true
    }

    async fn end(&mut self, row: &generation::Model) -> Bytes {
        match self.film.line(row).await {
            Ok(line) => {
                self.tell(100);
                self.encoder.media(&line);
                self.encoder.event(ChatEvent::Finish(FinishReason::Stop));
                self.report.delivered.videos = 1;
                self.report.finish = self.encoder.finish;
                self.report.outcome = Outcome::Completed;
                self.over = true;
                let mut bytes = BytesMut::from(&self.written()[..]);
                self.ending.put_usage(&mut bytes, 0, 0);
                bytes.extend_from_slice(DONE);
                bytes.freeze()
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &ApiError) -> Bytes {
        self.over = true;
        self.report.outcome = Outcome::Failed(error.label);
        self.encoder.close_think();
        let mut bytes = BytesMut::from(&self.written()[..]);
        bytes.extend_from_slice(b"data: ");
        bytes.extend_from_slice(&error.to_json());
        bytes.extend_from_slice(b"\n\n");
        bytes.freeze()
    }

    fn written(&mut self) -> Bytes {
        self.last_write = Instant::now();
        let mut bytes = BytesMut::new();
        self.encoder.drain_into(&mut bytes);
        bytes.freeze()
    }
}

/// The whole text of an answer that shows a video: with `<think>` text, its progress stands before it, as in a stream.
pub(super) fn whole_text(format: ReasoningFormat, wording: ProgressWording, line: &str) -> String {
    match format {
        ReasoningFormat::ThinkTags => format!("<think>\n{}\n</think>\n{line}", progress_text(wording, 100).trim_end()),
        ReasoningFormat::ReasoningContent | ReasoningFormat::Hidden => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_the_user_and_their_picture_make_the_video() {
        let mut asked = Message::text(Role::User, "A kite");
        asked.parts.push(Part::Image("https://p.example/k.png".to_owned()));
        asked.parts.push(Part::Text("in the wind".to_owned()));
        let messages = vec![
            Message::text(Role::System, "Be brief"),
            Message::text(Role::User, "Something else"),
            Message::text(Role::Assistant, "Done"),
            asked,
        ];
        let (words, pictures) = words_of(&ChatRequest::new("grok-imagine-0.9", messages));
        assert_eq!(words, "A kite\nin the wind");
        assert_eq!(pictures, ["https://p.example/k.png"]);
    }

    #[test]
    fn progress_has_the_old_gateways_words_when_asked_for() {
        assert_eq!(progress_text(ProgressWording::Plain, 37), "Video: 37 %\n");
        assert_eq!(progress_text(ProgressWording::Seed, 37), "视频已生成37%\n");
    }
}
