//! The body of a streamed answer: polls the gateway, gathers what is there, writes once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::future::BoxFuture;
use grok2api_entity::failure::Code;
use grok2api_gateway::{Alarm, ChatStream, Relay, Step};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::desk::Desk;
use super::encode::ChunkEncoder;
use super::report::{Delivered, Outcome, Report};
use super::response::Usage;
use crate::error::ApiError;

/// Silence after which a comment keeps the connection alive.
pub(super) const PING_AFTER: Duration = Duration::from_secs(15);
/// What a client is told when all pictures of an answer are lost.
pub(super) const NOTHING: &str = "The pictures were drawn, but their files could not be fetched or stored.";
pub(super) const PING: &[u8] = b": ping\n\n";
pub(super) const DONE: &[u8] = b"data: [DONE]\n\n";
/// Frames that follow each other faster than this are a burst: what else is there is gathered before writing.
const BURST: Duration = Duration::from_millis(1);
/// Turns of the run queue without anything new after which a burst is written.
const GATHER_TURNS: u8 = 2;
/// A burst is written when it has grown to this many bytes.
const GATHER_BYTES: usize = 16 * 1024;
/// Pieces of a burst that are taken one after the other before other tasks get a turn.
const GATHER_PIECES: usize = 64;
/// Up to here a write is copied out of the buffer, which is cheaper than handing the buffer over and getting another.
const COPY_BYTES: usize = 2 * 1024;

/// What follows the choices of an answer.
pub(crate) struct Ending {
    /// The chunk with the usage up to the usage object, when the client asked for it.
    pub(crate) usage_head: Option<String>,
    pub(crate) prompt_tokens: u64,
    /// Of earlier answers that were replaced.
    pub(crate) discarded_tokens: u64,
}

impl Ending {
    /// Writes the chunk with the usage, if the client asked for it.
    pub(super) fn put_usage(&mut self, out: &mut BytesMut, completion_tokens: u64, reasoning_tokens: u64) {
        let Some(head) = self.usage_head.take() else { return };
        let usage = Usage::estimated(self.prompt_tokens, completion_tokens, reasoning_tokens);
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(&serde_json::to_vec(&usage).unwrap_or_default());
        out.extend_from_slice(b"}\n\n");
    }
}

/// A streamed answer of one or more choices.
pub(crate) struct SseBody {
    /// A body is polled again after each write, for nothing most of the time.
    relay: Relay,
    events: Events,
}

struct Events {
    choices: Vec<Option<ChatStream<ChunkEncoder>>>,
    /// For each choice, the line of a picture or video that its text has come to.
    lines: Vec<Option<BoxFuture<'static, Option<String>>>>,
    desk: Desk,
    running: usize,
    ending: Ending,
    out: BytesMut,
    delivered: Delivered,
    last_frame: Instant,
    gathered: u8,
    last_write: Instant,
    ping: Alarm,
    cut_off: CutOff,
    over: bool,
    report: Report,
}

/// What a body does next.
enum Turn {
    Write(Bytes),
    /// Everyone else first.
    StandBack,
    End,
}

/// What polling the choices has brought.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    /// Something, a while after what came before.
    Lone,
    /// Something, on the heels of what came before.
    Burst,
}

/// Waits for the order to end, registering once: a body stays on the task of its connection.
struct CutOff {
    token: CancellationToken,
    cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
    is_watched: bool,
}

impl CutOff {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_watched && !self.token.is_cancelled() {
            return Poll::Pending;
        }
        self.is_watched = true;
        self.cancelled.as_mut().poll(cx)
    }
}

impl SseBody {
    pub(crate) fn new(
        choices: Vec<ChatStream<ChunkEncoder>>,
        ending: Ending,
        desk: Desk,
        cut_off: CancellationToken,
        report: Report,
    ) -> Self {
        let now = Instant::now();
        let events = Events {
            running: choices.len(),
            lines: choices.iter().map(|_| None).collect(),
            desk,
            choices: choices.into_iter().map(Some).collect(),
            out: BytesMut::new(),
            delivered: Delivered { completion_tokens: ending.discarded_tokens, ..Delivered::default() },
            ending,
            last_frame: now - BURST,
            gathered: 0,
            last_write: now,
            ping: Alarm::at(now + PING_AFTER),
            cut_off: CutOff {
                cancelled: Box::pin(cut_off.clone().cancelled_owned()),
                token: cut_off,
                is_watched: false,
            },
            over: false,
            report,
        };
        Self { relay: Relay::default(), events }
    }
}

impl Events {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        if self.over && self.out.is_empty() {
            return Poll::Ready(Turn::End);
        }
        let found = if self.over { Found::Nothing } else { self.advance(cx) };
        if self.out.is_empty() {
            if found != Found::Nothing {
                // Lines without output: there may be more, but others run in between.
                return Poll::Ready(Turn::StandBack);
            }
            return self.poll_quiet(cx).map(Turn::Write);
        }
        Poll::Ready(if self.gathers(found) { Turn::StandBack } else { Turn::Write(self.write()) })
    }

    /// Polls every running choice.
    fn advance(&mut self, cx: &mut Context<'_>) -> Found {
        let mut found = Found::Nothing;
        for at in 0..self.choices.len() {
            let Some(stream) = &mut self.choices[at] else { continue };
            if let Some(line) = &mut self.lines[at] {
                let Poll::Ready(line) = line.as_mut().poll(cx) else { continue };
                self.lines[at] = None;
                stream.sink_mut().supply(line.as_deref());
            }
            let mut polled = stream.poll_step(cx);
            stream.sink_mut().drain_into(&mut self.out);
            if polled.is_ready() && found == Found::Nothing {
                let now = Instant::now();
                found = if now.duration_since(self.last_frame) < BURST { Found::Burst } else { Found::Lone };
                self.last_frame = now;
            }
            let mut pieces = 1;
            // What follows a lone piece is asked for after that was written.
            while found == Found::Burst
                && matches!(polled, Poll::Ready(Ok(Step::More)))
                && pieces < GATHER_PIECES
                && self.out.len() < GATHER_BYTES
                && stream.sink_mut().wanted().is_none()
            {
                polled = stream.poll_step(cx);
                stream.sink_mut().drain_into(&mut self.out);
                pieces += 1;
            }
            if let Some(path) = stream.sink_mut().wanted() {
                // The answer goes on when its line is there.
                let (desk, path, account) = (self.desk.clone(), path.to_owned(), stream.facts().account);
                self.lines[at] = Some(Box::pin(async move { desk.line(&path, account).await }));
                if found == Found::Nothing {
                    found = Found::Burst;
                }
                if !matches!(polled, Poll::Ready(Err(_))) {
                    continue;
                }
            }
            match polled {
                Poll::Pending | Poll::Ready(Ok(Step::More)) => {}
                Poll::Ready(Ok(Step::Finished)) if stream.sink_mut().shows_nothing() => {
                    let error = crate::failure::error(Code::MediaUnavailable, Some(NOTHING));
                    self.report.outcome = Outcome::Failed(error.label);
                    self.fail(&error);
                    return found;
                }
                Poll::Ready(Ok(Step::Finished)) => self.close(at),
                Poll::Ready(Err(error)) => {
                    let error = ApiError::from(error);
                    self.report.outcome = Outcome::Failed(error.label);
                    self.fail(&error);
                    return found;
                }
            }
        }
        if found != Found::Nothing && self.running == 0 && !self.over {
            self.complete();
        }
        found
    }

    /// Takes the figures of a choice that has ended.
    fn close(&mut self, at: usize) {
        let Some(mut stream) = self.choices[at].take() else { return };
        let encoder = stream.sink_mut();
        let reasoning_tokens = encoder.reasoning_tokens.tokens();
        self.delivered.reasoning_tokens += reasoning_tokens;
        self.delivered.completion_tokens += encoder.content_tokens.tokens() + reasoning_tokens;
        self.delivered.images += encoder.images;
        self.delivered.videos += encoder.videos;
        self.report.finish = encoder.finish;
        self.running -= 1;
    }

    fn complete(&mut self) {
        self.over = true;
        self.report.outcome = Outcome::Completed;
        let delivered = self.delivered;
        self.ending.put_usage(&mut self.out, delivered.completion_tokens, delivered.reasoning_tokens);
        self.out.extend_from_slice(DONE);
    }

    /// An event with the error, and no `[DONE]`: what came before is not a whole answer.
    fn fail(&mut self, error: &ApiError) {
        self.over = true;
        for at in 0..self.choices.len() {
            if let Some(stream) = &mut self.choices[at] {
                stream.sink_mut().close_think();
                stream.sink_mut().drain_into(&mut self.out);
                self.close(at);
            }
        }
        self.out.extend_from_slice(b"data: ");
        self.out.extend_from_slice(&error.to_json());
        self.out.extend_from_slice(b"\n\n");
    }

    /// In a burst, lets other tasks run first, so that one write takes several frames. A lone frame never waits.
    fn gathers(&mut self, found: Found) -> bool {
        match found {
            Found::Nothing => {}
            Found::Lone => return false,
            Found::Burst => self.gathered = 0,
        }
        if self.over || self.gathered >= GATHER_TURNS || self.out.len() >= GATHER_BYTES {
            return false;
        }
        self.gathered += 1;
        true
    }

    fn write(&mut self) -> Bytes {
        // A burst has moved the clock on by now, but not by what matters here.
        self.last_write = self.last_frame;
        if self.out.len() > COPY_BYTES {
            return self.out.split().freeze();
        }
        let bytes = Bytes::copy_from_slice(&self.out);
        self.out.clear();
        bytes
    }

    fn poll_quiet(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        if self.cut_off.poll(cx).is_ready() {
            self.report.outcome = Outcome::Failed("shutting_down");
            self.fail(&grok2api_gateway::GatewayError::ShuttingDown.into());
            self.last_frame = Instant::now();
            return Poll::Ready(self.write());
        }
        while self.ping.poll(cx).is_ready() {
            let now = Instant::now();
            let due = self.last_write + PING_AFTER;
            if now >= due {
                self.last_write = now;
                self.ping.reset(now + PING_AFTER);
                return Poll::Ready(Bytes::from_static(PING));
            }
            self.ping.reset(due);
        }
        Poll::Pending
    }
}

impl Drop for Events {
    /// The client has what it has; what ran on for it is counted, then dropped with its account.
    fn drop(&mut self) {
        for at in 0..self.choices.len() {
            self.close(at);
        }
        self.report.delivered = self.delivered;
    }
}

impl Stream for SseBody {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { relay, events } = self.get_mut();
        match relay.poll(cx, |cx| events.poll(cx)) {
            Poll::Ready(Turn::Write(bytes)) => Poll::Ready(Some(Ok(bytes))),
            Poll::Ready(Turn::End) => Poll::Ready(None),
            Poll::Ready(Turn::StandBack) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
