//! What was asked and how it ended: handed over on the way of a request, written in batches beside it.

mod batch;
mod entry;
mod gauges;
mod retention;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use sea_orm::DatabaseConnection;
use tokio::sync::Notify;
use tokio::sync::mpsc::{self, Sender};

pub use entry::Entry;
use entry::Recorded;
pub use gauges::keep_gauges;
pub use retention::{keep_requests, sweep, sweep_plots};
pub use writer::UsageWriter;

/// Requests kept in memory while the database is away or slow; more are dropped and counted.
pub const CAPACITY: usize = 50_000;
/// Most requests written in one transaction.
const BATCH: usize = 500;
/// Longest time from a request to its row when the database is well.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// Takes down requests. Clones are cheap and write to the same place.
#[derive(Debug, Clone)]
pub struct UsageLog {
    entries: Sender<Recorded>,
    /// Told when there is enough for a batch.
    is_plenty: Arc<Notify>,
}

impl UsageLog {
    /// A log and what writes it to `db`, to be run beside everything else.
    pub fn new(db: DatabaseConnection) -> (Self, UsageWriter) {
        Self::with_capacity(db, CAPACITY)
    }

    fn with_capacity(db: DatabaseConnection, capacity: usize) -> (Self, UsageWriter) {
        let (entries, receiver) = mpsc::channel(capacity);
        let is_plenty = Arc::new(Notify::new());
        let writer = UsageWriter::new(db, receiver, Arc::clone(&is_plenty));
        (Self { entries, is_plenty }, writer)
    }

    /// Hands over a request that has just ended. Never waits: when the log is full the entry is dropped and counted.
    pub fn record(&self, entry: Entry) {
        if self.entries.try_send(Recorded::now(entry)).is_err() {
            count_dropped(1);
        }
        if self.entries.max_capacity() - self.entries.capacity() >= BATCH {
            self.is_plenty.notify_one();
        }
    }
}

fn count_dropped(entries: usize) {
    metrics::counter!("grok2api_usage_dropped_total").increment(entries as u64);
}

#[cfg(test)]
mod tests;
