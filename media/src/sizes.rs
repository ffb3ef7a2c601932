//! How much is stored.

use grok2api_entity::asset::{Column, Entity, Kind, State};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter, QuerySelect};

use crate::{Library, MediaError};

/// Kinds that share a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shelf {
    /// Pictures, and the still pictures of videos.
    Images,
    /// Videos.
    Videos,
}

/// How much is stored of everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Pictures, and the still pictures of videos.
    pub images: Size,
    /// Videos.
    pub videos: Size,
}

/// How much is stored of something. Bytes that several assets share count once for each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Stored assets.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Shelf {
    /// What belongs to it.
    pub const fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Images => &[Kind::Image, Kind::Preview],
            Self::Videos => &[Kind::Video],
        }
    }
}

impl Library {
    /// How much is stored.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sizes(&self) -> Result<Sizes, MediaError> {
        Ok(Sizes { images: self.size(Shelf::Images).await?, videos: self.size(Shelf::Videos).await? })
    }

    /// How much is stored of pictures or videos.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn size(&self, what: Shelf) -> Result<Size, MediaError> {
        let sum = match self.db.get_database_backend() {
            DbBackend::MySql => "CAST(COALESCE(SUM(bytes), 0) AS SIGNED)",
            _ => "CAST(COALESCE(SUM(bytes), 0) AS BIGINT)",
        };
        let found: Option<(i64, i64)> = Entity::find()
            .select_only()
            .column_as(Column::Id.count(), "files")
            .column_as(Expr::cust(sum), "total")
            .filter(Column::State.eq(State::Stored))
            .filter(Column::Kind.is_in(what.kinds().iter().copied()))
            .into_tuple()
            .one(&self.db)
            .await?;
        let (files, bytes) = found.unwrap_or_default();
        Ok(Size { files: u64::try_from(files).unwrap_or_default(), bytes: u64::try_from(bytes).unwrap_or_default() })
    }

    /// Room that the settings give to pictures or videos, in bytes.
    pub(crate) fn room(&self, what: Shelf) -> u64 {
        let settings = self.settings.load();
        let mebibytes = match what {
            Shelf::Images => settings.global.image_cache_max_size_mb,
            Shelf::Videos => settings.global.video_cache_max_size_mb,
        };
        mebibytes.saturating_mul(1 << 20)
    }
}
