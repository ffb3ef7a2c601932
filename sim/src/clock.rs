//! What time is it for the budgets? A test can move it forward.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The runtime's clock plus what a test has added.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    added_ms: AtomicU64,
}

impl Clock {
    pub(crate) fn now(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.added_ms.load(Ordering::Relaxed))
    }

    /// Moves the clock forward.
    pub(crate) fn add(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 4);
        self.added_ms.fetch_add(ms, Ordering::Relaxed);
    }
}
