//! Table `request_log`: one row per answered request.

use sea_orm::entity::prelude::*;

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
    /// The model it named; empty when it named none.
    pub model: String,
    /// Id of the client key.
    pub owner: String,
    /// HTTP status of the answer.
    pub status: i32,
    /// What went wrong, also after a status of 200.
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
