//! Table `job`: every durable unit of work and how far it is.

use sea_orm::entity::prelude::*;

/// One row. All times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
pub struct Model {
    /// Version 7: sorts by time of creation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What is to be done.
    pub kind: Kind,
    /// How it stands.
    pub state: State,
    /// How far its work has come; kept when another worker takes over.
    pub step: Step,
    /// Counts the changes of hands. Whoever writes names the epoch it was given (I2).
    pub epoch: i64,
    /// Workers that died over it since its last step.
    pub crashes: i32,
    /// Times it was tried again after an error.
    pub tries: i32,
    /// Percent, 0 to 100.
    pub progress: i32,
    /// What it needs to know, as JSON; ids, no secrets, no content.
    #[sea_orm(column_type = "Text")]
    pub args: String,
    /// Who asked for it: id of a client key; empty for the gateway itself.
    pub owner: String,
    /// The picture or video request it belongs to.
    pub generation_id: Option<Uuid>,
    /// The worker process that has it.
    pub holder: Option<Uuid>,
    /// The account of its latest upstream call.
    pub account_id: Option<Uuid>,
    /// What the upstream calls it.
    pub upstream_id: Option<String>,
    /// Not before this time.
    pub run_at: i64,
    /// Given up after this time.
    pub deadline_at: i64,
    /// Why it failed, from the list of [`crate::failure::Code`].
    pub error_code: Option<String>,
    /// The same in words, fit for the client.
    #[sea_orm(column_type = "Text", nullable)]
    pub error_message: Option<String>,
    /// When it was accepted.
    pub created_at: i64,
    /// When a worker first took it.
    pub started_at: Option<i64>,
    /// When it came to its end.
    pub finished_at: Option<i64>,
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum Kind {
    /// Draws or edits pictures: one upstream call.
    #[sea_orm(string_value = "generate_image")]
    GenerateImage,
    /// Films a video: one upstream call.
    #[sea_orm(string_value = "generate_video")]
    GenerateVideo,
    /// Fetches one asset into the store.
    #[sea_orm(string_value = "cache_media")]
    CacheMedia,
    /// Keeps the store within its limits.
    #[sea_orm(string_value = "sweep_media")]
    SweepMedia,
    /// Asks the upstream about accounts that are suspect or were not heard of for long.
    #[sea_orm(string_value = "token_test")]
    TokenTest,
    /// Reads budgets that should be full again.
    #[sea_orm(string_value = "quota_reset")]
    QuotaReset,
    /// Sums up the use by day.
    #[sea_orm(string_value = "stats_rollup")]
    StatsRollup,
    /// Tests many accounts.
    #[sea_orm(string_value = "bulk_test")]
    BulkTest,
    /// Adds many accounts.
    #[sea_orm(string_value = "bulk_import")]
    BulkImport,
    /// Takes many accounts away.
    #[sea_orm(string_value = "bulk_delete")]
    BulkDelete,
    /// Changes the labels of many accounts.
    #[sea_orm(string_value = "bulk_tag")]
    BulkTag,
    /// Switches many accounts on.
    #[sea_orm(string_value = "bulk_enable")]
    BulkEnable,
    /// Switches many accounts off.
    #[sea_orm(string_value = "bulk_disable")]
    BulkDisable,
}

impl Kind {
    /// The name as it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GenerateImage => "generate_image",
            Self::GenerateVideo => "generate_video",
            Self::CacheMedia => "cache_media",
            Self::SweepMedia => "sweep_media",
            Self::TokenTest => "token_test",
            Self::QuotaReset => "quota_reset",
            Self::StatsRollup => "stats_rollup",
            Self::BulkTest => "bulk_test",
            Self::BulkImport => "bulk_import",
            Self::BulkDelete => "bulk_delete",
            Self::BulkTag => "bulk_tag",
            Self::BulkEnable => "bulk_enable",
            Self::BulkDisable => "bulk_disable",
        }
    }
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum State {
    /// Waits for a worker.
    #[sea_orm(string_value = "queued")]
    Queued,
    /// A worker has it.
    #[sea_orm(string_value = "running")]
    Running,
    /// Done.
    #[sea_orm(string_value = "completed")]
    Completed,
    /// Given up; `error_code` says why.
    #[sea_orm(string_value = "failed")]
    Failed,
    /// Its owner no longer wants it.
    #[sea_orm(string_value = "cancelled")]
    Cancelled,
}

impl State {
    /// The name as it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How far the work has come. Decides what a worker that takes over may do (I3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum Step {
    /// Nothing was sent upstream.
    #[sea_orm(string_value = "start")]
    Start,
    /// A paid call may have left; whether it arrived is unknown until the next step.
    #[sea_orm(string_value = "sending")]
    Sending,
    /// The upstream has begun to answer.
    #[sea_orm(string_value = "submitted")]
    Submitted,
    /// The results are known; their bytes are being fetched.
    #[sea_orm(string_value = "archiving")]
    Archiving,
}

impl Step {
    /// The name as it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Sending => "sending",
            Self::Submitted => "submitted",
            Self::Archiving => "archiving",
        }
    }
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
