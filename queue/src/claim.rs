//! A job in the hands of a worker. Every write names the epoch that the claim was given; when the row has moved on, the
//! worker hears [`Lost`] and drops what it has (I2).

use std::time::Duration;

use futures_util::future::BoxFuture;
use grok2api_entity::connect::begin_write;
use grok2api_entity::job;
use sea_orm::{DatabaseTransaction, DbErr};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::apply::apply;
use crate::change::{Change, End, Note};
use crate::jobs::Jobs;
use crate::news::{Hold, News};
use crate::ticket::{Stub, Ticket};
use crate::time::{in_time, now_ms};

/// A worker holds on to what it wants to write for this long while the database is away (F13).
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause before it asks the database again.
const PAUSE: Duration = Duration::from_millis(500);

/// The job is no longer this worker's: it was cancelled, or another one has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the job is no longer ours")]
pub struct Lost;

/// A job that this worker has.
pub struct Claimed {
    jobs: Jobs,
    row: job::Model,
    stub: Stub,
    lost: CancellationToken,
    draining: CancellationToken,
    /// Nobody takes it from here before this process is started again.
    pub(crate) alone: bool,
    hold: Hold,
}

impl Claimed {
    /// Takes the job of a ticket for the worker `holder`. `None` when the ticket is out of date, which is normal. Workers
    /// of a [`crate::Crew`] do this by themselves.
    ///
    /// # Errors
    /// The database refuses, or does not answer: the job may be in the holder's name then, until a sweep frees it.
    pub async fn claim(
        jobs: &Jobs,
        ticket: Ticket,
        holder: Uuid,
        draining: CancellationToken,
    ) -> Result<Option<Self>, crate::QueueError> {
        let stub = Stub { id: ticket.id, epoch: ticket.epoch };
        // Held before it is claimed: whatever is told about it from then on is heard.
        let lost = CancellationToken::new();
        let ours = Stub { epoch: stub.epoch + 1, ..stub };
        let hold = jobs.inner.hub.hold(stub.id, ours.epoch, lost.clone());
        let claimed = jobs.inner.writer.write(Change::Claim { stub, holder }, None).await?;
        let Some(row) = claimed else { return Ok(None) };
        hold.claimed();
        Ok(Some(Self { jobs: jobs.clone(), row, stub: ours, lost, draining, alone: false, hold }))
    }

    /// The row as it was when last written.
    pub fn row(&self) -> &job::Model {
        &self.row
    }

    /// All jobs.
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// Cancelled when the job is no longer ours: end the upstream call and return.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Cancelled when this process goes down: what can be handed over should be.
    pub fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// Whether this process goes down, and another can do at once what is left.
    pub fn can_be_passed_on(&self) -> bool {
        self.draining.is_cancelled() && !self.alone
    }

    /// Writes a note, and tells those who wait when it is about progress.
    ///
    /// # Errors
    /// [`Lost`].
    pub async fn note(&mut self, note: Note) -> Result<(), Lost> {
        let tell = note.progress.is_some();
        self.row = self.write(Change::Note { stub: self.stub, note }).await?.ok_or(Lost)?;
        if tell {
            self.tell().await;
        }
        Ok(())
    }

    /// Writes a note together with what `also` writes: all of it or nothing.
    ///
    /// # Errors
    /// [`Lost`], also after the database was away for too long.
    pub async fn step_with<F>(&mut self, note: Note, also: F) -> Result<(), Lost>
    where
        F: for<'t> Fn(&'t DatabaseTransaction) -> BoxFuture<'t, Result<(), DbErr>> + Send + Sync,
    {
        let change = Change::Note { stub: self.stub, note };
        let until = Instant::now() + PATIENCE;
        loop {
            let written = in_time(async {
                let tx = begin_write(&self.jobs.inner.db).await?;
                let rows = apply(&*tx, &[&change], now_ms()).await?;
                let Some(row) = rows.into_iter().next().flatten() else { return Ok(None) };
                also(&tx).await?;
                tx.commit().await?;
                Ok(Some(row))
            });
            match written.await {
                Ok(Some(row)) => {
                    self.row = row;
                    return Ok(());
                }
                Ok(None) => return Err(Lost),
                Err(error) => self.again(&error, until).await?,
            }
        }
    }

    /// Tells those who wait how far the job is, without writing it down.
    pub async fn tell_progress(&self, progress: i32) {
        let news = News { progress, ..News::of(&self.row) };
        self.jobs.inner.transport.announce(&[news]).await;
    }

    async fn tell(&self) {
        self.jobs.inner.transport.announce(&[News::of(&self.row)]).await;
    }

    /// Lets go of the job.
    ///
    /// # Errors
    /// [`Lost`]: the end was not written, since it was no longer ours to write.
    pub async fn end(mut self, end: End) -> Result<job::Model, Lost> {
        self.row = self.write(Change::End { stub: self.stub, end }).await?.ok_or(Lost)?;
        let Self { jobs, row, hold, .. } = self;
        // Not held any more when it is told: this news is no reason to stop.
        drop(hold);
        jobs.inner.transport.announce(&[News::of(&row)]).await;
        if row.state == job::State::Queued {
            jobs.deliver(&[Ticket::of(&row)]).await;
        }
        Ok(row)
    }

    async fn write(&self, change: Change) -> Result<Option<job::Model>, Lost> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.jobs.inner.writer.write(change.clone(), self.row.generation_id).await {
                Ok(row) => return Ok(row),
                Err(error) => self.again(&error, until).await?,
            }
        }
    }

    async fn again(&self, error: &(dyn std::error::Error + Sync), until: Instant) -> Result<(), Lost> {
        if self.lost.is_cancelled() {
            return Err(Lost);
        }
        {
            let (job, cause) = (self.stub.id, error.source().map(tracing::field::display));
            if Instant::now() >= until {
                tracing::error!(%job, %error, cause, "the database was away for too long: the job is left to others");
                return Err(Lost);
            }
            tracing::debug!(%job, %error, cause, "the database is away: trying again");
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => Ok(()),
            () = self.lost.cancelled() => Err(Lost),
        }
    }
}
