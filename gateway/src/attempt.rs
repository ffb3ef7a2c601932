//! One attempt on one account, up to the first good event (rule R5).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use grok2api_pool::{Lease, Outcome};
use grok2api_upstream::client::{AnswerBody, ChatCall};
use grok2api_upstream::codec::{Decoder, DecoderOptions, Progress};
use grok2api_upstream::error::UpstreamError;
use grok2api_upstream::event::EventSink;
use grok2api_upstream::relay::Relay;

use crate::deadline::{Deadline, Expired};
use crate::gateway::Inner;
use crate::prepare::Prepared;
use crate::stream::{Call, Polled};
use crate::verify;

/// A good but meaningless record (the conversation line) holds the client's answer back no longer than this.
const HOLD: Duration = Duration::from_secs(2);

/// How an attempt went.
pub(crate) enum Attempted {
    /// The answer has begun.
    Streaming(Box<Call>),
    /// The answer has begun and is over already; the account is settled.
    Finished,
    /// The answer began and broke off at once: too late to try again.
    Broken(UpstreamError),
    /// Nothing of an answer was passed on; the account is settled.
    Failed(UpstreamError),
}

pub(crate) async fn run(
    inner: &Arc<Inner>,
    prepared: &Prepared,
    lease: Lease,
    options: DecoderOptions,
    sink: &mut (dyn EventSink + Send),
) -> Attempted {
    let blamed = &prepared.blamed;
    let mut deadline = Deadline::start(prepared.limits, prepared.started);
    let body = match open(inner, prepared, &lease, &mut deadline).await {
        Ok(body) => body,
        Err(error) => {
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
    match first_event(&mut call, sink).await {
        None => Attempted::Streaming(Box::new(call)),
        Some(Polled::Finished | Polled::Progress) => {
            call.lease.settle(&Outcome::Success);
            Attempted::Finished
        }
        Some(Polled::Failed { error, clean }) => {
            verify::settle_failure(inner, call.lease, &error, blamed);
            if clean { Attempted::Failed(error) } else { Attempted::Broken(error) }
        }
    }
}

/// Sends the request; the answer's status is good when this returns a body.
async fn open(
    inner: &Inner,
    prepared: &Prepared,
    lease: &Lease,
    deadline: &mut Deadline,
) -> Result<AnswerBody, UpstreamError> {
    let send = async {
        let mut files = Vec::with_capacity(prepared.attachments.len());
        for attachment in &prepared.attachments {
            // Ids belong to the account that uploaded them, so another account uploads again.
            files.push(inner.upstream.upload(lease.credential(), attachment, &prepared.settings).await?);
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
        inner.upstream.chat(lease.credential(), &call, &prepared.settings).await
    };
    tokio::select! {
        biased;
        body = send => body,
        expired = std::future::poll_fn(|cx| deadline.poll_expired(cx)) => match expired {
            Expired::Failed(why) => Err(Expired::error(why)),
            Expired::Tail => Err(Expired::error("the upstream did not begin to answer in time")),
        },
    }
}

/// Reads on until an event went out, the stream is over, or it has failed. `None`: it goes on.
async fn first_event(call: &mut Call, sink: &mut (dyn EventSink + Send)) -> Option<Polled> {
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
                    hold = Some(Box::pin(tokio::time::sleep(HOLD)));
                }
            }
            Some(over @ (Polled::Finished | Polled::Failed { .. })) => return Some(over),
        }
    }
}
