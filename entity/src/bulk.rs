//! Table `bulk`: work on many accounts at once. Its id is that of the job that carries it out.

use sea_orm::entity::prelude::*;

use crate::account;
use crate::job::Kind;

/// One row. All times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "bulk")]
pub struct Model {
    /// Id of its job; version 7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What is done with each account.
    pub kind: Kind,
    /// How it stands.
    pub state: State,
    /// What it needs to know, as JSON ([`crate::bulk_item`] has what is secret).
    #[sea_orm(column_type = "Text")]
    pub params: String,
    /// The last account that was come to, where accounts are taken by a filter.
    pub cursor: Option<Uuid>,
    /// Accounts it is about, as they were counted at the beginning.
    pub total: i64,
    /// Accounts that are done, well or not.
    pub done: i64,
    /// Of these, those that failed.
    pub failed: i64,
    /// When it was asked for.
    pub created_at: i64,
    /// When it came to its end.
    pub finished_at: Option<i64>,
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(12))")]
pub enum State {
    /// Not at its end.
    #[sea_orm(string_value = "open")]
    Open,
    /// Done.
    #[sea_orm(string_value = "completed")]
    Completed,
    /// Ended by the operator.
    #[sea_orm(string_value = "cancelled")]
    Cancelled,
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Deletes up to `limit` of the oldest rows that were made before `at`, with what hangs on them; returns how many.
///
/// # Errors
/// When the database refuses; give it a transaction, so that then nothing has changed.
pub async fn delete_before(db: &impl ConnectionTrait, at: i64, limit: u64) -> Result<u64, DbErr> {
    use sea_orm::{QueryOrder, QuerySelect};

    let old = Entity::find().filter(Column::CreatedAt.lt(at)).order_by_asc(Column::CreatedAt).limit(limit);
    let old: Vec<Uuid> = old.all(db).await?.iter().map(|bulk| bulk.id).collect();
    if old.is_empty() {
        return Ok(0);
    }
    let items = crate::bulk_item::Entity::delete_many();
    items.filter(crate::bulk_item::Column::BulkId.is_in(old.iter().copied())).exec(db).await?;
    Ok(Entity::delete_many().filter(Column::Id.is_in(old)).exec(db).await?.rows_affected)
}

/// The next accounts that a filter means, after the one that was come to, at most `limit`, in the order of their ids.
///
/// # Errors
/// When the database does not answer.
pub async fn next_accounts(
    db: &impl ConnectionTrait,
    wanted: &account::Search,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Uuid>, DbErr> {
    account::search_ids(db, wanted, after, limit, crate::clock::read(db).await?).await
}

/// The latest works before `before`, latest first, at most `limit`.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    db: &impl ConnectionTrait,
    state: Option<State>,
    before: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    use sea_orm::{QueryOrder, QuerySelect};

    let mut query = Entity::find().order_by_desc(Column::Id).limit(limit);
    if let Some(state) = state {
        query = query.filter(Column::State.eq(state));
    }
    if let Some(before) = before {
        query = query.filter(Column::Id.lt(before));
    }
    query.all(db).await
}
