//! A timer that costs a look at the clock while it cannot have rung.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::time::{Instant, Sleep};

/// One alarm of a stream.
///
/// A stream polls its timers after every chunk. Polling tokio's timer touches its entry, cold memory for each of a
/// thousand streams; as long as its time has not come and the same task asks, it need not be touched at all.
#[derive(Debug)]
pub struct Alarm {
    at: Instant,
    sleep: Pin<Box<Sleep>>,
    /// Who is woken; `None` when nobody is registered yet.
    waker: Option<Waker>,
}

impl Alarm {
    /// An alarm that rings at `at`.
    pub fn at(at: Instant) -> Self {
        Self { at, sleep: Box::pin(tokio::time::sleep_until(at)), waker: None }
    }

    /// When it rings.
    pub fn rings_at(&self) -> Instant {
        self.at
    }

    /// Sets another time.
    pub fn reset(&mut self, at: Instant) {
        self.at = at;
        self.waker = None;
        self.sleep.as_mut().reset(at);
    }

    /// Ready when the time has come; the task is woken then.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_registered = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if is_registered && Instant::now() < self.at {
            return Poll::Pending;
        }
        let polled = self.sleep.as_mut().poll(cx);
        // A task whose turn is used up is sent away without being registered; it comes back by itself.
        let is_registered = polled.is_pending() && tokio::task::coop::has_budget_remaining();
        self.waker = is_registered.then(|| cx.waker().clone());
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn it_rings_once_its_time_has_come_and_again_after_a_reset() {
        let began = Instant::now();
        let mut alarm = Alarm::at(began + Duration::from_millis(20));
        std::future::poll_fn(|cx| alarm.poll(cx)).await;
        assert!(began.elapsed() >= Duration::from_millis(20));
        alarm.reset(began + Duration::from_millis(40));
        // Asked in between by something else, it stays registered.
        tokio::select! {
            biased;
            () = std::future::poll_fn(|cx| alarm.poll(cx)) => panic!("it rang too early"),
            () = tokio::task::yield_now() => {}
        }
        std::future::poll_fn(|cx| alarm.poll(cx)).await;
        assert!(began.elapsed() >= Duration::from_millis(40));
    }
    #[tokio::test]
    async fn a_task_whose_turn_is_used_up_is_still_woken() {
        let began = Instant::now();
        let mut alarm = Alarm::at(began + Duration::from_millis(20));
        // Uses up the turn, as a long burst does, right before the alarm is asked for the first time.
        std::future::poll_fn(|cx| {
            while tokio::task::coop::has_budget_remaining() {
                let spent = std::pin::pin!(tokio::task::consume_budget()).poll(cx);
                assert!(spent.is_ready());
            }
            Poll::Ready(())
        })
        .await;
        std::future::poll_fn(|cx| alarm.poll(cx)).await;
        assert!(began.elapsed() >= Duration::from_millis(20));
    }
}
