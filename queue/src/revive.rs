//! Jobs that failed or were cancelled, wanted again.

use std::time::Duration;

use grok2api_entity::connect::begin_write;
use grok2api_entity::{audit, bulk, generation, job};
use sea_orm::{DbErr, EntityTrait};

use crate::change::{Change, can_be_revived, is_outcome_unknown};
use crate::jobs::{Jobs, QueueError};
use crate::news::News;
use crate::ticket::Ticket;
use crate::time::{in_time, within};

/// Longest time to note who asks.
const WRITE: Duration = Duration::from_secs(5);

/// What became of a job that was to be taken up again.
#[derive(Debug, Clone, PartialEq)]
pub enum Revived {
    /// It waits for a worker.
    Yes(Box<job::Model>),
    /// Nobody knows whether its paid call counted, and it may not be made again.
    OutcomeUnknown,
    /// It is open or done, or what it belongs to is.
    No,
}

impl Jobs {
    /// Takes a job up again that failed or was cancelled, and notes who asked for it. With `resubmit`, also one of which
    /// nobody knows whether its paid call counted.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn revive(&self, job: &job::Model, resubmit: bool, note: &audit::Note) -> Result<Revived, QueueError> {
        if !can_be_revived(job) || !self.is_wanted(job).await? {
            return Ok(Revived::No);
        }
        if is_outcome_unknown(job) && !resubmit {
            return Ok(Revived::OutcomeUnknown);
        }
        within(WRITE, async {
            let tx = begin_write(&self.inner.db).await?;
            audit::insert(&*tx, note).await?;
            tx.commit().await
        })
        .await?;
        let change = Change::Revive { id: job.id, resubmit };
        let Some(row) = self.inner.writer.write(change, job.generation_id).await? else { return Ok(Revived::No) };
        self.made(row.kind, &row.owner, 1);
        self.inner.transport.announce(&[News::of(&row)]).await;
        self.deliver(&[Ticket::of(&row)]).await;
        Ok(Revived::Yes(Box::new(row)))
    }

    /// Whether what a job belongs to is still there and not done: its request, or its work on many accounts.
    async fn is_wanted(&self, job: &job::Model) -> Result<bool, DbErr> {
        if let Some(id) = job.generation_id {
            let request = in_time(generation::Entity::find_by_id(id).one(&self.inner.db)).await?;
            let is_open = |row: &generation::Model| row.state != generation::State::Completed;
            return Ok(request.is_some_and(|row| row.deleted_at.is_none() && is_open(&row)));
        }
        let work = in_time(bulk::Entity::find_by_id(job.id).one(&self.inner.db)).await?;
        Ok(work.is_none_or(|work| work.state == bulk::State::Open))
    }
}
