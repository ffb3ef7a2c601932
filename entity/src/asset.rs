//! Table `asset`: each picture and video of ours, stored or to be fetched.

use sea_orm::entity::prelude::*;

/// One row. All times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "asset")]
pub struct Model {
    /// Version 7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Public name: random, with an ending that fits the kind (M13).
    #[sea_orm(unique)]
    pub name: String,
    /// The name by which links of the old gateway know it.
    pub seed_name: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// Whether its bytes are here.
    pub state: State,
    /// Path on the asset host, with its query; `None` for what was uploaded.
    #[sea_orm(column_type = "Text", nullable)]
    pub source_path: Option<String>,
    /// The account whose credential opens the source.
    pub account_id: Option<Uuid>,
    /// Where its bytes lie in the store.
    pub storage_key: Option<String>,
    /// Its type, found from its first bytes.
    pub content_type: Option<String>,
    /// Its size; 0 until stored.
    pub bytes: i64,
    /// Hash of its bytes, in hexadecimal.
    pub sha256: Option<String>,
    /// Id of the client key it was made for.
    pub owner: String,
    /// The request it answers or, for an upload, the one it was sent with.
    pub generation_id: Option<Uuid>,
    /// Position among the results of its request.
    pub ordinal: i32,
    /// Why its bytes cannot be had.
    pub error_code: Option<String>,
    /// When it became known.
    pub created_at: i64,
    /// When its bytes were stored.
    pub stored_at: Option<i64>,
    /// When it was last asked for, to a minute or so.
    pub last_used_at: i64,
}

/// What an asset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum Kind {
    /// A picture.
    #[sea_orm(string_value = "image")]
    Image,
    /// A video.
    #[sea_orm(string_value = "video")]
    Video,
    /// A video's still picture.
    #[sea_orm(string_value = "preview")]
    Preview,
    /// A picture that a client sent; never served.
    #[sea_orm(string_value = "input")]
    Input,
}

impl Kind {
    /// The name as it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Preview => "preview",
            Self::Input => "input",
        }
    }
}

/// Whether the bytes of an asset are here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum State {
    /// They are to be fetched.
    #[sea_orm(string_value = "pending")]
    Pending,
    /// They are.
    #[sea_orm(string_value = "stored")]
    Stored,
    /// They were, and can be fetched again.
    #[sea_orm(string_value = "evicted")]
    Evicted,
    /// They cannot be had; `error_code` says why.
    #[sea_orm(string_value = "failed")]
    Failed,
}

impl State {
    /// The name as it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Stored => "stored",
            Self::Evicted => "evicted",
            Self::Failed => "failed",
        }
    }
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
