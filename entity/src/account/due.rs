//! Which accounts the upstream should be asked about: short lists found by an index, however large the pool is.

use std::collections::HashSet;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect,
    RelationTrait, Select,
};
use uuid::Uuid;

use super::{Column, Entity, Model, Status};
use crate::account_budget;

/// Units below which a budget counts as used up: the cost of a call of high effort.
const LOW: i64 = 4;

/// Accounts of a status that were last tested before `at`, those tested longest ago first.
///
/// # Errors
/// When the database does not answer.
pub async fn of_status_tested_before(
    db: &impl ConnectionTrait,
    status: Status,
    at: i64,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    tested_before(status, at).limit(limit).all(db).await
}

/// Accounts that were condemned before `at` and were not tested since, those tested longest ago first.
///
/// # Errors
/// When the database does not answer.
pub async fn expired_and_untested(db: &impl ConnectionTrait, at: i64, limit: u64) -> Result<Vec<Model>, DbErr> {
    let long_ago = Condition::any().add(Column::LastFailureAt.is_null()).add(Column::LastFailureAt.lt(at));
    tested_before(Status::Expired, at).filter(long_ago).limit(limit).all(db).await
}

fn tested_before(status: Status, at: i64) -> Select<Entity> {
    Entity::find()
        .filter(Column::Status.eq(status))
        .filter(Column::TestedAt.lt(at))
        .order_by_asc(Column::TestedAt)
        .order_by_asc(Column::Id)
}

/// Accounts in service with a budget that should be full, or usable, again since it was last read; none whose budgets
/// were asked for after that time, or, where no time is known, after `again_before`. Those due longest come first.
///
/// # Errors
/// When the database does not answer.
pub async fn with_budgets_to_read(
    db: &impl ConnectionTrait,
    now: i64,
    again_before: i64,
    limit: u64,
) -> Result<Vec<Uuid>, DbErr> {
    use account_budget::Column as Budget;

    let budget = |column: Budget| Expr::col((account_budget::Entity, column));
    let since = |due: Budget| {
        let not_asked = Expr::col((Entity, Column::QuotaAskedAt)).lt(budget(due));
        Condition::any().add(not_asked).add(Column::QuotaAskedAt.lt(again_before))
    };
    let full = in_service()
        .filter(Budget::ResetAt.lte(now))
        .filter(since(Budget::ResetAt))
        .order_by_asc(Budget::ResetAt)
        .limit(limit);
    let cooled = in_service()
        .filter(Budget::CoolingUntil.lte(now))
        .filter(budget(Budget::CoolingUntil).gt(budget(Budget::ReadAt)))
        .filter(since(Budget::CoolingUntil))
        .order_by_asc(Budget::CoolingUntil)
        .limit(limit);
    let unknown = in_service()
        .filter(Budget::ResetAt.is_null())
        .filter(Budget::Remaining.lt(LOW))
        .filter(Budget::ReadAt.lt(again_before))
        .filter(Column::QuotaAskedAt.lt(again_before))
        .limit(limit);
    let mut seen = HashSet::new();
    let mut due = Vec::new();
    for query in [full, cooled, unknown] {
        let ids: Vec<Uuid> = query.into_tuple().all(db).await?;
        due.extend(ids.into_iter().filter(|id| seen.insert(*id)));
    }
    due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(due)
}

/// Budgets of accounts that are in service, or will be by themselves.
fn in_service() -> Select<account_budget::Entity> {
    account_budget::Entity::find()
        .select_only()
        .column(account_budget::Column::AccountId)
        .join(JoinType::InnerJoin, account_budget::Relation::Account.def())
        .filter(Column::Status.is_in([Status::Active, Status::Cooling]))
}

/// Notes that these accounts were tested at `at`.
///
/// # Errors
/// When the database refuses.
pub async fn mark_tested(db: &impl ConnectionTrait, ids: &[Uuid], at: i64) -> Result<(), DbErr> {
    mark(db, ids, Column::TestedAt, at).await
}

/// Notes that the budgets of these accounts were asked for at `at`.
///
/// # Errors
/// When the database refuses.
pub async fn mark_quota_asked(db: &impl ConnectionTrait, ids: &[Uuid], at: i64) -> Result<(), DbErr> {
    mark(db, ids, Column::QuotaAskedAt, at).await
}

async fn mark(db: &impl ConnectionTrait, ids: &[Uuid], column: Column, at: i64) -> Result<(), DbErr> {
    if ids.is_empty() {
        return Ok(());
    }
    let mark = Entity::update_many().col_expr(column, Expr::value(at)).filter(Column::Id.is_in(ids.iter().copied()));
    mark.exec(db).await.map(drop)
}
