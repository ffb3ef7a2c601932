//! The keys of the moment, in memory: nobody asks the database who a client is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use grok2api_config::Vault;
use grok2api_config::client_key::{KeyForm, form};
use grok2api_entity::client_key::{self, Model};
use sea_orm::{DatabaseConnection, DbErr};
use tokio_util::sync::CancellationToken;

/// How often changes made by other processes are looked for; a key that was taken away is refused everywhere within five
/// seconds (K10).
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A key that is on record.
#[derive(Debug)]
pub(crate) struct ListedKey {
    /// What its clients' work is filed under (K7).
    pub(crate) owner: Arc<str>,
    /// Ids of the models it may use; none means all.
    pub(crate) models: Option<Box<[Box<str>]>>,
    /// Unix milliseconds.
    expires_at: Option<i64>,
    disabled: bool,
}

/// Why a key that is on record opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shut {
    /// Its time is over.
    Expired,
    /// The operator has switched it off.
    Disabled,
}

#[derive(Debug, Default)]
struct Known {
    version: Option<String>,
    /// By digest.
    keys: HashMap<String, Arc<ListedKey>>,
}

/// All keys that are on record.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    known: ArcSwap<Known>,
}

impl Ring {
    /// The key that `sent` is, if it was made here and is on record under any live master key.
    pub(crate) fn find(&self, vault: &Vault, sent: &str) -> Option<Arc<ListedKey>> {
        let known = self.known.load();
        if known.keys.is_empty() || form(sent) != KeyForm::Ours {
            return None;
        }
        vault.fingerprints(sent.as_bytes()).iter().find_map(|digest| known.keys.get(digest)).cloned()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.known.load().keys.is_empty()
    }

    /// Reads the keys if they have changed since; returns whether they had.
    ///
    /// # Errors
    /// The database does not answer; what was known stays known.
    pub(crate) async fn refresh(&self, db: &DatabaseConnection) -> Result<bool, DbErr> {
        // The version first: a change in between is read again later.
        let version = client_key::version(db).await?;
        if version == self.known.load().version {
            return Ok(false);
        }
        let rows = client_key::all(db).await?;
        let keys = rows
            .into_iter()
            .map(|row| {
                let key = Arc::new(ListedKey::of(&row));
                (row.digest, key)
            })
            .collect();
        self.known.store(Arc::new(Known { version, keys }));
        Ok(true)
    }

    /// Follows changes until `stop`.
    pub(crate) async fn watch(&self, db: DatabaseConnection, stop: CancellationToken) {
        let mut is_failing = false;
        loop {
            match self.refresh(&db).await {
                Ok(_) => is_failing = false,
                // One line for a whole outage (L6): clients that are known go on.
                Err(error) if !is_failing => {
                    is_failing = true;
                    tracing::warn!(%error, "changed client keys cannot be read; the last ones stay in force");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

impl ListedKey {
    fn of(row: &Model) -> Self {
        Self { owner: owner(row), models: models(row), expires_at: row.expires_at, disabled: row.disabled }
    }

    /// Why it opens nothing, if so.
    pub(crate) fn shut(&self) -> Option<Shut> {
        if self.disabled {
            return Some(Shut::Disabled);
        }
        self.expires_at.is_some_and(|end| end <= now_ms()).then_some(Shut::Expired)
    }
}

/// What the work of a key's clients is filed under.
pub(crate) fn owner(row: &Model) -> Arc<str> {
    format!("key_{}", row.id.simple()).into()
}

/// Ids of the models that a key may use; none means all, and what cannot be read means none at all.
pub(crate) fn models(row: &Model) -> Option<Box<[Box<str>]>> {
    let listed = row.models.as_deref()?;
    Some(serde_json::from_str::<Vec<Box<str>>>(listed).unwrap_or_default().into())
}

/// Unix milliseconds.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
