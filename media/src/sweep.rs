//! Keeping the store within its limits (M17).

use grok2api_entity::asset::{Column, Entity, Kind};
use grok2api_entity::{clock, generation};
use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::evict::BATCH;
use crate::{Cleared, Library, MediaError, Shelf};

/// How long an upload outlives the request it was sent with, in milliseconds.
const INPUT_MS: i64 = 24 * 60 * 60_000;

/// What a clean-up did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Pictures that were evicted.
    pub images: Cleared,
    /// Videos that were evicted.
    pub videos: Cleared,
    /// Uploads that were taken away.
    pub inputs: u64,
}

impl Library {
    /// Brings pictures and videos within the limits of the settings, least recently used first, and takes away uploads
    /// whose requests ended a day ago. What was used within the last minute stays, whatever the limits say.
    ///
    /// # Errors
    /// When the database or the store fails; what is done by then stays done.
    pub async fn sweep(&self) -> Result<Swept, MediaError> {
        let images = self.shrink(Shelf::Images).await?;
        let videos = self.shrink(Shelf::Videos).await?;
        let inputs = self.remove_old_inputs().await?;
        Ok(Swept { images, videos, inputs })
    }

    async fn shrink(&self, what: Shelf) -> Result<Cleared, MediaError> {
        let excess = self.size(what).await?.bytes.saturating_sub(self.room(what));
        if excess == 0 {
            return Ok(Cleared::default());
        }
        self.evict_from(&[what], excess).await
    }

    async fn remove_old_inputs(&self) -> Result<u64, MediaError> {
        let cutoff = clock::read(&self.db).await? - INPUT_MS;
        let mut removed = 0;
        loop {
            // A request that is gone, or was never committed, needs its uploads no more than one that ended.
            let needed = Query::select()
                .column(generation::Column::Id)
                .from(generation::Entity)
                .cond_where(
                    Condition::any()
                        .add(generation::Column::CompletedAt.is_null())
                        .add(generation::Column::CompletedAt.gt(cutoff)),
                )
                .take();
            let rows = Entity::find()
                .filter(Column::Kind.eq(Kind::Input))
                .filter(Column::CreatedAt.lte(cutoff))
                .filter(
                    Condition::any()
                        .add(Column::GenerationId.is_null())
                        .add(Column::GenerationId.not_in_subquery(needed)),
                )
                .order_by_asc(Column::CreatedAt)
                .limit(BATCH)
                .all(&self.db)
                .await?;
            if rows.is_empty() {
                return Ok(removed);
            }
            removed += self.remove(&rows).await?;
        }
    }
}
