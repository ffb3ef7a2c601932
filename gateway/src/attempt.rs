//! One attempt on one account, up to the first good event (rule R5).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use grok2api_pool::{Lease, Outcome};
use grok2api_upstream::client::{AnswerBody, ChatCall};
use grok2api_upstream::codec::{Decoder, DecoderOptions, Progress};
use grok2api_upstream::error::{Delivery, UpstreamError};
use grok2api_upstream::event::EventSink;
use grok2api_upstream::relay::Relay;

use crate::deadline::{Deadline, Expired};
use crate::gateway::Inner;
use crate::prepare::Prepared;
use crate::stream::{Call, Polled};
use crate::submission::{Paid, Stopped};
use crate::verify;

/// A good but meaningless record (the conversation line) holds the client's answer back no longer than this.
const HOLD: Duration = Duration::from_secs(2);

/// How an attempt went.
pub(crate) enum Attempted {
    /// The answer has begun.
    Streaming(Box<Call>),
    /// The answer has begun and is over already; the account is settled.
    Finished { upstream_id: Option<Box<str>> },
    /// The answer began and broke off at once: too late to try again.
    Broken { error: UpstreamError, upstream_id: Option<Box<str>> },
    /// Nothing of an answer was passed on; the account is settled.
    Failed(UpstreamError),
    /// The caller wants no more of it; nothing was sent, and the account is free again.
    Stopped,
}

/// Why there is no answer.
enum Closed {
    Failed(UpstreamError),
    Stopped,
}

impl From<Stopped> for Closed {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

pub(crate) async fn run(
    inner: &Arc<Inner>,
    prepared: &Prepared,
    mut lease: Lease,
    options: DecoderOptions,
    paid: Option<Paid<'_>>,
    sink: &mut (dyn EventSink + Send),
) -> Attempted {
    let blamed = &prepared.blamed;
    let mut deadline = Deadline::start(prepared.limits, prepared.started);
    let body = match open(inner, prepared, &lease, paid, &mut deadline).await {
        Ok(body) => body,
        Err(Closed::Stopped) => return Attempted::Stopped,
        Err(Closed::Failed(error)) => {
            if paid.is_some() && error.delivery == Delivery::Unknown {
                lease.mark_spent();
            }
            verify::settle_failure(inner, lease, &error, blamed);
            return Attempted::Failed(error);
        }
    };
    let mut call = Call {
        body,
        decoder: Decoder::new(options),
        deadline,
        lease,
        blamed: Arc::clone(blamed),
        progress: Progress::default(),
    };
    // A paid call's name goes on record before anything else; there is no second try that waiting could make possible.
    let hold = if paid.is_some() { Duration::ZERO } else { HOLD };
    match first_event(&mut call, hold, sink).await {
        None => Attempted::Streaming(Box::new(call)),
        Some(Polled::Finished | Polled::Progress) => {
            call.lease.settle(&Outcome::Success);
            Attempted::Finished { upstream_id: call.decoder.take_upstream_id() }
        }
        Some(Polled::Failed { error, clean }) => {
            verify::settle_failure(inner, call.lease, &error, blamed);
            if clean {
                Attempted::Failed(error)
            } else {
                Attempted::Broken { error, upstream_id: call.decoder.take_upstream_id() }
            }
        }
    }
}

/// Sends the request; the answer's status is good when this returns a body.
async fn open(
    inner: &Inner,
    prepared: &Prepared,
    lease: &Lease,
    paid: Option<Paid<'_>>,
    deadline: &mut Deadline,
) -> Result<AnswerBody, Closed> {
    let not_sent = |error: UpstreamError| Closed::Failed(error.with_delivery(Delivery::NotAccepted));
    let files = before(deadline, upload(inner, prepared, lease)).await.map_err(not_sent)?;
    if let Some(paid) = paid {
        paid.sending().await?;
        // The clocks went on meanwhile: a call that would be given up at once does not leave.
        if deadline.has_passed() {
            return Err(not_sent(Expired::error("the request could not be sent in time")));
        }
    }
    let call = ChatCall {
        model_name: &prepared.model.model_name,
        model_mode: &prepared.model.model_mode,
        message: &prepared.message,
        file_attachments: &files,
        video: prepared.model.video,
        search: prepared.search,
        image_generation: prepared.image_generation,
    };
    before(deadline, inner.upstream.chat(lease.credential(), &call, &prepared.settings)).await.map_err(Closed::Failed)
}

/// Uploads the request's pictures. Ids belong to the account that uploaded them, so another account uploads again.
async fn upload(inner: &Inner, prepared: &Prepared, lease: &Lease) -> Result<Vec<String>, UpstreamError> {
    let mut files = Vec::with_capacity(prepared.attachments.len());
    for attachment in &prepared.attachments {
        files.push(inner.upstream.upload(lease.credential(), attachment, &prepared.settings).await?);
    }
    Ok(files)
}

async fn before<T>(
    deadline: &mut Deadline,
    work: impl Future<Output = Result<T, UpstreamError>>,
) -> Result<T, UpstreamError> {
    tokio::select! {
        biased;
        done = work => done,
        expired = std::future::poll_fn(|cx| deadline.poll_expired(cx)) => match expired {
            Expired::Failed(why) => Err(Expired::error(why)),
            Expired::Tail => Err(Expired::error("the upstream did not begin to answer in time")),
        },
    }
}

/// Reads on until an event went out, the stream is over, or it has failed. `None`: it goes on.
async fn first_event(call: &mut Call, longest: Duration, sink: &mut (dyn EventSink + Send)) -> Option<Polled> {
    let mut hold: Option<Pin<Box<tokio::time::Sleep>>> = None;
    let mut relay = Relay::default();
    loop {
        let mut poll = |cx: &mut Context<'_>| {
            if let Poll::Ready(polled) = call.poll(cx, sink) {
                return Poll::Ready(Some(polled));
            }
            match hold.as_mut().map(|hold| hold.as_mut().poll(cx)) {
                Some(Poll::Ready(())) => Poll::Ready(None),
                Some(Poll::Pending) | None => Poll::Pending,
            }
        };
        let polled = std::future::poll_fn(|cx| relay.poll(cx, &mut poll)).await;
        match polled {
            None => return None,
            Some(Polled::Progress) => {
                if call.progress.committed {
                    return None;
                }
                if call.progress.good_record && hold.is_none() {
                    if longest.is_zero() {
                        return None;
                    }
                    hold = Some(Box::pin(tokio::time::sleep(longest)));
                }
            }
            Some(over @ (Polled::Finished | Polled::Failed { .. })) => return Some(over),
        }
    }
}
