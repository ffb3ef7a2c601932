//! What makes the rows the truth: whatever was lost, forgotten or left behind is found in them and set going again.
//!
//! Every process with workers sweeps. Each change is fenced, each pass is bounded, and two that sweep at once do no harm
//! (J10).

use std::collections::HashSet;
use std::time::Duration;

use futures_util::StreamExt;
use grok2api_entity::connect::begin_write;
use grok2api_entity::job::{Column, Entity, Kind, Model, State};
use grok2api_entity::{generation, idempotency, job_attempt, worker};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, DbErr, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationDef,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::change::{Change, End};
use crate::jobs::Jobs;
use crate::news::News;
use crate::registry::{Registry, is_dead};
use crate::ticket::{Stub, Ticket};
use crate::time::{in_time, millis, now_ms};

/// Rows of one pass (J10).
const PASS: u64 = 500;
/// Changes that are on their way at once, so that one commit takes many.
const AT_ONCE: usize = 64;
/// Passes follow each other for this long at most.
const TIDY_FOR: Duration = Duration::from_secs(5);
/// Finished work of the gateway's own is kept this long, in milliseconds.
const KEEP_OWN_MS: i64 = 3_600_000;
/// Keys for safe repeats are kept this long, in milliseconds (J13).
const KEEP_KEYS_MS: i64 = 24 * 3_600_000;

/// Sweeps.
pub struct Sweeper {
    jobs: Jobs,
    keep_ms: i64,
    unheld: HashSet<(Uuid, i64)>,
}

impl Sweeper {
    /// Sweeps the rows of `jobs`; finished requests are kept for `keep`.
    pub fn new(jobs: Jobs, keep: Duration) -> Self {
        Self { jobs, keep_ms: millis(keep), unheld: HashSet::new() }
    }

    /// Takes over the jobs of workers that are gone, and of those that `judge` finds dead. Answers how many.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn take_over(&self, judge: Option<&Registry>) -> Result<usize, DbErr> {
        let gone = || Expr::col((worker::Entity, worker::Column::Id)).is_null();
        if let Some(judge) = judge {
            let dead = Condition::any().add(gone()).add(is_dead(self.jobs.db().get_database_backend()));
            if self.running_without(dead, 1).await?.is_empty() {
                return Ok(0);
            }
            judge.bury_the_dead().await?;
        }
        // Those who showed themselves in this very moment were not buried, and keep their jobs.
        let orphans = self.running_without(Condition::all().add(gone()), PASS).await?;
        let taken = self.make_all(changes(&orphans, |stub| Change::TakeOver { stub })).await;
        for job in &taken {
            tracing::warn!(job = %job.id, kind = job.kind.as_str(), step = job.step.as_str(), "its worker died: the job is free again");
            metrics::counter!("grok2api_jobs_taken_over_total", "kind" => job.kind.as_str()).increment(1);
        }
        Ok(taken.len())
    }

    /// Running jobs whose holder's row is as said.
    async fn running_without(&self, holder: Condition, limit: u64) -> Result<Vec<Model>, DbErr> {
        let jobs = Entity::find()
            .join(JoinType::LeftJoin, held_by())
            .filter(Column::State.eq(State::Running))
            .filter(holder)
            .limit(limit);
        in_time(jobs.all(self.jobs.db())).await
    }

    /// Frees jobs that are in this process's name but that it does not work on: a commit whose answer got lost, or work
    /// that ended without a word. It counts as a crash, so that a job which always ends like that comes to an end.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn free_unheld(&mut self, registry: &Registry) -> Result<usize, DbErr> {
        let mut unheld = Vec::new();
        let mut after = Uuid::nil();
        loop {
            let ours = Entity::find()
                .filter(Column::State.eq(State::Running))
                .filter(Column::Holder.eq(registry.id()))
                .filter(Column::Id.gt(after))
                .order_by_asc(Column::Id)
                .limit(PASS);
            let ours = in_time(ours.all(self.jobs.db())).await?;
            let Some(last) = ours.last() else { break };
            after = last.id;
            unheld.extend(ours.into_iter().filter(|job| !self.jobs.hub().is_held(job.id, job.epoch)));
        }
        // Seen twice, so that one which is just being claimed or ended is left alone.
        let forgotten = unheld.iter().filter(|job| self.unheld.contains(&(job.id, job.epoch)));
        let freed = self.make_all(changes(forgotten, |stub| Change::TakeOver { stub })).await;
        self.unheld = unheld.iter().map(|job| (job.id, job.epoch)).collect();
        Ok(freed.len())
    }

    /// Stops work on jobs that are no longer ours, where the news of it did not come through. Answers how many.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn stop_lost(&self) -> Result<usize, DbErr> {
        let mut stopped = 0;
        // Asked after it was known that they were claimed: their rows say so, unless they have moved on.
        for held in self.jobs.hub().claimed().chunks(AT_ONCE) {
            let ours = Entity::find()
                .select_only()
                .columns([Column::Id, Column::Epoch])
                .filter(Column::Id.is_in(held.iter().map(|(id, _)| *id)))
                .filter(Column::State.eq(State::Running))
                .into_tuple();
            let ours: Vec<(Uuid, i64)> = in_time(ours.all(self.jobs.db())).await?;
            for lost in held.iter().filter(|held| !ours.contains(held)) {
                self.jobs.hub().stop(lost.0, lost.1);
                stopped += 1;
            }
        }
        Ok(stopped)
    }

    /// Passes on what this process still has. Answers how many jobs.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn hand_over(jobs: &Jobs, registry: &Registry) -> Result<usize, DbErr> {
        let ours = Entity::find().filter(Column::State.eq(State::Running)).filter(Column::Holder.eq(registry.id()));
        let ours = in_time(ours.limit(PASS).all(jobs.db())).await?;
        let sweeper = Self::new(jobs.clone(), Duration::ZERO);
        let handed = sweeper.make_all(changes(&ours, |stub| Change::End { stub, end: End::HandOver })).await;
        Ok(handed.len())
    }

    /// Gives up jobs that have waited for too long. Answers how many.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn expire(&self) -> Result<usize, DbErr> {
        let until = Instant::now() + TIDY_FOR;
        let mut count = 0;
        loop {
            let late = Entity::find().filter(Column::State.eq(State::Queued)).filter(Column::DeadlineAt.lt(now_ms()));
            let late = in_time(late.limit(PASS).all(self.jobs.db())).await?;
            let given_up = self.make_all(changes(&late, |stub| Change::Expire { stub })).await.len();
            count += given_up;
            if given_up == 0 || (late.len() as u64) < PASS || Instant::now() >= until {
                return Ok(count);
            }
        }
    }

    /// Repeats the tickets of waiting jobs, those due first in front. Where most were there already, the rest is too.
    /// Answers how many were missing.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn repeat_tickets(&self) -> Result<u64, DbErr> {
        if !self.jobs.transport().can_lose() {
            return Ok(0);
        }
        let mut missing = 0;
        for kind in crate::kinds::ALL {
            let mut after: Option<(i64, Uuid)> = None;
            loop {
                let tickets = self.waiting(kind, after).await?;
                let Some(last) = tickets.last() else { break };
                after = Some((last.run_at, last.id));
                // What keeps one kind from being told need not keep the others (F34).
                let Ok(new) = self.jobs.transport().push(&tickets).await else { break };
                missing += new;
                if new * 2 < tickets.len() as u64 {
                    break;
                }
            }
        }
        if missing > 0 {
            metrics::counter!("grok2api_tickets_repeated_total").increment(missing);
            tracing::debug!(missing, "tickets were missing and have been repeated");
        }
        Ok(missing)
    }

    /// The tickets that waiting jobs of a kind should have, in the order they are due, after the one that is named.
    async fn waiting(&self, kind: Kind, after: Option<(i64, Uuid)>) -> Result<Vec<Ticket>, DbErr> {
        let mut page = Entity::find()
            .select_only()
            .columns([Column::Id, Column::Epoch, Column::RunAt])
            .filter(Column::Kind.eq(kind))
            .filter(Column::State.eq(State::Queued));
        if let Some((run_at, id)) = after {
            let later = Column::RunAt.eq(run_at).and(Column::Id.gt(id));
            page = page.filter(Condition::any().add(Column::RunAt.gt(run_at)).add(later));
        }
        let page = page.order_by_asc(Column::RunAt).order_by_asc(Column::Id).limit(PASS).into_tuple();
        let page: Vec<(Uuid, i64, i64)> = in_time(page.all(self.jobs.db())).await?;
        Ok(page.into_iter().map(|(id, epoch, run_at)| Ticket { kind, id, epoch, run_at }).collect())
    }

    /// Removes what is finished and old, pass by pass.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn tidy(&self) -> Result<(), DbErr> {
        let (now, until) = (now_ms(), Instant::now() + TIDY_FOR);
        let mut full = true;
        while full && Instant::now() < until {
            let own = self.tidy_own(now).await?;
            let keys = self.tidy_keys(now).await?;
            let requests = self.tidy_requests(now).await?;
            full = [own, keys, requests].iter().any(|count| *count >= PASS);
        }
        Ok(())
    }

    async fn tidy_own(&self, now: i64) -> Result<u64, DbErr> {
        let own = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::State.is_in([State::Completed, State::Failed, State::Cancelled]))
            .filter(Column::GenerationId.is_null())
            .filter(Column::FinishedAt.lt(now - KEEP_OWN_MS))
            .limit(PASS)
            .into_tuple();
        let own: Vec<Uuid> = in_time(own.all(self.jobs.db())).await?;
        self.remove_jobs(own, None).await
    }

    async fn tidy_keys(&self, now: i64) -> Result<u64, DbErr> {
        use idempotency::{Column as C, Entity as Keys};

        let old = Keys::find().filter(C::CreatedAt.lt(now - KEEP_KEYS_MS)).limit(PASS);
        let old = in_time(old.all(self.jobs.db())).await?;
        let Some(newest) = old.iter().map(|key| key.created_at).max() else { return Ok(0) };
        let these = old.iter().map(|key| C::Owner.eq(key.owner.as_str()).and(C::Key.eq(key.key.as_str())));
        let these = these.fold(Condition::any(), Condition::add);
        let removed = Keys::delete_many().filter(C::CreatedAt.lte(newest)).filter(these);
        Ok(in_time(removed.exec(self.jobs.db())).await?.rows_affected)
    }

    async fn tidy_requests(&self, now: i64) -> Result<u64, DbErr> {
        use generation::Column as G;

        let old = generation::Entity::find()
            .select_only()
            .column(G::Id)
            .filter(G::CompletedAt.lt(now - self.keep_ms))
            .limit(PASS)
            .into_tuple();
        let old: Vec<Uuid> = in_time(old.all(self.jobs.db())).await?;
        if old.is_empty() {
            return Ok(0);
        }
        let jobs = Entity::find().select_only().column(Column::Id).filter(Column::GenerationId.is_in(old.clone()));
        let jobs: Vec<Uuid> = in_time(jobs.into_tuple().all(self.jobs.db())).await?;
        let count = old.len() as u64;
        self.remove_jobs(jobs, Some(old)).await?;
        Ok(count)
    }

    /// Removes jobs with what hangs on them, and requests. Answers how many jobs.
    async fn remove_jobs(&self, jobs: Vec<Uuid>, requests: Option<Vec<Uuid>>) -> Result<u64, DbErr> {
        let count = jobs.len() as u64;
        if jobs.is_empty() && requests.is_none() {
            return Ok(0);
        }
        in_time(async {
            let tx = begin_write(self.jobs.db()).await?;
            let attempts = job_attempt::Entity::delete_many().filter(job_attempt::Column::JobId.is_in(jobs.clone()));
            attempts.exec(&*tx).await?;
            Entity::delete_many().filter(Column::Id.is_in(jobs)).exec(&*tx).await?;
            if let Some(requests) = requests {
                let requests = generation::Entity::delete_many().filter(generation::Column::Id.is_in(requests));
                requests.exec(&*tx).await?;
            }
            tx.commit().await
        })
        .await?;
        Ok(count)
    }

    /// Makes changes of jobs, tells of them, and puts the tickets of jobs that wait again. Answers the rows that changed:
    /// those where nobody was faster.
    async fn make_all(&self, changes: Vec<(Change, Option<Uuid>)>) -> Vec<Model> {
        let writer = &self.jobs.inner.writer;
        let made =
            futures_util::stream::iter(changes.into_iter().map(|(change, request)| writer.write(change, request)));
        let mut made = made.buffer_unordered(AT_ONCE);
        let mut rows = Vec::new();
        while let Some(answer) = made.next().await {
            match answer {
                Ok(row) => rows.extend(row),
                Err(error) => tracing::warn!(error = %error, "a sweep could not write: it will be repeated"),
            }
        }
        let news: Vec<News> = rows.iter().map(News::of).collect();
        self.jobs.transport().announce(&news).await;
        let tickets: Vec<Ticket> = rows.iter().filter(|row| row.state == State::Queued).map(Ticket::of).collect();
        self.jobs.deliver(&tickets).await;
        rows
    }
}

/// The same change of each job, with the request it belongs to.
fn changes<'a>(
    jobs: impl IntoIterator<Item = &'a Model>,
    change: impl Fn(Stub) -> Change,
) -> Vec<(Change, Option<Uuid>)> {
    let of = |job: &Model| (change(Stub { id: job.id, epoch: job.epoch }), job.generation_id);
    jobs.into_iter().map(of).collect()
}

fn held_by() -> RelationDef {
    Entity::belongs_to(worker::Entity).from(Column::Holder).to(worker::Column::Id).into()
}
