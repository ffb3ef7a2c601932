//! A poll strategy for apalis that looks regularly, and at once when it is told to.
//!
//! The ones that come with apalis 1.0.0 forget to set their timer again when it fires while a fetch ends; the worker
//! then sleeps until its next heartbeat.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use apalis::prelude::{PollSnapshot, PollStrategy};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, Sleep};

/// Looks each `every`, and whenever the bell rings.
pub(super) struct Ticker {
    every: Duration,
    next: Pin<Box<Sleep>>,
    bell: Arc<Notify>,
    rung: Pin<Box<OwnedNotified>>,
}

impl Ticker {
    pub(super) fn new(every: Duration, bell: Arc<Notify>) -> Self {
        let rung = Box::pin(Arc::clone(&bell).notified_owned());
        Self { every, next: Box::pin(tokio::time::sleep(every)), bell, rung }
    }
}

impl PollStrategy for Ticker {
    fn poll_drive(&mut self, cx: &mut Context<'_>, _snapshot: &PollSnapshot) -> Poll<Option<()>> {
        let mut hit = false;
        // Set again and asked again: only a poll that is pending leaves a waker behind.
        while self.next.as_mut().poll(cx).is_ready() {
            hit = true;
            let next = Instant::now() + self.every;
            self.next.as_mut().reset(next);
        }
        while self.rung.as_mut().poll(cx).is_ready() {
            hit = true;
            self.rung = Box::pin(Arc::clone(&self.bell).notified_owned());
        }
        if hit { Poll::Ready(Some(())) } else { Poll::Pending }
    }
}
