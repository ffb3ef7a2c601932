//! Table `usage_hour`: use of each model by each client key, hour by hour.

use sea_orm::DbBackend;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, ExprTrait, Func, OnConflict, SimpleExpr};

/// One row. All times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "usage_hour")]
pub struct Model {
    /// Begin of the hour.
    #[sea_orm(primary_key, auto_increment = false)]
    pub hour: i64,
    /// The model.
    #[sea_orm(primary_key, auto_increment = false)]
    pub model: String,
    /// Id of the client key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner: String,
    /// Requests answered, well or not.
    pub requests: i64,
    /// Of these, with an error.
    pub errors: i64,
    /// Estimated.
    pub prompt_tokens: i64,
    /// Estimated; reasoning included.
    pub completion_tokens: i64,
    /// Estimated.
    pub reasoning_tokens: i64,
    /// Pictures delivered.
    pub images: i64,
    /// Videos made, in the hour in which they were done.
    pub videos: i64,
    /// Sum of the times to the first event, in milliseconds.
    pub first_ms: i64,
    /// Requests that this sum counts.
    pub firsts: i64,
    /// Sum of the whole times, in milliseconds.
    pub total_ms: i64,
}

impl Model {
    /// The row of an hour in which nothing happened yet.
    pub fn empty(hour: i64, model: &str, owner: &str) -> Self {
        Self {
            hour,
            model: model.to_owned(),
            owner: owner.to_owned(),
            requests: 0,
            errors: 0,
            prompt_tokens: 0,
            completion_tokens: 0,
            reasoning_tokens: 0,
            images: 0,
            videos: 0,
            first_ms: 0,
            firsts: 0,
            total_ms: 0,
        }
    }
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The begin of the hour that a time belongs to, both in Unix milliseconds.
pub fn hour_of(at: i64) -> i64 {
    at - at.rem_euclid(3_600_000)
}

/// The columns that add up.
const SUMS: [Column; 10] = [
    Column::Requests,
    Column::Errors,
    Column::PromptTokens,
    Column::CompletionTokens,
    Column::ReasoningTokens,
    Column::Images,
    Column::Videos,
    Column::FirstMs,
    Column::Firsts,
    Column::TotalMs,
];

/// Adds figures to what is stored; each hour, model and owner may come once.
///
/// Rows are written in the order of their keys, so that writers wait for one another in turn.
///
/// # Errors
/// When the database refuses; nothing is added then.
pub async fn add(db: &impl ConnectionTrait, rows: &[Model]) -> Result<(), DbErr> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut rows = rows.to_vec();
    rows.sort_by(|one, other| (one.hour, &one.model, &one.owner).cmp(&(other.hour, &other.model, &other.owner)));
    let backend = db.get_database_backend();
    let mut sums = OnConflict::columns([Column::Hour, Column::Model, Column::Owner]);
    for column in SUMS {
        sums.value(column, Expr::col((Entity, column)).add(incoming(backend, column)));
    }
    let rows = rows.into_iter().map(ActiveModel::from);
    Entity::insert_many(rows).on_conflict(sums).exec_without_returning(db).await?;
    Ok(())
}

/// The value that the row to be inserted has.
fn incoming(backend: DbBackend, column: Column) -> SimpleExpr {
    match backend {
        DbBackend::MySql => Func::cust("VALUES").arg(Expr::col(column)).into(),
        _ => Expr::col((Alias::new("excluded"), column)),
    }
}
