//! Table `job_attempt`: each upstream call that a job made.

use sea_orm::entity::prelude::*;

/// One row. All times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job_attempt")]
pub struct Model {
    /// The job.
    #[sea_orm(primary_key, auto_increment = false)]
    pub job_id: Uuid,
    /// The job's epoch when the call was made.
    #[sea_orm(primary_key, auto_increment = false)]
    pub epoch: i64,
    /// Position among the calls of this epoch, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i32,
    /// The account that was used.
    pub account_id: Uuid,
    /// When the call was about to leave.
    pub started_at: i64,
    /// When its outcome was known; `None` while it runs, or for ever when its worker died.
    pub finished_at: Option<i64>,
    /// `ok`, or why it failed.
    pub outcome: Option<String>,
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
