//! Accounts as a list shows them: without their credentials, and with as few columns as that takes.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use super::load::budgets_between;
use super::{Column, Entity, Kind, Status};
use crate::account_budget;

/// An account without its credential. All times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Summary {
    /// Its id.
    pub id: Uuid,
    /// What its credential gives access to.
    pub kind: Kind,
    /// Last four characters of the credential, or nothing.
    pub hint: String,
    /// Whether it may be used.
    pub status: Status,
    /// When a cooling account may be used again.
    pub status_until: Option<i64>,
    /// Labels; see [`decode_tags`](super::decode_tags).
    pub tags: String,
    /// Free text of the operator.
    pub note: String,
    /// When it was first known.
    pub created_at: i64,
}

/// Where a page of a list begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// After the account of this id.
    After(Uuid),
    /// After so many accounts from the beginning.
    Skip(u64),
}

/// The accounts of a kind with their budgets, oldest first, at most `limit`; an empty list is the end.
///
/// # Errors
/// When the database does not answer.
pub async fn summaries(
    db: &impl ConnectionTrait,
    kind: Kind,
    start: Start,
    limit: u64,
) -> Result<Vec<(Summary, Vec<account_budget::Model>)>, DbErr> {
    let columns = [
        Column::Id,
        Column::Kind,
        Column::Hint,
        Column::Status,
        Column::StatusUntil,
        Column::Tags,
        Column::Note,
        Column::CreatedAt,
    ];
    let mut query = Entity::find().select_only().columns(columns).filter(Column::Kind.eq(kind));
    match start {
        Start::After(id) => query = query.filter(Column::Id.gt(id)),
        Start::Skip(0) => {}
        Start::Skip(accounts) => query = query.offset(accounts),
    }
    let rows: Vec<Summary> = query.order_by_asc(Column::Id).limit(limit).into_model().all(db).await?;
    budgets_between(db, rows, |row| row.id).await
}
