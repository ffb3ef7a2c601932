//! Table `usage_hour`: use of each model by each client key, hour by hour.

use sea_orm::entity::prelude::*;

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
    /// Videos delivered.
    pub videos: i64,
    /// Sum of the times to the first event, in milliseconds.
    pub first_ms: i64,
    /// Requests that this sum counts.
    pub firsts: i64,
    /// Sum of the whole times, in milliseconds.
    pub total_ms: i64,
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
