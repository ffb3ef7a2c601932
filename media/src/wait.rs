//! Waiting for an asset that is still being fetched, perhaps by another process.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use grok2api_entity::asset::{self, Column, Entity, State};
use parking_lot::Mutex;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QuerySelect};
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

use crate::evict::BATCH;
use crate::{Library, MediaError};

/// The rows of all that is waited for are looked at this often, in one go, and not more often.
const PERIOD: Duration = Duration::from_secs(1);

/// Who waits for what, in this process.
#[derive(Debug)]
pub(crate) struct Waiters {
    waiting: Mutex<HashMap<Uuid, Waited>>,
    looked_at: tokio::sync::Mutex<Instant>,
}

#[derive(Debug)]
struct Waited {
    settled: Arc<Notify>,
    waiters: usize,
}

impl Default for Waiters {
    fn default() -> Self {
        Self { waiting: Mutex::default(), looked_at: tokio::sync::Mutex::new(Instant::now()) }
    }
}

/// One who waits; dropping it takes it off the list.
struct Waiter<'a> {
    waiters: &'a Waiters,
    id: Uuid,
    settled: Arc<Notify>,
}

impl Library {
    /// Waits until an asset is stored, at most until `deadline`.
    ///
    /// `None` when it failed, is gone, or is not stored by then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn wait_stored(&self, id: Uuid, deadline: Instant) -> Result<Option<asset::Model>, MediaError> {
        let waiter = self.waiters.enlist(id);
        loop {
            let mut settled = std::pin::pin!(waiter.settled.notified());
            // From here on nothing is missed, so the look comes after it.
            settled.as_mut().enable();
            match self.get(id).await? {
                Some(asset) if matches!(asset.state, State::Pending | State::Evicted) => {}
                found => return Ok(found.filter(|asset| asset.state == State::Stored)),
            }
            loop {
                let next_look = (Instant::now() + PERIOD).min(deadline);
                if tokio::time::timeout_at(next_look, settled.as_mut()).await.is_ok() {
                    break;
                }
                if Instant::now() >= deadline {
                    let asset = self.get(id).await?;
                    return Ok(asset.filter(|asset| asset.state == State::Stored));
                }
                self.waiters.look(&self.db).await?;
            }
        }
    }
}

impl Waiters {
    /// Wakes those who wait for an asset: there is something to see.
    pub(crate) fn settled(&self, id: Uuid) {
        if let Some(waited) = self.waiting.lock().get(&id) {
            waited.settled.notify_waiters();
        }
    }

    fn enlist(&self, id: Uuid) -> Waiter<'_> {
        let mut waiting = self.waiting.lock();
        let waited = waiting.entry(id).or_insert_with(|| Waited { settled: Arc::default(), waiters: 0 });
        waited.waiters += 1;
        Waiter { waiters: self, id, settled: Arc::clone(&waited.settled) }
    }

    /// Looks at the rows of all that is waited for, unless somebody does or just did.
    async fn look(&self, db: &DatabaseConnection) -> Result<(), MediaError> {
        let Ok(mut looked_at) = self.looked_at.try_lock() else { return Ok(()) };
        if looked_at.elapsed() < PERIOD {
            return Ok(());
        }
        let waited: Vec<Uuid> = self.waiting.lock().keys().copied().collect();
        for ids in waited.chunks(usize::try_from(BATCH).unwrap_or(usize::MAX)) {
            let rows = Entity::find()
                .select_only()
                .column(Column::Id)
                .filter(Column::Id.is_in(ids.iter().copied()))
                .filter(Column::State.is_in([State::Stored, State::Failed]));
            let settled: Vec<Uuid> = rows.into_tuple().all(db).await?;
            for id in settled {
                self.settled(id);
            }
        }
        *looked_at = Instant::now();
        Ok(())
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut waiting = self.waiters.waiting.lock();
        if let Some(waited) = waiting.get_mut(&self.id) {
            waited.waiters -= 1;
            if waited.waiters == 0 {
                waiting.remove(&self.id);
            }
        }
    }
}
