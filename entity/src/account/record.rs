//! Writing down what became of accounts while they were used.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{Column, Entity, Status};

/// What an account's state became. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// The account.
    pub id: Uuid,
    /// Whether it may be used.
    pub status: Status,
    /// Why it may not be used.
    pub status_reason: Option<String>,
    /// When a cooling account may be used again.
    pub status_until: Option<i64>,
    /// Failures in a row.
    pub failed_count: i32,
    /// When it failed last.
    pub last_failure_at: Option<i64>,
    /// How it failed last.
    pub last_failure_reason: Option<String>,
    /// How often it was used since the last record: added to the stored number.
    pub uses: i64,
    /// When it was used last.
    pub last_used_at: Option<i64>,
    /// When the change was made.
    pub updated_at: i64,
}

/// Writes state changes; returns how many accounts were still there. A deleted account stays deleted (F54).
///
/// An account the operator disabled stays disabled, whatever the traffic says.
///
/// # Errors
/// When the database refuses; give it a transaction, so that then nothing has changed.
pub async fn record_states(db: &impl ConnectionTrait, changes: &[StateChange]) -> Result<u64, DbErr> {
    let mut recorded = 0;
    for change in changes {
        let found = if change.status == Status::Disabled {
            write(db, change, WriteStatus::Yes).await?
        } else {
            // Two statements instead of a CASE per column: disabled rows are rare and the second hardly ever runs.
            match write(db, change, WriteStatus::UnlessDisabled).await? {
                0 => write(db, change, WriteStatus::No).await?,
                found => found,
            }
        };
        recorded += found;
    }
    Ok(recorded)
}

/// Whether the status columns are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WriteStatus {
    Yes,
    UnlessDisabled,
    No,
}

async fn write(db: &impl ConnectionTrait, change: &StateChange, status: WriteStatus) -> Result<u64, DbErr> {
    let mut update = Entity::update_many()
        .col_expr(Column::FailedCount, Expr::value(change.failed_count))
        .col_expr(Column::LastFailureAt, Expr::value(change.last_failure_at))
        .col_expr(Column::LastFailureReason, Expr::value(change.last_failure_reason.clone()))
        .col_expr(Column::UseCount, Expr::col(Column::UseCount).add(change.uses))
        .col_expr(Column::LastUsedAt, Expr::value(change.last_used_at))
        .col_expr(Column::UpdatedAt, Expr::value(change.updated_at))
        .filter(Column::Id.eq(change.id));
    if status != WriteStatus::No {
        update = update
            .col_expr(Column::Status, Expr::value(change.status))
            .col_expr(Column::StatusReason, Expr::value(change.status_reason.clone()))
            .col_expr(Column::StatusUntil, Expr::value(change.status_until));
    }
    if status == WriteStatus::UnlessDisabled {
        update = update.filter(Column::Status.ne(Status::Disabled));
    }
    Ok(update.exec(db).await?.rows_affected)
}
