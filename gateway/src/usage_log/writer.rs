//! The task that writes what was taken down.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use sea_orm::{DatabaseConnection, DbErr};
use tokio::sync::Notify;
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::batch::Batch;
use super::entry::Recorded;
use super::{BATCH, WRITE_EVERY, count_dropped};

/// Longest try to write one batch.
const TRY_FOR: Duration = Duration::from_secs(30);
/// Pauses between tries: the first and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));
/// Failures in a row that are told. Writers that got into each other's way are through after one or two.
const TOLD_AFTER: u32 = 4;
/// How long the last batches may take when the process goes down.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Writes what a [`super::UsageLog`] takes.
#[derive(Debug)]
pub struct UsageWriter {
    db: DatabaseConnection,
    entries: Receiver<Recorded>,
    is_plenty: Arc<Notify>,
    /// Requests taken out and not written yet.
    in_hand: usize,
}

impl UsageWriter {
    pub(super) fn new(db: DatabaseConnection, entries: Receiver<Recorded>, is_plenty: Arc<Notify>) -> Self {
        Self { db, entries, is_plenty, in_hand: 0 }
    }

    /// Writes until `stop`, then what is left. What the database does not take within five seconds then is lost and
    /// counted.
    pub async fn run(mut self, stop: CancellationToken) {
        let out_of_time = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::select! {
            () = self.follow(&stop) => {}
            () = out_of_time => {
                self.entries.close();
                let lost = self.in_hand + self.entries.len();
                count_dropped(lost);
                tracing::warn!(requests = lost, "usage could not be written before the end and is lost");
            }
        }
    }

    async fn follow(&mut self, stop: &CancellationToken) {
        let mut entries = Vec::with_capacity(BATCH);
        while !stop.is_cancelled() {
            tokio::select! {
                _ = self.entries.recv_many(&mut entries, BATCH) => {}
                () = stop.cancelled() => break,
            }
            if entries.is_empty() {
                return; // nobody is left to record anything
            }
            tokio::select! {
                () = tokio::time::sleep(WRITE_EVERY) => {}
                () = self.is_plenty.notified() => {}
                () = stop.cancelled() => break,
            }
            self.write_all(&mut entries).await;
        }
        self.entries.close();
        loop {
            self.write_all(&mut entries).await;
            if self.entries.recv_many(&mut entries, BATCH).await == 0 {
                return;
            }
        }
    }

    /// Writes `entries` and what came meanwhile.
    async fn write_all(&mut self, entries: &mut Vec<Recorded>) {
        loop {
            while entries.len() < BATCH
                && let Ok(entry) = self.entries.try_recv()
            {
                entries.push(entry);
            }
            if entries.is_empty() {
                return;
            }
            let batch = Batch::new(std::mem::take(entries));
            self.in_hand = batch.rows().len();
            self.write(&batch).await;
            self.in_hand = 0;
        }
    }

    /// Tries until the batch is written.
    pub(super) async fn write(&self, batch: &Batch) {
        let mut failures = 0;
        let mut pause = PAUSES.0;
        while let Err(error) = self.try_once(batch).await {
            failures += 1;
            if failures == TOLD_AFTER {
                // One line for a whole outage (L6).
                tracing::warn!(%error, "usage cannot be written; it is kept in memory and written later");
            }
            let jitter = rand::rng().random_range(0.5..1.0);
            tokio::time::sleep(pause.mul_f64(jitter)).await;
            pause = (pause * 2).min(PAUSES.1);
        }
        if failures >= TOLD_AFTER {
            tracing::info!("usage is written again");
        }
    }

    async fn try_once(&self, batch: &Batch) -> Result<(), DbErr> {
        tokio::time::timeout(TRY_FOR, batch.write(&self.db))
            .await
            .unwrap_or_else(|_| Err(DbErr::Custom("the database does not answer in time".to_owned())))
    }
}
