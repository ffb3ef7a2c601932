//! Table `request_log`: one row per answered request.

use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect};

/// One row. All times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "request_log")]
pub struct Model {
    /// Version 7: sorts by time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// When the request came.
    pub at: i64,
    /// The id that went back in `x-request-id`.
    pub request_id: String,
    /// The path it was sent to, as a template.
    pub endpoint: String,
    /// The model it named, `unknown` when it named none of the table.
    pub model: String,
    /// Id of the client key.
    pub owner: String,
    /// HTTP status of the answer.
    pub status: i32,
    /// What went wrong, also after a status of 200; `client_gone` when the client did not wait for the end.
    pub error_code: Option<String>,
    /// Whether the answer was a stream.
    pub streamed: bool,
    /// Upstream calls made for it.
    pub attempts: i32,
    /// The account that served it.
    pub account_id: Option<Uuid>,
    /// Estimated.
    pub prompt_tokens: i64,
    /// Estimated; reasoning included.
    pub completion_tokens: i64,
    /// Estimated.
    pub reasoning_tokens: i64,
    /// Pictures delivered.
    pub images: i32,
    /// Videos delivered.
    pub videos: i32,
    /// From the request to the first event, in milliseconds.
    pub first_ms: Option<i64>,
    /// From the request to the end of the answer, in milliseconds.
    pub total_ms: i64,
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Most rows that one insert may carry: `SQLite` takes 32 766 values in a statement.
pub const MAX_ROWS: usize = 1_000;

/// Writes new rows, at most [`MAX_ROWS`].
///
/// # Errors
/// When the database refuses, or one of the ids is stored already: then nothing is written.
pub async fn insert(db: &impl ConnectionTrait, rows: &[Model]) -> Result<(), DbErr> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows = rows.iter().cloned().map(ActiveModel::from);
    Entity::insert_many(rows).exec_without_returning(db).await?;
    Ok(())
}

/// Whether the row of that id is stored.
///
/// # Errors
/// When the database does not answer.
pub async fn exists(db: &impl ConnectionTrait, id: Uuid) -> Result<bool, DbErr> {
    let found: Option<Uuid> = Entity::find_by_id(id).select_only().column(Column::Id).into_tuple().one(db).await?;
    Ok(found.is_some())
}

/// Deletes up to `limit` of the oldest rows from before `at`; returns how many were deleted.
///
/// # Errors
/// When the database refuses.
pub async fn delete_before(db: &impl ConnectionTrait, at: i64, limit: u64) -> Result<u64, DbErr> {
    // Two statements: not every database takes a limit in a DELETE, or a subquery on the same table.
    let ids: Vec<Uuid> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::At.lt(at))
        .order_by_asc(Column::At)
        .order_by_asc(Column::Id)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await?;
    if ids.is_empty() {
        return Ok(0);
    }
    Ok(Entity::delete_many().filter(Column::Id.is_in(ids)).exec(db).await?.rows_affected)
}
