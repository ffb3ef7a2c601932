//! Table `gauge_minute`: how the pool and the queue stood, minute by minute.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, OnConflict};
use sea_orm::{Condition, QueryOrder, QuerySelect, Statement};

use crate::account::Standings;

/// Milliseconds from one row to the next.
pub const EVERY_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;

/// One row. All times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "gauge_minute")]
pub struct Model {
    /// The begin of its minute.
    #[sea_orm(primary_key, auto_increment = false)]
    pub at: i64,
    /// Accounts in service with something left.
    pub accounts_active: i64,
    /// Accounts in service of which nothing is known yet.
    pub accounts_unused: i64,
    /// Accounts that have nothing left.
    pub accounts_limited: i64,
    /// Accounts that rest after a refusal.
    pub accounts_cooling: i64,
    /// Accounts that the upstream refuses.
    pub accounts_expired: i64,
    /// Accounts that the operator switched off.
    pub accounts_disabled: i64,
    /// Jobs that wait.
    pub queued: i64,
    /// Jobs that a worker has.
    pub running: i64,
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// How things stand at `now`, Unix milliseconds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn take(db: &impl ConnectionTrait, now: i64) -> Result<Self, DbErr> {
        let accounts = Standings::count(db, now).await?;
        let (queued, running) = jobs(db).await?;
        Ok(Self {
            at: now - now.rem_euclid(EVERY_MS),
            accounts_active: accounts.active,
            accounts_unused: accounts.unused,
            accounts_limited: accounts.limited,
            accounts_cooling: accounts.cooling,
            accounts_expired: accounts.expired,
            accounts_disabled: accounts.disabled,
            queued,
            running,
        })
    }
}

/// Jobs that wait, and jobs that run.
async fn jobs(db: &impl ConnectionTrait) -> Result<(i64, i64), DbErr> {
    let sql = "SELECT state, COUNT(*) AS jobs FROM job WHERE state IN ('queued', 'running') GROUP BY state";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let mut counts = (0, 0);
    for row in rows {
        let state: String = row.try_get("", "state")?;
        let jobs: i64 = row.try_get("", "jobs")?;
        if state == "queued" { counts.0 = jobs } else { counts.1 = jobs }
    }
    Ok(counts)
}

/// Writes down how things stand now, unless somebody has done so in this minute; returns whether this did.
///
/// # Errors
/// When the database does not answer or refuses.
pub async fn record(db: &impl ConnectionTrait, now: i64) -> Result<bool, DbErr> {
    if Entity::find_by_id(now - now.rem_euclid(EVERY_MS)).one(db).await?.is_some() {
        return Ok(false);
    }
    let row = Model::take(db, now).await?;
    let keep = OnConflict::column(Column::At).do_nothing_on([Column::At]).to_owned();
    let written = Entity::insert(ActiveModel::from(row)).on_conflict(keep).exec_without_returning(db).await?;
    Ok(written == 1)
}

/// The rows from `from` to before `to` whose time is a multiple of `step_ms`, in order.
///
/// # Errors
/// When the database does not answer.
pub async fn between(db: &impl ConnectionTrait, from: i64, to: i64, step_ms: i64) -> Result<Vec<Model>, DbErr> {
    let query = Entity::find().filter(Column::At.gte(from)).filter(Column::At.lt(to));
    query.filter(Expr::col(Column::At).modulo(step_ms).eq(0)).order_by_asc(Column::At).all(db).await
}

/// Deletes up to `limit` rows: those from before `minutes`, but for the first of each hour, and all from before `hours`.
/// Returns how many.
///
/// # Errors
/// When the database refuses.
pub async fn delete_before(db: &impl ConnectionTrait, minutes: i64, hours: i64, limit: u64) -> Result<u64, DbErr> {
    let within = Expr::col(Column::At).modulo(HOUR_MS).ne(0);
    let old = Condition::any().add(Column::At.lt(hours)).add(Condition::all().add(Column::At.lt(minutes)).add(within));
    let times: Vec<i64> = Entity::find()
        .select_only()
        .column(Column::At)
        .filter(old)
        .order_by_asc(Column::At)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await?;
    if times.is_empty() {
        return Ok(0);
    }
    Ok(Entity::delete_many().filter(Column::At.is_in(times)).exec(db).await?.rows_affected)
}
