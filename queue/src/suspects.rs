//! Jobs over which workers died, one at a time in a process.
//!
//! When a process dies nobody can tell which of its jobs it died of: all of them count a crash. Taken over together they
//! would run together again, and those beside the one at fault would be given up with it (F9). So a job for which one more
//! crash would be the last runs beside no other such job.

use std::sync::Arc;

use parking_lot::Mutex;
use sea_orm::DbErr;

use crate::change::MAX_CRASHES;
use crate::jobs::Jobs;
use crate::ticket::Ticket;

/// Crashes after which a job is a suspect.
const SUSPECT: i32 = MAX_CRASHES - 1;
/// A job that crashed as often was claimed and taken over as often.
const EPOCH: i64 = 2 * SUSPECT as i64;

/// The suspects of this process. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Suspects(Arc<Mutex<Bench>>);

#[derive(Debug, Default)]
struct Bench {
    taken: bool,
    waiting: Vec<Ticket>,
}

/// Whether a job may be claimed now.
#[derive(Debug)]
pub(crate) enum Entry {
    /// It is no suspect.
    Free,
    /// No other suspect runs until this ends.
    Alone(Alone),
    /// Another suspect runs here. The ticket is kept, and comes again elsewhere as one that was taken and not tried.
    Taken,
}

/// The place of the suspect that runs. Dropped without [`Alone::end`], those who wait come again by themselves.
#[derive(Debug)]
pub(crate) struct Alone(Arc<Mutex<Bench>>);

impl Suspects {
    /// Looks at the job of a ticket before it is claimed.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn enter(&self, jobs: &Jobs, ticket: Ticket) -> Result<Entry, DbErr> {
        if ticket.epoch < EPOCH {
            return Ok(Entry::Free);
        }
        // Crashes change with the epoch alone, or by whoever has the job: while the ticket is good, this is.
        let row = jobs.find(ticket.id).await?;
        if row.is_none_or(|row| row.crashes < SUSPECT) {
            return Ok(Entry::Free);
        }
        let mut bench = self.0.lock();
        if bench.taken {
            if bench.waiting.iter().all(|other| other.id != ticket.id) {
                bench.waiting.push(ticket);
            }
            return Ok(Entry::Taken);
        }
        bench.taken = true;
        Ok(Entry::Alone(Alone(Arc::clone(&self.0))))
    }
}

impl Alone {
    /// Makes room for another. Answers the tickets that came meanwhile: they are to be given back.
    pub(crate) fn end(self) -> Vec<Ticket> {
        std::mem::take(&mut self.0.lock().waiting)
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        *self.0.lock() = Bench::default();
    }
}
