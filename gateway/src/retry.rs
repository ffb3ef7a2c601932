//! The only retry layer: how often one request, and all requests together, may try again.

use std::time::Duration;

use grok2api_upstream::error::{Retry, UpstreamError};
use parking_lot::Mutex;
use rand::Rng;
use tokio::time::Instant;

/// Share of requests that may be repeated because of trouble that is not the account's.
const SHARE_PERCENT: u64 = 20;
/// Repeats that are always allowed within a window.
const FLOOR: u64 = 3;
const WINDOW: Duration = Duration::from_secs(10);

/// Keeps an upstream outage from being amplified: repeats for general trouble are a share of the requests (I5).
///
/// Repeats because of a limited or refused account are not counted here: each takes that account out of the ranking,
/// so they bound themselves.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    requests: u64,
    repeats: u64,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { window: Mutex::new(Window { began: Instant::now(), requests: 0, repeats: 0 }) }
    }
}

impl RetryBudget {
    /// Notes a new request.
    pub(crate) fn request(&self) {
        self.current(|window| window.requests += 1);
    }

    /// Takes one repeat out of the budget, if one is left.
    pub(crate) fn take(&self) -> bool {
        self.current(|window| {
            let allowed = window.repeats < FLOOR.max(window.requests * SHARE_PERCENT / 100);
            if allowed {
                window.repeats += 1;
            }
            allowed
        })
    }

    fn current<T>(&self, act: impl FnOnce(&mut Window) -> T) -> T {
        let mut window = self.window.lock();
        if window.began.elapsed() >= WINDOW {
            *window = Window { began: Instant::now(), requests: 0, repeats: 0 };
        }
        act(&mut window)
    }
}

/// What to do after a failed attempt of which the client has seen nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Try another account after this pause.
    Again(Duration),
    /// Tell the client.
    GiveUp,
}

/// Decides for one request.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    once_used: bool,
}

impl Retries {
    pub(crate) fn next(&mut self, error: &UpstreamError, budget: &RetryBudget) -> Next {
        match error.retry() {
            Retry::No => Next::GiveUp,
            Retry::Yes => Next::Again(Duration::ZERO),
            Retry::Once if self.once_used || !budget.take() => Next::GiveUp,
            Retry::Once => {
                self.once_used = true;
                Next::Again(Duration::from_millis(rand::rng().random_range(200..1000)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grok2api_upstream::error::ErrorKind;

    #[test]
    fn i5_repeats_are_a_share_of_the_requests_with_a_floor() {
        let budget = RetryBudget::default();
        assert_eq!((0..10).filter(|_| budget.take()).count(), 3);
        for _ in 0..100 {
            budget.request();
        }
        assert_eq!((0..100).filter(|_| budget.take()).count(), 17);
    }

    #[test]
    fn general_trouble_is_repeated_once_and_a_bad_request_never() {
        let budget = RetryBudget::default();
        let mut retries = Retries::default();
        let broken = UpstreamError::new(ErrorKind::Error, "broken");
        assert!(matches!(retries.next(&broken, &budget), Next::Again(_)));
        assert_eq!(retries.next(&broken, &budget), Next::GiveUp);
        let bad = UpstreamError::new(ErrorKind::InvalidRequest, "bad");
        assert_eq!(Retries::default().next(&bad, &budget), Next::GiveUp);
    }
}
