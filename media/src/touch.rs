//! Noting when assets were last used, away from the requests that use them.

use std::collections::HashSet;
use std::time::Duration;

use grok2api_entity::asset::{Column, Entity};
use grok2api_entity::clock;
use parking_lot::Mutex;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::evict::BATCH;
use crate::{Library, MediaError};

/// Uses are written this often, each asset once.
const PERIOD: Duration = Duration::from_secs(60);
/// Most assets between two writes; of the others a use goes unnoted.
const MAX_NOTED: usize = 10_000;

/// Assets that were used since the last write.
#[derive(Debug, Default)]
pub(crate) struct Touches {
    ids: Mutex<HashSet<Uuid>>,
}

impl Library {
    /// Notes that an asset is being used. Costs no look at the database.
    pub fn touch(&self, id: Uuid) {
        let mut ids = self.touches.ids.lock();
        if ids.len() < MAX_NOTED {
            ids.insert(id);
        }
    }

    /// Writes down which assets were used since the last time; returns how many.
    ///
    /// # Errors
    /// When the database fails; those uses are forgotten then, which only makes an eviction less well chosen.
    pub async fn flush_touches(&self) -> Result<u64, MediaError> {
        let ids: Vec<Uuid> = std::mem::take(&mut *self.touches.ids.lock()).into_iter().collect();
        let mut written = 0;
        for ids in ids.chunks(usize::try_from(BATCH).unwrap_or(usize::MAX)) {
            let now = clock::now(self.db.get_database_backend());
            let update =
                Entity::update_many().col_expr(Column::LastUsedAt, now).filter(Column::Id.is_in(ids.iter().copied()));
            written += update.exec(&self.db).await?.rows_affected;
        }
        Ok(written)
    }

    /// Writes uses down once a minute, and a last time when `stop` is cancelled.
    pub async fn keep_touching(self, stop: CancellationToken) {
        loop {
            let is_last = tokio::time::timeout(PERIOD, stop.cancelled()).await.is_ok();
            if let Err(error) = self.flush_touches().await {
                tracing::warn!(%error, "uses of media cannot be written");
            }
            if is_last {
                return;
            }
        }
    }
}
