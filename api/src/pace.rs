//! How fast a request's body must come: as a whole within a time, and not in drips (H2).

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::state::BodyLimits;

/// Watches over one body.
#[derive(Debug)]
pub(crate) struct Pace {
    began: Instant,
    limits: BodyLimits,
    received: usize,
}

/// The body is too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooSlow;

impl Pace {
    pub(crate) fn new(limits: BodyLimits) -> Self {
        Self { began: Instant::now(), limits, received: 0 }
    }

    /// Counts what has come.
    pub(crate) fn count(&mut self, bytes: usize) {
        self.received += bytes;
    }

    /// Waits for the next piece as long as it may take: what came before buys it time.
    ///
    /// # Errors
    /// It does not come in time.
    pub(crate) async fn wait<T>(&self, next: impl Future<Output = T>) -> Result<T, TooSlow> {
        tokio::time::timeout_at(self.deadline(), next).await.map_err(|_| TooSlow)
    }

    fn deadline(&self) -> Instant {
        let bought = u64::try_from(self.received / self.limits.min_bytes_per_sec.max(1)).unwrap_or(u64::MAX);
        let allowed = self.limits.grace.saturating_add(Duration::from_secs(bought));
        self.began + allowed.min(self.limits.timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long a body that comes in pieces of `bytes` each second is listened to, of `secs` seconds.
    async fn heard(bytes: usize, secs: u64) -> u64 {
        let mut pace = Pace::new(BodyLimits::default());
        for second in 0..secs {
            if pace.wait(tokio::time::sleep(Duration::from_secs(1))).await.is_err() {
                return second;
            }
            pace.count(bytes);
        }
        secs
    }

    #[tokio::test(start_paused = true)]
    async fn h2_a_body_that_drips_is_given_up_and_a_slow_one_is_not() {
        assert_eq!(heard(1, 60).await, 5, "the first seconds are free");
        assert_eq!(heard(512, 60).await, 9);
        assert_eq!(heard(1024, 59).await, 59);
    }

    #[tokio::test(start_paused = true)]
    async fn h2_no_body_takes_longer_than_the_whole_time() {
        assert_eq!(heard(1024 * 1024, 100).await, 60);
    }
}
