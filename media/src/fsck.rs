//! Comparing files with rows, a bounded number at a time: what nobody knows goes, what was damaged is fetched again.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::TryStreamExt;
use grok2api_entity::asset::{Column, Entity, State};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use sha2::{Digest, Sha256};

use crate::spool::hex;
use crate::store::{Listed, Opened};
use crate::{Library, MediaError, StorageKey};

/// Files without a row, and temporary ones, are left alone until they are this old: somebody may be at work on them.
const ABANDONED: Duration = Duration::from_secs(60 * 60);
/// Most objects one call looks at.
const MAX_OBJECTS: usize = 500;

/// What a check found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    /// Objects that were looked at.
    pub objects: u64,
    /// Objects that were read through.
    pub hashed: u64,
    /// Objects that no row knew; removed.
    pub orphans: u64,
    /// Objects with other bytes than they should have; removed, and their assets can be fetched again.
    pub damaged: u64,
    /// Temporary files of processes that died; removed.
    pub temporaries: u64,
}

impl Library {
    /// Looks at the next objects of the store, at most 500, and goes round in circles from call to call.
    ///
    /// Lengths are compared always; on a local store, up to `hash_bytes` are read and hashed as well, so that in time
    /// each file has its turn (F64).
    ///
    /// # Errors
    /// When the database or the store fails; what is done by then stays done.
    pub async fn check(&self, hash_bytes: u64) -> Result<Checked, MediaError> {
        let temporaries = self.spool.clean(ABANDONED).await?;
        let mut checked = Checked { temporaries: temporaries as u64, ..Checked::default() };
        let after = self.checked.lock().clone();
        let listed = self.store.list(after.as_ref(), MAX_OBJECTS).await?;
        let lengths = self.lengths(&listed).await?;
        let orphans: Vec<StorageKey> = listed
            .iter()
            .filter(|object| !lengths.contains_key(object.key.as_str()) && object.age > ABANDONED)
            .map(|object| object.key.clone())
            .collect();
        checked.orphans = self.delete_unneeded(&orphans).await?;
        let mut left = if self.store.is_local() { hash_bytes } else { 0 };
        let is_hashing = left > 0;
        let mut last = None;
        for object in &listed {
            if let Some(known) = lengths.get(object.key.as_str()) {
                self.check_one(object, known, &mut left, &mut checked).await?;
            }
            checked.objects += 1;
            last = Some(object.key.clone());
            // The rest has its turn with the next call, so that each is read through in time.
            if is_hashing && left == 0 {
                break;
            }
        }
        let is_end = listed.len() < MAX_OBJECTS && checked.objects == listed.len() as u64;
        *self.checked.lock() = if is_end { None } else { last };
        Ok(checked)
    }

    /// Compares one object with what its rows say, reading it through while bytes are `left` for that.
    async fn check_one(
        &self,
        object: &Listed,
        known: &HashSet<u64>,
        left: &mut u64,
        checked: &mut Checked,
    ) -> Result<(), MediaError> {
        let mut is_sound = known.len() == 1 && known.contains(&object.bytes);
        if is_sound && *left > 0 && object.key.sha256().is_some() {
            *left = left.saturating_sub(object.bytes);
            is_sound = self.is_unchanged(object).await?;
            checked.hashed += 1;
        }
        if !is_sound {
            tracing::warn!(object = %object.key, "a stored file is damaged");
            self.lost(&object.key, None).await?;
            self.delete_unneeded(std::slice::from_ref(&object.key)).await?;
            checked.damaged += 1;
        }
        Ok(())
    }

    /// What rows say about the lengths of these objects.
    async fn lengths(&self, objects: &[Listed]) -> Result<HashMap<String, HashSet<u64>>, MediaError> {
        if objects.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = Entity::find()
            .select_only()
            .column(Column::StorageKey)
            .column(Column::Bytes)
            .filter(Column::StorageKey.is_in(objects.iter().map(|object| object.key.as_str())))
            .filter(Column::State.eq(State::Stored));
        let rows: Vec<(Option<String>, i64)> = rows.into_tuple().all(&self.db).await?;
        let mut lengths: HashMap<String, HashSet<u64>> = HashMap::new();
        for (key, bytes) in rows {
            lengths.entry(key.unwrap_or_default()).or_default().insert(u64::try_from(bytes).unwrap_or_default());
        }
        Ok(lengths)
    }

    /// Whether an object still has the bytes that it is named by.
    async fn is_unchanged(&self, object: &Listed) -> Result<bool, MediaError> {
        let mut bytes = match self.store.open(&object.key, object.bytes, 0..object.bytes).await? {
            Opened::Whole(bytes) => bytes,
            // Gone meanwhile, as it may.
            Opened::Missing => return Ok(true),
            Opened::Damaged => return Ok(false),
        };
        let mut hasher = Sha256::new();
        while let Some(piece) = bytes.try_next().await? {
            hasher.update(&piece);
        }
        Ok(object.key.sha256() == Some(hex(&hasher.finalize()).as_str()))
    }
}
