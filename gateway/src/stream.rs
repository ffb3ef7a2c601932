//! One answer on its way: bytes from the upstream through the decoder into the client's sink.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};
use std::time::Duration;

use grok2api_pool::{Lease, Outcome};
use grok2api_upstream::client::AnswerBody;
use grok2api_upstream::codec::{Decoder, Progress};
use grok2api_upstream::error::{Delivery, ErrorKind, UpstreamError};
use grok2api_upstream::event::{ChatEvent, EventSink};
use grok2api_upstream::relay::Relay;
use tokio::time::Instant;

use crate::chain::Chain;
use crate::deadline::{Deadline, Expired};
use crate::gateway::{Gateway, Inner};
use crate::verify;

/// What a poll of a stream has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Events may have been handed to the sink; more will come.
    More,
    /// The answer is complete; `Finish` was the last event.
    Finished,
}

/// A live answer. Dropping it cancels the upstream request and frees the account at once.
pub struct ChatStream<S> {
    inner: Arc<Inner>,
    sink: Chain<S>,
    call: Option<Call>,
    /// An error that was met before the first poll.
    broken: Option<UpstreamError>,
    finished: bool,
    /// What the upstream calls its work, once the call is gone.
    upstream_id: Option<Box<str>>,
    facts: Facts,
}

/// One running upstream call and the account that it runs on.
pub(crate) struct Call {
    pub(crate) body: AnswerBody,
    pub(crate) decoder: Decoder,
    pub(crate) deadline: Deadline,
    pub(crate) lease: Lease,
    /// Whether an account was blamed for this request already.
    pub(crate) blamed: Arc<AtomicBool>,
    pub(crate) progress: Progress,
}

/// What is known about an answer besides its events, for logs and metrics.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts {
    /// Upstream calls made for it.
    pub attempts: u32,
    /// Estimated tokens of the prompt.
    pub prompt_tokens: u64,
    /// Time from the request to the upstream's first meaningful line.
    pub first_event: Option<Duration>,
    /// The account that served it.
    pub account: Option<grok2api_pool::AccountId>,
}

/// Notes whether anything went through.
struct Witness<'a> {
    sink: &'a mut dyn EventSink,
    seen: bool,
}

impl EventSink for Witness<'_> {
    fn event(&mut self, event: ChatEvent<'_>) {
        self.seen = true;
        self.sink.event(event);
    }
}

/// How a call that was polled stands.
#[derive(Debug)]
pub(crate) enum Polled {
    /// Bytes were decoded.
    Progress,
    /// The decoder has said all.
    Finished,
    /// The call failed; `clean` when nothing of the answer was passed on by this poll.
    Failed { error: UpstreamError, clean: bool },
}

impl Call {
    /// Takes the next piece from the upstream and decodes it into `sink`.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, sink: &mut dyn EventSink) -> Poll<Polled> {
        let mut witness = Witness { sink, seen: false };
        let polled = match Pin::new(&mut self.body).poll_chunk(cx) {
            Poll::Ready(Some(Ok(piece))) => match self.decoder.feed(&piece, &mut witness) {
                Ok(progress) => {
                    self.note(progress);
                    if progress.done { self.finish(&mut witness) } else { Ok(Polled::Progress) }
                }
                Err(error) => Err(error),
            },
            Poll::Ready(Some(Err(error))) => {
                // What has arrived is worth no less: a cut after the end marker is a finished answer.
                if self.progress.end_marker { self.finish(&mut witness) } else { Err(self.cut(error)) }
            }
            Poll::Ready(None) => self.finish(&mut witness),
            Poll::Pending => match self.deadline.poll_expired(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Expired::Tail) => self.finish(&mut witness),
                Poll::Ready(Expired::Failed(why)) => Err(Expired::error(why)),
            },
        };
        if polled.is_err() && witness.seen {
            // Part of an answer came in the same piece as the error: the upstream has counted the call.
            self.lease.mark_spent();
        }
        Poll::Ready(polled.unwrap_or_else(|error| {
            let error = self.delivered(error);
            Polled::Failed { error, clean: !witness.seen }
        }))
    }

    /// The head was a success, so the upstream has taken the call, unless the first it said is that it has not.
    fn delivered(&self, error: UpstreamError) -> UpstreamError {
        let refuses_the_account =
            matches!(error.kind, ErrorKind::AccountInvalid | ErrorKind::RateLimited | ErrorKind::ModelUnavailable);
        let said_before = self.decoder.summary().records > 1;
        let is_refusal = refuses_the_account && !said_before;
        error.with_delivery(if is_refusal { Delivery::NotAccepted } else { Delivery::Answered })
    }

    fn finish(&mut self, sink: &mut dyn EventSink) -> Result<Polled, UpstreamError> {
        self.decoder.finish(sink).map(|()| Polled::Finished)
    }

    fn note(&mut self, progress: Progress) {
        let now = Instant::now();
        if progress.lines > 0 {
            self.deadline.line(now);
        }
        if progress.end_marker {
            self.deadline.end_marker(now);
        }
        if progress.committed {
            self.lease.mark_spent();
        }
        self.progress = progress;
    }

    /// A connection that breaks off in mid-answer is an interruption, whatever the transport calls it.
    fn cut(&self, error: UpstreamError) -> UpstreamError {
        if self.progress.good_record && error.kind == ErrorKind::Unreachable {
            UpstreamError::new(ErrorKind::Interrupted, "upstream stream ended before the answer was complete")
        } else {
            error
        }
    }
}

impl<S> std::fmt::Debug for ChatStream<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatStream")
            .field("finished", &self.finished)
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

impl<S: EventSink> ChatStream<S> {
    pub(crate) fn new(
        inner: Arc<Inner>,
        sink: Chain<S>,
        call: Option<Call>,
        broken: Option<UpstreamError>,
        facts: Facts,
    ) -> Self {
        let finished = call.is_none() && broken.is_none();
        Self { inner, sink, call, broken, finished, upstream_id: None, facts }
    }

    /// The same stream, of a call that is gone and has left this name.
    pub(crate) fn named(self, upstream_id: Option<Box<str>>) -> Self {
        Self { upstream_id, ..self }
    }

    /// A stream that is over: its sink has been given a whole answer already.
    pub fn finished(gateway: &Gateway, sink: S, facts: Facts) -> Self {
        Self::new(Arc::clone(&gateway.inner), Chain::Plain(sink), None, None, facts)
    }

    /// The sink that takes this answer's events.
    pub fn sink_mut(&mut self) -> &mut S {
        self.sink.inner_mut()
    }

    /// The sink, when the answer is over.
    pub fn into_sink(self) -> S {
        self.sink.into_inner()
    }

    /// What the upstream calls its work (the conversation, or else the video), once it has said so.
    pub fn upstream_id(&self) -> Option<&str> {
        let running = self.call.as_ref().and_then(|call| call.decoder.upstream_id());
        running.or(self.upstream_id.as_deref())
    }

    /// What is known about the answer besides its events.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Hands more events to the sink. Best polled through a [`Relay`].
    ///
    /// # Errors
    /// The upstream broke off or a time limit passed. What went to the sink before stays valid; nothing follows.
    pub fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<Step, UpstreamError>> {
        if self.finished {
            return Poll::Ready(Ok(Step::Finished));
        }
        if let Some(error) = self.broken.take() {
            self.finished = true;
            return Poll::Ready(Err(error));
        }
        if self.call.is_some() && self.sink.is_satisfied() {
            return Poll::Ready(Ok(self.cut_short()));
        }
        let Some(call) = &mut self.call else { return Poll::Ready(Ok(Step::Finished)) };
        // One piece a call: how many are worth waiting for is for the caller to say.
        match call.poll(cx, &mut self.sink) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Polled::Progress) => {
                if self.sink.is_satisfied() {
                    return Poll::Ready(Ok(self.cut_short()));
                }
                match call.deadline.is_over() {
                    Some(expired) => Poll::Ready(self.expire(expired)),
                    None => Poll::Ready(Ok(Step::More)),
                }
            }
            Poll::Ready(Polled::Finished) => {
                self.end(&Outcome::Success);
                Poll::Ready(Ok(Step::Finished))
            }
            Poll::Ready(Polled::Failed { error, .. }) => {
                self.fail(&error);
                Poll::Ready(Err(error))
            }
        }
    }

    /// Waits for more, and hands it to the sink.
    ///
    /// # Errors
    /// As [`ChatStream::poll_step`].
    pub async fn step(&mut self) -> Result<Step, UpstreamError> {
        std::future::poll_fn(|cx| self.poll_step(cx)).await
    }

    /// Waits for the end of the answer.
    ///
    /// # Errors
    /// As [`ChatStream::poll_step`].
    pub async fn run_to_end(&mut self) -> Result<(), UpstreamError> {
        let mut relay = Relay::default();
        while std::future::poll_fn(|cx| relay.poll(cx, |cx| self.poll_step(cx))).await? == Step::More {
            tokio::task::consume_budget().await;
        }
        Ok(())
    }

    fn expire(&mut self, expired: Expired) -> Result<Step, UpstreamError> {
        match expired {
            Expired::Tail => {
                let finished = self.call.as_mut().map_or(Ok(()), |call| call.decoder.finish(&mut self.sink));
                match finished {
                    Ok(()) => {
                        self.end(&Outcome::Success);
                        Ok(Step::Finished)
                    }
                    Err(error) => {
                        self.fail(&error);
                        Err(error)
                    }
                }
            }
            Expired::Failed(why) => {
                let error = Expired::error(why).with_delivery(Delivery::Answered);
                self.fail(&error);
                Err(error)
            }
        }
    }

    /// The client has all it asked for (a stop sequence was met): the upstream need not go on.
    fn cut_short(&mut self) -> Step {
        self.sink.finish_early();
        self.end(&Outcome::Success);
        Step::Finished
    }

    fn end(&mut self, outcome: &Outcome) {
        self.finished = true;
        if let Some(mut call) = self.call.take() {
            self.upstream_id = call.decoder.take_upstream_id();
            call.lease.settle(outcome);
        }
    }

    fn fail(&mut self, error: &UpstreamError) {
        self.finished = true;
        if let Some(mut call) = self.call.take() {
            self.upstream_id = call.decoder.take_upstream_id();
            verify::settle_failure(&self.inner, call.lease, error, &call.blamed);
        }
    }
}
