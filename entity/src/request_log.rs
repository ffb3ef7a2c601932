//! Table `request_log`: one row per answered request.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{Condition, QueryOrder, QuerySelect};

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

/// Rows that are looked at for one page, whatever is asked for: a filter that fits little must not read everything.
const LOOKED_AT: u64 = 20_000;

/// Which requests are wanted; what is not set does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only for this model.
    pub model: Option<String>,
    /// Only of this client key, by its id.
    pub owner: Option<String>,
    /// Only to this path, as a template.
    pub endpoint: Option<String>,
    /// Only with a status from the first to the second, both included.
    pub status: Option<(i32, i32)>,
    /// Only those that ended so.
    pub outcome: Option<Ended>,
    /// Only with this error code.
    pub error_code: Option<String>,
    /// Only those that this account served.
    pub account_id: Option<Uuid>,
    /// Only with this id in `x-request-id`.
    pub request_id: Option<String>,
    /// Only those that came at this time or later, in Unix milliseconds.
    pub from: Option<i64>,
    /// Only those that came before this time, in Unix milliseconds.
    pub to: Option<i64>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Well.
    Well,
    /// With an error of ours or of the upstream.
    Badly,
    /// Its client did not wait for the end.
    Gone,
}

/// Where a page begins: after the request of that time and id.
pub type After = (i64, Uuid);

/// A page of requests, the latest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Those that fit.
    pub rows: Vec<Model>,
    /// Where to go on; `None` when everything was looked at. A page may be empty and yet have more behind it.
    pub next: Option<After>,
}

impl Filter {
    fn condition(&self) -> Condition {
        let text = |column: Column, value: &Option<String>| value.as_ref().map(|value| column.eq(value.as_str()));
        Condition::all()
            .add_option(text(Column::Model, &self.model))
            .add_option(text(Column::Owner, &self.owner))
            .add_option(text(Column::Endpoint, &self.endpoint))
            .add_option(text(Column::ErrorCode, &self.error_code))
            .add_option(text(Column::RequestId, &self.request_id))
            .add_option(self.account_id.map(|id| Column::AccountId.eq(id)))
            .add_option(self.status.map(|(from, to)| Column::Status.between(from, to)))
            .add_option(self.outcome.map(|ended| match ended {
                Ended::Well => Column::ErrorCode.is_null(),
                Ended::Badly => Column::ErrorCode.is_not_null().and(Column::ErrorCode.ne(GONE)),
                Ended::Gone => Column::ErrorCode.eq(GONE),
            }))
    }

    /// Bounds in time, by which the index is walked.
    fn window(&self, after: Option<After>) -> Condition {
        Condition::all()
            .add_option(self.from.map(|from| Column::At.gte(from)))
            .add_option(self.to.map(|to| Column::At.lt(to)))
            .add_option(after.map(|(at, _)| Column::At.lte(at)))
            .add_option(after.map(|(at, id)| Column::At.lt(at).or(Column::Id.lt(id))))
    }
}

/// The error code of a request whose client did not wait for the end.
const GONE: &str = "client_gone";

/// The request of that id.
///
/// # Errors
/// When the database does not answer.
pub async fn find(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// The latest requests that fit, at most `limit`, among the next 20,000.
///
/// # Errors
/// When the database does not answer.
pub async fn page(db: &impl ConnectionTrait, filter: &Filter, after: Option<After>, limit: u64) -> Result<Page, DbErr> {
    let walk = || Entity::find().filter(filter.window(after)).order_by_desc(Column::At).order_by_desc(Column::Id);
    // Where looking ends, so that the second statement reads a bounded piece of the index.
    let edge: Option<After> = walk()
        .select_only()
        .columns([Column::At, Column::Id])
        .offset(LOOKED_AT - 1)
        .limit(1)
        .into_tuple()
        .one(db)
        .await?;
    let mut query = walk().filter(filter.condition()).limit(limit + 1);
    if let Some((at, id)) = edge {
        query = query.filter(Column::At.gte(at)).filter(Column::At.gt(at).or(Column::Id.gte(id)));
    }
    let mut rows = query.all(db).await?;
    let is_full = rows.len() as u64 > limit;
    if is_full {
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    let last = rows.last().map(|row| (row.at, row.id));
    Ok(Page { next: if is_full { last } else { edge }, rows })
}
