//! Giving up bytes that can be fetched again: the row first, then the file (F63).

use std::collections::HashSet;

use grok2api_entity::asset::{self, Column, Entity, State};
use grok2api_entity::clock;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::{Library, MediaError, Shelf, StorageKey};

/// Rows in one statement, and files that are removed in a row.
pub(crate) const BATCH: u64 = 500;

/// What was used within this time is never evicted, in milliseconds. Uses are written up to a minute late, so this
/// spares all that was used in the last minute.
pub(crate) const IN_USE_MS: i64 = 3 * 60_000;

/// What was given up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cleared {
    /// Assets whose bytes are no longer here.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Library {
    /// Evicts all pictures or all videos, however recently they were used. They are fetched again when asked for.
    ///
    /// # Errors
    /// When the database or the store fails; what is done by then stays done.
    pub async fn clear(&self, what: Shelf) -> Result<Cleared, MediaError> {
        let mut cleared = Cleared::default();
        loop {
            let rows = self.oldest(&[what], None).await?;
            if rows.is_empty() {
                return Ok(cleared);
            }
            cleared.add(self.evict(&rows, None).await?);
        }
    }

    /// Evicts what was unused for longest until `bytes` are free; returns how many bytes that made.
    pub(crate) async fn evict_oldest(&self, bytes: u64) -> Result<u64, MediaError> {
        Ok(self.evict_from(&[Shelf::Images, Shelf::Videos], bytes).await?.bytes)
    }

    /// Evicts what was unused for longest on these shelves, at least `bytes`, as long as there is something unused.
    pub(crate) async fn evict_from(&self, shelves: &[Shelf], bytes: u64) -> Result<Cleared, MediaError> {
        let unused_since = clock::read(&self.db).await? - IN_USE_MS;
        let mut cleared = Cleared::default();
        while cleared.bytes < bytes {
            let mut wanted = bytes - cleared.bytes;
            let mut rows = self.oldest(shelves, Some(unused_since)).await?;
            let enough = rows.iter().position(|asset| {
                wanted = wanted.saturating_sub(length(asset));
                wanted == 0
            });
            if let Some(last) = enough {
                rows.truncate(last + 1);
            }
            if rows.is_empty() {
                break;
            }
            cleared.add(self.evict(&rows, Some(unused_since)).await?);
        }
        Ok(cleared)
    }

    /// The stored assets that were unused for longest, one batch.
    async fn oldest(&self, shelves: &[Shelf], unused_since: Option<i64>) -> Result<Vec<asset::Model>, MediaError> {
        let kinds = shelves.iter().flat_map(|shelf| shelf.kinds().iter().copied());
        let mut query =
            Entity::find().filter(Column::State.eq(State::Stored)).filter(Column::Kind.is_in(kinds)).limit(BATCH);
        if let Some(unused_since) = unused_since {
            query = query.filter(Column::LastUsedAt.lte(unused_since));
        }
        Ok(query.order_by_asc(Column::LastUsedAt).order_by_asc(Column::Id).all(&self.db).await?)
    }

    /// Takes one batch out: rows first, then the files that no row needs any more.
    async fn evict(&self, rows: &[asset::Model], unused_since: Option<i64>) -> Result<Cleared, MediaError> {
        let ids = || Column::Id.is_in(rows.iter().map(|asset| asset.id));
        let mut update = Entity::update_many()
            .col_expr(Column::State, Expr::value(State::Evicted))
            .col_expr(Column::StorageKey, Expr::value(None::<String>))
            .filter(ids())
            .filter(Column::State.eq(State::Stored));
        if let Some(unused_since) = unused_since {
            update = update.filter(Column::LastUsedAt.lte(unused_since));
        }
        update.exec(&self.db).await?;
        let kept: HashSet<Uuid> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(ids())
            .filter(Column::State.eq(State::Stored))
            .into_tuple()
            .all(&self.db)
            .await?
            .into_iter()
            .collect();
        let gone: Vec<&asset::Model> = rows.iter().filter(|asset| !kept.contains(&asset.id)).collect();
        let keys: Vec<StorageKey> = gone.iter().filter_map(|asset| key(asset)).collect();
        self.delete_unneeded(&keys).await?;
        Ok(Cleared { files: gone.len() as u64, bytes: gone.iter().map(|asset| length(asset)).sum() })
    }

    /// Deletes those objects that no stored row names; returns how many.
    ///
    /// A row that comes to need one in between finds it missing and says so, either the one who stores it or the look
    /// afterwards: then the bytes are fetched again.
    pub(crate) async fn delete_unneeded(&self, keys: &[StorageKey]) -> Result<u64, MediaError> {
        let mut deleted = 0;
        for keys in keys.chunks(usize::try_from(BATCH).unwrap_or(usize::MAX)) {
            let needed = self.needed(keys).await?;
            let unneeded: Vec<StorageKey> = keys.iter().filter(|key| !needed.contains(key.as_str())).cloned().collect();
            for key in &unneeded {
                self.store.delete(key).await?;
            }
            for late in self.needed(&unneeded).await? {
                if let Some(key) = StorageKey::parse(&late)
                    && self.store.size(&key).await?.is_none()
                {
                    self.lost(&key, None).await?;
                }
            }
            deleted += unneeded.len() as u64;
        }
        Ok(deleted)
    }

    /// Names of those objects that stored rows name.
    pub(crate) async fn needed(&self, keys: &[StorageKey]) -> Result<HashSet<String>, MediaError> {
        if keys.is_empty() {
            return Ok(HashSet::new());
        }
        let rows = Entity::find()
            .select_only()
            .column(Column::StorageKey)
            .filter(Column::StorageKey.is_in(keys.iter().map(StorageKey::as_str)))
            .filter(Column::State.eq(State::Stored));
        let found: Vec<Option<String>> = rows.into_tuple().all(&self.db).await?;
        Ok(found.into_iter().flatten().collect())
    }
}

impl Cleared {
    pub(crate) fn add(&mut self, more: Self) {
        self.files += more.files;
        self.bytes += more.bytes;
    }
}

/// Where the bytes of an asset lie.
pub(crate) fn key(asset: &asset::Model) -> Option<StorageKey> {
    asset.storage_key.as_deref().and_then(StorageKey::parse)
}

/// How many bytes an asset has.
pub(crate) fn length(asset: &asset::Model) -> u64 {
    u64::try_from(asset.bytes).unwrap_or_default()
}
