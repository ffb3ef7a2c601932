//! Which process was struck when, and when the database stood still.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use grok2api_queue::now_ms;
use parking_lot::Mutex;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::task::JoinHandle;

use super::trail;
use crate::ledger::{Blow, Sightings};

/// The database is asked to write this often.
const PROBE_EVERY: Duration = Duration::from_millis(200);
/// A write that takes this long tells of a database that stands still: nobody is taken for dead then (I3).
const STALL: Duration = Duration::from_secs(1);
/// Nor for a lease after it, in milliseconds; and then by whoever comes by.
const AFTER_STALL_MS: i64 = 5_000;

/// A blow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strike {
    pub(super) pid: u32,
    pub(super) blow: Blow,
    /// In Unix milliseconds.
    pub(super) at: i64,
}

/// When the database stood still, from and to, in Unix milliseconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Calm {
    stalls: Vec<(i64, i64)>,
}

impl Calm {
    /// Whether it never did between these times, nor shortly before.
    pub(super) fn between(&self, from: i64, to: i64) -> bool {
        self.stalls.iter().all(|(began, ended)| *began > to || ended + AFTER_STALL_MS < from)
    }
}

/// Writes down blows, and probes the database until it is dropped.
#[derive(Debug)]
pub struct Strikes {
    db: DatabaseConnection,
    dealt: Mutex<Vec<Strike>>,
    calm: Arc<Mutex<Calm>>,
    probing: JoinHandle<()>,
}

impl Strikes {
    /// Begins.
    pub fn watch(db: DatabaseConnection) -> Self {
        let calm = Arc::<Mutex<Calm>>::default();
        let probing = tokio::spawn(probe(db.clone(), Arc::clone(&calm)));
        Self { db, dealt: Mutex::default(), calm, probing }
    }

    /// A process is struck now.
    pub fn strike(&self, pid: u32, blow: Blow) {
        self.dealt.lock().push(Strike { pid, blow, at: now_ms() });
    }

    /// What befell the jobs, so far.
    ///
    /// # Errors
    /// The records do not answer.
    pub async fn sightings(&self) -> Result<Sightings> {
        let (strikes, calm) = (self.dealt.lock().clone(), self.calm.lock().clone());
        trail::sightings(&self.db, &strikes, &calm).await
    }
}

impl Drop for Strikes {
    fn drop(&mut self) {
        self.probing.abort();
    }
}

async fn probe(db: DatabaseConnection, calm: Arc<Mutex<Calm>>) {
    loop {
        let (began, from) = (Instant::now(), now_ms());
        let written = db.execute_unprepared("UPDATE chaos_probe SET beat = beat + 1").await;
        if began.elapsed() > STALL || written.is_err() {
            calm.lock().stalls.push((from, now_ms()));
        }
        tokio::time::sleep(PROBE_EVERY).await;
    }
}
