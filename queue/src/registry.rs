//! Which worker processes live. A row each, renewed every second by the database's clock (I3).
//!
//! A row that was not renewed for a lease is taken away, by whoever sees it first, and never comes back: the process that
//! it stood for enters again under a new id, after it has stopped everything it did under the old one. So a process is
//! either alive for all or dead for all, and jobs in the name of one that is not there are free.

use std::time::Duration;

use grok2api_entity::connect::begin_write_first;
use grok2api_entity::worker::{ActiveModel, Column, Entity};
use grok2api_entity::{clock, job};
use parking_lot::Mutex;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, DatabaseConnection, DbBackend, DbErr, EntityTrait, QueryFilter,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::news::Hub;
use crate::time::{in_time, millis, within};

/// A process that has not shown itself for this long, in milliseconds, is dead. With a sign every second, three may get
/// lost; a longer lease would keep half of all jobs from going on within 3.5 s of their worker's death (G2).
pub const LEASE_MS: i64 = 3_500;
/// How often a process shows itself.
pub const BEAT: Duration = Duration::from_secs(1);
/// A sign of life that took longer than this tells of a stalled database: others could not show themselves either.
const STALL: Duration = Duration::from_secs(1);
/// Longest wait for a sign of life to be written.
const PATIENCE: Duration = Duration::from_secs(3);

/// This process among the workers.
pub struct Registry {
    db: DatabaseConnection,
    hub: Hub,
    kinds: String,
    current: Mutex<Current>,
}

struct Current {
    id: Uuid,
    /// Its last sign of life.
    beaten: Instant,
    /// Nobody is judged before this time.
    trust_from: Instant,
    /// Nobody is judged after this time of the database's clock, in Unix milliseconds.
    trust_until: i64,
}

impl Registry {
    /// Enters this process. With `alone`, no other process can be working on these records: rows of earlier processes are
    /// removed, and their jobs are free at once (I9).
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn enter(db: DatabaseConnection, hub: Hub, kinds: &[job::Kind], alone: bool) -> Result<Self, DbErr> {
        if alone {
            in_time(Entity::delete_many().exec(&db)).await?;
        }
        let kinds = kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(",");
        let now = Instant::now();
        // The database may just have come back, and the others with it: they get the time to show themselves.
        let trust_from = if alone { now } else { now + lease() };
        let current = Mutex::new(Current { id: Uuid::now_v7(), beaten: now, trust_from, trust_until: 0 });
        let registry = Self { db, hub, kinds, current };
        let shown_at = in_time(registry.insert(registry.id())).await?;
        registry.shown(shown_at);
        Ok(registry)
    }

    /// This process's id at the moment.
    pub fn id(&self) -> Uuid {
        self.current.lock().id
    }

    /// Whether it has shown itself within the last lease. Who has not may be taken for dead already, and what it takes then
    /// would be lost with it.
    pub(crate) fn is_seen(&self) -> bool {
        self.current.lock().beaten.elapsed() < lease()
    }

    /// Until when, by the database's clock, others may be judged by their rows. `None` while, and shortly after, the
    /// database stood still, or this process did: the others had no chance to show themselves.
    fn may_judge(&self) -> Option<i64> {
        let current = self.current.lock();
        let steady = current.beaten.elapsed() < BEAT + STALL && Instant::now() >= current.trust_from;
        steady.then_some(current.trust_until)
    }

    /// Takes away the rows of processes that are dead. Answers how many.
    ///
    /// A database that stands still while it is asked, and goes on later, does not do what is asked then.
    pub(crate) async fn bury_the_dead(&self) -> Result<u64, DbErr> {
        let Some(until) = self.may_judge() else { return Ok(0) };
        let backend = self.db.get_database_backend();
        let dead = Entity::delete_many().filter(is_dead(backend)).filter(clock::now(backend).lte(until));
        Ok(in_time(dead.exec(&self.db)).await?.rows_affected)
    }

    /// It has shown itself at this time of the database's clock.
    fn shown(&self, at: i64) {
        let mut current = self.current.lock();
        current.beaten = Instant::now();
        current.trust_until = at + millis(BEAT + STALL);
    }

    /// Shows that this process lives. If others have given it up for dead, it stops what it has and enters anew.
    pub(crate) async fn beat(&self) {
        let began = Instant::now();
        let (id, late) = {
            let current = self.current.lock();
            (current.id, current.beaten.elapsed() > BEAT + STALL)
        };
        let renewed = within(PATIENCE, self.renew(id)).await;
        if late || began.elapsed() > STALL || renewed.is_err() {
            self.current.lock().trust_from = Instant::now() + lease();
        }
        match renewed {
            Ok(Some(at)) => self.shown(at),
            Ok(None) => self.enter_anew().await,
            Err(error) => tracing::warn!(error = %error, "this worker cannot show that it lives"),
        }
    }

    /// Renews a row. Answers when, by the database's clock; `None` when the row is no longer there.
    async fn renew(&self, id: Uuid) -> Result<Option<i64>, DbErr> {
        // In turn with everybody else: under load a single statement may find the file locked each time it looks.
        let tx = begin_write_first(&self.db).await?;
        Entity::update_many()
            .col_expr(Column::BeatAt, clock::now(self.db.get_database_backend()))
            .filter(Column::Id.eq(id))
            .exec(&*tx)
            .await?;
        let row = Entity::find_by_id(id).one(&*tx).await?;
        tx.commit().await?;
        Ok(row.map(|row| row.beat_at))
    }

    async fn enter_anew(&self) {
        tracing::warn!("this worker was taken for dead: its jobs are others' now");
        metrics::counter!("grok2api_worker_taken_for_dead_total").increment(1);
        let id = Uuid::now_v7();
        match within(PATIENCE, self.insert(id)).await {
            Ok(at) => {
                self.current.lock().id = id;
                self.shown(at);
            }
            Err(error) => tracing::warn!(error = %error, "this worker cannot enter again yet"),
        }
        // After the new id is in use: what was claimed under the old one meanwhile is stopped as well.
        self.hub.disown();
    }

    /// From now on it takes nothing more.
    pub(crate) async fn drain(&self) {
        let draining = ActiveModel { draining: Set(true), ..ActiveModel::default() };
        let update = Entity::update_many().set(draining).filter(Column::Id.eq(self.id()));
        if let Err(error) = within(STALL, update.exec(&self.db)).await {
            tracing::debug!(error = %error, "that this worker drains could not be written");
        }
    }

    /// Leaves: whatever it still had is free at once.
    pub(crate) async fn leave(&self) {
        if let Err(error) = within(STALL, Entity::delete_by_id(self.id()).exec(&self.db)).await {
            tracing::debug!(error = %error, "this worker's row stays until it is found dead");
        }
    }

    /// Enters a row. Answers when, by the database's clock.
    async fn insert(&self, id: Uuid) -> Result<i64, DbErr> {
        let backend = self.db.get_database_backend();
        let row = ActiveModel {
            id: Set(id),
            host: Set(host()),
            pid: Set(i64::from(std::process::id())),
            kinds: Set(self.kinds.clone()),
            started_at: Set(0),
            beat_at: Set(0),
            draining: Set(false),
            version: Set(Some(env!("CARGO_PKG_VERSION").to_owned())),
        };
        let tx = begin_write_first(&self.db).await?;
        Entity::insert(row).exec_without_returning(&*tx).await?;
        Entity::update_many()
            .col_expr(Column::StartedAt, clock::now(backend))
            .col_expr(Column::BeatAt, clock::now(backend))
            .filter(Column::Id.eq(id))
            .exec(&*tx)
            .await?;
        tx.commit().await?;
        Ok(self.renew(id).await?.unwrap_or_default())
    }
}

/// Whether a worker's row is out of date, as a condition on table `worker`.
pub(crate) fn is_dead(backend: DbBackend) -> Condition {
    let limit = clock::now(backend).sub(LEASE_MS);
    Condition::all().add(Expr::col((Entity, Column::BeatAt)).lt(limit))
}

fn lease() -> Duration {
    Duration::from_millis(LEASE_MS.unsigned_abs())
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().chars().take(255).collect()
}
