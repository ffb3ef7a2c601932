//! Which answers did the client leave before their end, and when?

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Departures kept; older ones are only counted.
const KEPT: usize = 10_000;

/// An answer that the client left before it was complete.
#[derive(Debug, Clone)]
pub struct Departure {
    /// Whose call it was.
    pub account: String,
    /// When the call arrived.
    pub began_at: Instant,
    /// When the client had gone.
    pub at: Instant,
}

impl Departure {
    /// How long the call had been open.
    pub fn after(&self) -> Duration {
        self.at - self.began_at
    }
}

/// Log of departures.
#[derive(Debug, Default)]
pub(crate) struct Departures {
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct Log {
    count: u64,
    last: VecDeque<Departure>,
}

impl Departures {
    pub(crate) fn add(&self, account: &str, began_at: Instant) {
        let mut log = self.log.lock();
        log.count += 1;
        if log.last.len() == KEPT {
            log.last.pop_front();
        }
        log.last.push_back(Departure { account: account.to_owned(), began_at, at: Instant::now() });
    }

    pub(crate) fn count(&self) -> u64 {
        self.log.lock().count
    }

    pub(crate) fn list(&self) -> Vec<Departure> {
        self.log.lock().last.iter().cloned().collect()
    }

    pub(crate) fn forget(&self) {
        *self.log.lock() = Log::default();
    }
}
