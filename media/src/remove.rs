//! Taking assets away for good, rows and all.

use grok2api_entity::asset::{self, Column, Entity};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use crate::evict::{BATCH, key};
use crate::{Library, MediaError, StorageKey};

impl Library {
    /// Takes away all that belongs to a request, results and uploads; returns how many assets.
    ///
    /// # Errors
    /// When the database or the store fails; what is gone by then stays gone.
    pub async fn remove_generation(&self, generation_id: Uuid) -> Result<u64, MediaError> {
        let mut removed = 0;
        loop {
            let rows = Entity::find().filter(Column::GenerationId.eq(generation_id)).limit(BATCH).all(&self.db).await?;
            if rows.is_empty() {
                return Ok(removed);
            }
            removed += self.remove(&rows).await?;
        }
    }

    /// Takes one batch away: rows first, then files.
    pub(crate) async fn remove(&self, rows: &[asset::Model]) -> Result<u64, MediaError> {
        let ids = rows.iter().map(|asset| asset.id);
        let removed = Entity::delete_many().filter(Column::Id.is_in(ids)).exec(&self.db).await?;
        let keys: Vec<StorageKey> = rows.iter().filter_map(key).collect();
        self.delete_unneeded(&keys).await?;
        for asset in rows {
            self.waiters.settled(asset.id);
        }
        Ok(removed.rows_affected)
    }
}
