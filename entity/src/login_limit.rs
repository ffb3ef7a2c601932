//! Table `login_limit`: how often one may try to log in, for all processes together.
//!
//! A row holds the time at which its attempts would be used up if they came one every so often: the generic cell rate
//! algorithm, which needs one number and one statement.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, OnConflict};

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "login_limit")]
pub struct Model {
    /// Whose attempts are counted: an address, a device, everybody.
    #[sea_orm(primary_key, auto_increment = false)]
    pub scope: String,
    /// Unix milliseconds at which all attempts are free again.
    pub due_at: i64,
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Milliseconds after which one more attempt is free.
    pub every_ms: i64,
    /// Attempts at once.
    pub burst: i64,
}

/// Takes an attempt of `scope` at the time `now`, in Unix milliseconds; what is wrong is the time to wait, in milliseconds.
///
/// # Errors
/// When the database refuses.
pub async fn take(db: &impl ConnectionTrait, scope: &str, rate: Rate, now: i64) -> Result<Result<(), i64>, DbErr> {
    let room = rate.every_ms * (rate.burst - 1);
    let first = ActiveModel { scope: Set(scope.to_owned()), due_at: Set(now) };
    let keep = OnConflict::column(Column::Scope).do_nothing_on([Column::Scope]).to_owned();
    Entity::insert(first).on_conflict(keep).exec_without_returning(db).await?;
    let due = Expr::col(Column::DueAt);
    let begin = Expr::case(due.clone().gt(now), due.clone()).finally(now);
    let taken = Entity::update_many()
        .col_expr(Column::DueAt, Expr::expr(begin).add(rate.every_ms))
        .filter(Column::Scope.eq(scope))
        .filter(Column::DueAt.lte(now + room))
        .exec(db)
        .await?;
    if taken.rows_affected == 1 {
        return Ok(Ok(()));
    }
    let due = Entity::find_by_id(scope.to_owned()).one(db).await?.map_or(now, |row| row.due_at);
    Ok(Err(Ord::max(due - room - now, 1)))
}

/// Gives an attempt back: it was none.
///
/// # Errors
/// When the database refuses.
pub async fn give_back(db: &impl ConnectionTrait, scope: &str, rate: Rate) -> Result<(), DbErr> {
    let change = Entity::update_many().col_expr(Column::DueAt, Expr::col(Column::DueAt).sub(rate.every_ms));
    change.filter(Column::Scope.eq(scope)).exec(db).await.map(drop)
}

/// Forgets the scopes that have all their attempts.
///
/// # Errors
/// When the database refuses.
pub async fn delete_free(db: &impl ConnectionTrait, now: i64) -> Result<u64, DbErr> {
    Ok(Entity::delete_many().filter(Column::DueAt.lt(now)).exec(db).await?.rows_affected)
}
