//! Looking accounts up, and taking them away.

use std::collections::HashSet;

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::load::with_budgets;
use super::{Column, Entity, Kind, Loaded, Model, Status};

/// Values asked for in one statement.
const BATCH: usize = 1000;
/// Most rows of one page (H8).
const MAX_PAGE: u64 = 200;

/// Which accounts are meant; nothing set means all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this kind.
    pub kind: Option<Kind>,
    /// Only this status.
    pub status: Option<Status>,
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page {
    /// The accounts with their budgets, oldest first.
    pub rows: Vec<Loaded>,
    /// The id to continue after; `None` on the last page.
    pub next: Option<Uuid>,
}

/// The account of that id.
///
/// # Errors
/// When the database does not answer.
pub async fn find(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// The account that has one of these fingerprints: those of one credential under every live key.
///
/// # Errors
/// When the database does not answer.
pub async fn find_by_fingerprints(db: &impl ConnectionTrait, fingerprints: &[String]) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::Fingerprint.is_in(fingerprints)).one(db).await
}

/// Those of `fingerprints` that an account has.
///
/// # Errors
/// When the database does not answer.
pub async fn known_fingerprints(db: &impl ConnectionTrait, fingerprints: &[String]) -> Result<HashSet<String>, DbErr> {
    let mut known = HashSet::new();
    for batch in fingerprints.chunks(BATCH) {
        let query = Entity::find().select_only().column(Column::Fingerprint);
        let found: Vec<String> = query.filter(Column::Fingerprint.is_in(batch)).into_tuple().all(db).await?;
        known.extend(found);
    }
    Ok(known)
}

/// A page of accounts after the id `after`, at most `limit` (and never more than 200).
///
/// # Errors
/// When the database does not answer.
pub async fn list(db: &impl ConnectionTrait, filter: Filter, after: Option<Uuid>, limit: u64) -> Result<Page, DbErr> {
    let limit = limit.clamp(1, MAX_PAGE);
    let mut query = Entity::find().order_by_asc(Column::Id).limit(limit + 1);
    if let Some(kind) = filter.kind {
        query = query.filter(Column::Kind.eq(kind));
    }
    if let Some(status) = filter.status {
        query = query.filter(Column::Status.eq(status));
    }
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    let mut rows = query.all(db).await?;
    let is_last = rows.len() as u64 <= limit;
    if !is_last {
        rows.pop();
    }
    let next = if is_last { None } else { rows.last().map(|row| row.id) };
    Ok(Page { rows: with_budgets(db, rows).await?, next })
}

/// How many accounts fit the filter.
///
/// # Errors
/// When the database does not answer.
pub async fn count(db: &impl ConnectionTrait, filter: Filter) -> Result<u64, DbErr> {
    let mut query = Entity::find();
    if let Some(kind) = filter.kind {
        query = query.filter(Column::Kind.eq(kind));
    }
    if let Some(status) = filter.status {
        query = query.filter(Column::Status.eq(status));
    }
    query.count(db).await
}

/// Takes an account and its budgets away; `false` when there was none of that id.
///
/// # Errors
/// When the database refuses.
pub async fn delete(db: &impl ConnectionTrait, id: Uuid) -> Result<bool, DbErr> {
    let deleted = Entity::delete_by_id(id).exec(db).await?;
    Ok(deleted.rows_affected == 1)
}
