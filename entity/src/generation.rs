//! Table `generation`: each request for pictures or a video, and what came of it.

use sea_orm::entity::prelude::*;

/// One row. All times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "generation")]
pub struct Model {
    /// Version 7: sorts by time of creation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The id that clients see, such as `video_…`.
    #[sea_orm(unique)]
    pub public_id: String,
    /// What was asked for.
    pub kind: Kind,
    /// The model, as the client named it.
    pub model: String,
    /// Id of the client key that asked.
    pub owner: String,
    /// What to draw or film.
    #[sea_orm(column_type = "Text")]
    pub prompt: String,
    /// The other parameters as JSON; uploaded pictures by the ids of their assets.
    #[sea_orm(column_type = "Text")]
    pub request: String,
    /// How it stands.
    pub state: State,
    /// Percent, 0 to 100.
    pub progress: i32,
    /// Jobs of it that are not at their end.
    pub pending: i32,
    /// Why it failed, from the list of [`crate::failure::Code`].
    pub error_code: Option<String>,
    /// The same in words, fit for the client.
    #[sea_orm(column_type = "Text", nullable)]
    pub error_message: Option<String>,
    /// When it was accepted.
    pub created_at: i64,
    /// When it came to its end.
    pub completed_at: Option<i64>,
    /// When its owner deleted it; nobody sees it after that.
    pub deleted_at: Option<i64>,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum Kind {
    /// Pictures from words.
    #[sea_orm(string_value = "image")]
    Image,
    /// Pictures from pictures and words.
    #[sea_orm(string_value = "edit")]
    Edit,
    /// A video.
    #[sea_orm(string_value = "video")]
    Video,
}

impl Kind {
    /// The name as it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Edit => "edit",
            Self::Video => "video",
        }
    }
}

/// How a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum State {
    /// No worker has begun.
    #[sea_orm(string_value = "queued")]
    Queued,
    /// Some work is being done.
    #[sea_orm(string_value = "in_progress")]
    InProgress,
    /// There is at least one result.
    #[sea_orm(string_value = "completed")]
    Completed,
    /// There is none; `error_code` says why.
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
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
