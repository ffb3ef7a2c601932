//! Ticks: each time that something becomes due, a row and its job in one transaction (I6, J9).
//!
//! Any number of processes may make ticks, and none leads. Whoever finds one due takes the schedule's row, looks once more
//! by the database's clock, and writes the tick; its key keeps it from being written twice. No clock of a process counts.

use std::time::Duration;

use grok2api_entity::audit::{self, Note};
use grok2api_entity::connect::begin_write;
use grok2api_entity::schedule::{self, Column, Entity, Name};
use grok2api_entity::{clock, job, tick};
use rand::Rng;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, QueryFilter,
};
use uuid::Uuid;

use crate::failpoint;
use crate::jobs::{Jobs, job_is_over};
use crate::ticket::{NewJob, Ticket};
use crate::time::{in_time, millis};

/// Shortest and longest time that a tick's job may wait and take, in milliseconds.
const PATIENCE_MS: (i64, i64) = (60_000, 3_600_000);

/// When something is due, as whoever makes ticks knows it.
pub trait Timetable: Send + Sync {
    /// The latest time at which it was due at `now` or before, in Unix milliseconds.
    fn last(&self, now: i64) -> Option<i64>;

    /// The first time after `now` at which it will be due, in Unix milliseconds.
    fn next(&self, now: i64) -> Option<i64>;
}

/// A tick that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// When it was due, in Unix milliseconds of the database's clock.
    pub due_ms: i64,
    /// Its job.
    pub job_id: Uuid,
}

/// Why no tick was made although an operator asked for it.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The job of the latest tick is not over.
    #[error("its latest job is not over yet")]
    Open {
        /// That job.
        job_id: Uuid,
    },
    /// The database refuses.
    #[error("the database does not answer")]
    Database(#[from] DbErr),
}

/// The time now, in Unix milliseconds, by the clock that ticks go by.
///
/// # Errors
/// The database does not answer.
pub async fn database_time(db: &DatabaseConnection) -> Result<i64, DbErr> {
    in_time(clock::read(db)).await
}

/// All schedules that are on record, in no order.
///
/// # Errors
/// The database does not answer.
pub async fn schedules(db: &DatabaseConnection) -> Result<Vec<schedule::Model>, DbErr> {
    in_time(Entity::find().all(db)).await
}

/// Puts all schedules on record that are not: what was due before this moment is not wanted.
///
/// # Errors
/// The database refuses.
pub async fn ensure(db: &DatabaseConnection) -> Result<(), DbErr> {
    in_time(async {
        let known: Vec<Name> = Entity::find().all(db).await?.iter().map(|row| row.name).collect();
        let missing: Vec<Name> = Name::ALL.into_iter().filter(|name| !known.contains(name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let tx = begin_write(db).await?;
        let now = clock::read(&*tx).await?;
        let rows = missing.into_iter().map(|name| schedule::ActiveModel {
            name: Set(name),
            paused: Set(false),
            after_ms: Set(now),
            touched_at: Set(now),
            last_tick_at: Set(None),
            last_job_id: Set(None),
        });
        let keep = OnConflict::column(Column::Name).do_nothing_on([Column::Name]).to_owned();
        Entity::insert_many(rows).on_conflict(keep).exec_without_returning(&*tx).await?;
        tx.commit().await
    })
    .await
}

/// The time that is due for a schedule whose row is this, at `now`, if it is to be made: only the latest, however many
/// were missed (F26). A row that says "done until" a time which has not come was written before the clock went back, and
/// keeps nothing from being due; ticks that were made stay made (F27).
pub fn due(row: &schedule::Model, timetable: &dyn Timetable, now: i64) -> Option<i64> {
    let due = timetable.last(now)?;
    let done = due <= row.after_ms && row.after_ms <= now;
    (!row.paused && !done).then_some(due)
}

/// Makes the tick that is due now, if one is, and was not made; `jitter` is how much later at most its job begins.
///
/// # Errors
/// The database refuses. If it did not answer, the tick may have been made, and its job with it: the sweeper finds it.
pub async fn make(jobs: &Jobs, name: Name, timetable: &dyn Timetable, jitter: Duration) -> Result<Option<Tick>, DbErr> {
    let made = in_time(async {
        let tx = begin_write(jobs.db()).await?;
        let Some((row, now)) = take(&tx, name).await? else { return Ok(None) };
        let Some(due_ms) = due(&row, timetable, now) else { return Ok(None) };
        if tick::Entity::find_by_id((name, due_ms)).one(&*tx).await?.is_some() {
            return Ok(None);
        }
        let late = rand::rng().random_range(0..=millis(jitter));
        let patience = timetable.next(due_ms).map_or(PATIENCE_MS.1, |next| next - due_ms);
        let new = new_job(name, now, late, patience);
        let made = write(&tx, name, due_ms, now, new, false).await?;
        failpoint::hit("before_tick").await;
        tx.commit().await?;
        failpoint::hit("after_tick").await;
        Ok(Some(made))
    });
    tell(jobs, name, made.await?).await
}

/// Makes a tick at once, because an operator wants it, who is noted. The ticks that are due by themselves stay as they are.
///
/// # Errors
/// [`RunError`]: there is no tick then.
pub async fn run_now(jobs: &Jobs, name: Name, note: &Note) -> Result<Tick, RunError> {
    ensure(jobs.db()).await?;
    let mut open = None;
    let made = in_time(async {
        let tx = begin_write(jobs.db()).await?;
        let Some((row, now)) = take(&tx, name).await? else { return Ok(None) };
        let last = match row.last_job_id {
            Some(id) => job::Entity::find_by_id(id).one(&*tx).await?,
            None => None,
        };
        if let Some(job) = last.filter(|job| !job_is_over(job)) {
            open = Some(job.id);
            return Ok(None);
        }
        // Times that are due by themselves are whole seconds, so this is none of them.
        let mut due_ms = now + i64::from(now % 1000 == 0);
        while tick::Entity::find_by_id((name, due_ms)).one(&*tx).await?.is_some() {
            due_ms += if due_ms % 1000 == 999 { 2 } else { 1 };
        }
        let made = write(&tx, name, due_ms, now, new_job(name, now, 0, PATIENCE_MS.1), true).await?;
        audit::insert(&*tx, note).await?;
        failpoint::hit("before_tick").await;
        tx.commit().await?;
        failpoint::hit("after_tick").await;
        Ok(Some(made))
    })
    .await?;
    let made = tell(jobs, name, made).await?;
    match (made, open) {
        (Some(tick), _) => Ok(tick),
        (None, Some(job_id)) => Err(RunError::Open { job_id }),
        (None, None) => Err(DbErr::RecordNotFound(format!("schedule {}", name.as_str())).into()),
    }
}

/// Stops a schedule for a while, or lets it go on; answers its row, and notes who did it. What was due meanwhile is not
/// made up for.
///
/// # Errors
/// The database refuses.
pub async fn set_paused(
    db: &DatabaseConnection,
    name: Name,
    paused: bool,
    note: &Note,
) -> Result<schedule::Model, DbErr> {
    ensure(db).await?;
    in_time(async {
        let tx = begin_write(db).await?;
        let missing = || DbErr::RecordNotFound(format!("schedule {}", name.as_str()));
        let (row, now) = take(&tx, name).await?.ok_or_else(missing)?;
        if row.paused == paused {
            return Ok(row);
        }
        let after_ms = if paused { row.after_ms } else { now };
        let update = schedule::ActiveModel { paused: Set(paused), after_ms: Set(after_ms), ..Default::default() };
        Entity::update_many().set(update).filter(Column::Name.eq(name)).exec(&*tx).await?;
        audit::insert(&*tx, note).await?;
        tx.commit().await?;
        Ok(schedule::Model { paused, after_ms, ..row })
    })
    .await
}

/// Takes the row of a schedule, so that others wait, and says what time it is then.
async fn take(tx: &DatabaseTransaction, name: Name) -> Result<Option<(schedule::Model, i64)>, DbErr> {
    let backend = sea_orm::ConnectionTrait::get_database_backend(tx);
    Entity::update_many()
        .col_expr(Column::TouchedAt, clock::now(backend))
        .filter(Column::Name.eq(name))
        .exec(tx)
        .await?;
    let row = Entity::find_by_id(name).one(tx).await?;
    // Read after the row was waited for: times only go on from one who takes it to the next.
    let now = clock::read(tx).await?;
    Ok(row.map(|row| (row, now)))
}

fn new_job(name: Name, now: i64, late: i64, patience: i64) -> NewJob {
    let run_at = now + late;
    let deadline_at = run_at + patience.clamp(PATIENCE_MS.0, PATIENCE_MS.1);
    NewJob { run_at, deadline_at, ..NewJob::new(name.kind(), 0) }
}

/// Writes a tick, its job, and that it was made.
async fn write(
    tx: &DatabaseTransaction,
    name: Name,
    due_ms: i64,
    now: i64,
    new: NewJob,
    manual: bool,
) -> Result<(Tick, Vec<Ticket>), DbErr> {
    let job_id = new.id;
    let row = tick::ActiveModel {
        schedule: Set(name),
        due_ms: Set(due_ms),
        job_id: Set(job_id),
        manual: Set(manual),
        created_at: Set(now),
    };
    tick::Entity::insert(row).exec_without_returning(tx).await?;
    failpoint::hit("between_tick_and_job").await;
    let tickets = Jobs::insert(tx, vec![new]).await?;
    let mut done = Entity::update_many()
        .col_expr(Column::LastTickAt, Expr::value(Some(now)))
        .col_expr(Column::LastJobId, Expr::value(Some(job_id)));
    if !manual {
        done = done.col_expr(Column::AfterMs, Expr::value(due_ms));
    }
    done.filter(Column::Name.eq(name)).exec(tx).await?;
    Ok((Tick { due_ms, job_id }, tickets))
}

async fn tell(jobs: &Jobs, name: Name, made: Option<(Tick, Vec<Ticket>)>) -> Result<Option<Tick>, DbErr> {
    let Some((tick, tickets)) = made else { return Ok(None) };
    jobs.made(name.kind(), "", 1);
    jobs.deliver(&tickets).await;
    metrics::counter!("grok2api_ticks_total", "schedule" => name.as_str()).increment(1);
    Ok(Some(tick))
}
