//! Runtime settings as they are stored: validated as a whole, sealed where secret, swapped at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use grok2api_config::{SettingValue, Settings, SettingsError, SettingsHandle, Vault, VaultError};
use grok2api_entity::audit::{self, Note};
use grok2api_entity::connect::begin_write;
use grok2api_entity::keeper::{Keeper, NotKept};
use grok2api_entity::setting::{self, Change};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// How often changes made by other processes are looked for; they are in force within five seconds (F55).
const POLL_EVERY: Duration = Duration::from_secs(1);

/// Why settings cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The changes are not allowed; nothing has changed.
    #[error(transparent)]
    Refused(SettingsError),
    /// A secret cannot be sealed or opened.
    #[error("the secret setting {key} cannot be sealed or opened")]
    Sealed {
        /// The setting.
        key: String,
        /// Why.
        #[source]
        source: VaultError,
    },
    /// The database does not answer or refuses; nothing has changed.
    #[error("the settings cannot be read or stored")]
    Database(#[source] DbErr),
    /// The changes are stored and in force, but not copied to where they must be.
    #[error(transparent)]
    NotKept(#[from] NotKept),
}

/// Settings that are written, and in force once their transaction is committed.
#[derive(Debug)]
#[must_use = "they are not in force yet"]
pub struct Written {
    settings: Settings,
    version: i64,
}

/// The stored settings over those of the start-up configuration, and the snapshot everyone reads.
#[derive(Debug)]
pub struct SettingsStore {
    db: DatabaseConnection,
    vault: Arc<Vault>,
    base: Settings,
    handle: SettingsHandle,
    version: Mutex<i64>,
    keeper: Option<Arc<dyn Keeper>>,
}

impl SettingsStore {
    /// Reads the stored settings and puts them over `base`.
    ///
    /// A stored value that this release does not take is left out with a warning: it must not keep the server down.
    ///
    /// # Errors
    /// When the database does not answer, or a secret cannot be opened.
    pub async fn open(db: DatabaseConnection, vault: Arc<Vault>, base: Settings) -> Result<Self, StoreError> {
        let version = setting::version(&db).await.map_err(StoreError::Database)?;
        let stored = read(&db, &vault).await?;
        let handle = SettingsHandle::new(over(&base, &stored));
        Ok(Self { db, vault, base, handle, version: Mutex::new(version), keeper: None })
    }

    /// With somebody who must have a change before it counts as done.
    #[must_use]
    pub fn kept_by(mut self, keeper: Option<Arc<dyn Keeper>>) -> Self {
        self.keeper = keeper;
        self
    }

    /// Where everyone reads the current settings.
    pub fn handle(&self) -> &SettingsHandle {
        &self.handle
    }

    /// The settings in force when nothing is stored.
    pub fn base(&self) -> &Settings {
        &self.base
    }

    /// The version of the current snapshot: the number of changes so far.
    pub fn version(&self) -> i64 {
        *self.version.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Self::update_by`], by somebody at the machine itself.
    ///
    /// # Errors
    /// As [`Self::update_by`].
    pub async fn update(&self, changes: &BTreeMap<String, Value>) -> Result<i64, StoreError> {
        self.update_by(changes, Note::by_hand("settings.update", "", Value::Null)).await
    }

    /// Makes all of `changes` (by key; `null` takes a setting back to the start-up configuration) or none of them, and
    /// notes who did it, with the values before and after of those that are no secrets.
    ///
    /// Returns the new version. The new snapshot is in force here when this returns; other processes follow within
    /// seconds, those of this one that run [`Self::watch`] included.
    ///
    /// # Errors
    /// [`StoreError::Refused`] with every bad key and value; nothing has changed, whatever the error, but for
    /// [`StoreError::NotKept`]: then everything is stored and in force, and only its copy is missing.
    pub async fn update_by(&self, changes: &BTreeMap<String, Value>, note: Note) -> Result<i64, StoreError> {
        let work = begin_write(&self.db).await.map_err(StoreError::Database)?;
        let written = self.write(&*work, changes, note).await?;
        work.commit().await.map_err(StoreError::Database)?;
        let version = self.put_in_force(written);
        if let Some(keeper) = &self.keeper {
            keeper.caught_up().await?;
        }
        Ok(version)
    }

    /// The first half of [`Self::update_by`], as a part of a transaction: once that is committed, [`Self::put_in_force`]
    /// is the other one.
    ///
    /// # Errors
    /// As for [`Self::update_by`].
    pub async fn write(
        &self,
        work: &impl ConnectionTrait,
        changes: &BTreeMap<String, Value>,
        mut note: Note,
    ) -> Result<Written, StoreError> {
        let (removed, set): (BTreeMap<_, _>, BTreeMap<_, _>) =
            changes.clone().into_iter().partition(|(_, value)| value.is_null());
        let mut stored = read(work, &self.vault).await?;
        let before = over(&self.base, &stored);
        stored.retain(|key, _| !removed.contains_key(key));
        let settings = over(&self.base, &stored).apply(&set).map_err(StoreError::Refused)?;
        let rows = self.rows(&settings, changes)?;
        let version = setting::store(work, &rows).await.map_err(StoreError::Database)?;
        note.detail = differences(&before, &settings, changes);
        audit::insert(work, &note).await.map_err(StoreError::Database)?;
        Ok(Written { settings, version })
    }

    /// Puts in force what was written and committed; returns its version.
    pub fn put_in_force(&self, written: Written) -> i64 {
        self.publish(written.settings, written.version);
        written.version
    }

    /// Follows changes that other processes make, until `stop`.
    pub async fn watch(&self, stop: CancellationToken) {
        let mut is_failing = false;
        loop {
            tokio::select! {
                () = tokio::time::sleep(POLL_EVERY) => {}
                () = stop.cancelled() => return,
            }
            match self.refresh().await {
                Ok(_) => is_failing = false,
                // One line for a whole outage (L6): the last good snapshot stays in force.
                Err(error) if !is_failing => {
                    is_failing = true;
                    tracing::warn!(%error, "changed settings cannot be read; the last ones stay in force");
                }
                Err(_) => {}
            }
        }
    }

    /// Takes over what another process stored; returns whether there was anything new.
    ///
    /// # Errors
    /// When the database does not answer, or a secret cannot be opened; the last snapshot stays in force.
    pub async fn refresh(&self) -> Result<bool, StoreError> {
        let version = setting::version(&self.db).await.map_err(StoreError::Database)?;
        if version == self.version() {
            return Ok(false);
        }
        let stored = read(&self.db, &self.vault).await?;
        self.publish(over(&self.base, &stored), version);
        Ok(true)
    }

    /// Puts a snapshot in force unless a newer one is: two changes may finish in either order.
    fn publish(&self, settings: Settings, version: i64) {
        let mut current = self.version.lock().unwrap_or_else(PoisonError::into_inner);
        if version > *current {
            *current = version;
            self.handle.store(settings);
        }
    }

    /// The rows of changed settings, in their normal form; secrets sealed.
    fn rows(&self, settings: &Settings, changes: &BTreeMap<String, Value>) -> Result<Vec<Change>, StoreError> {
        let mut rows = Vec::with_capacity(changes.len());
        for (key, given) in changes {
            let value = match settings.get(key) {
                _ if given.is_null() => None,
                Some(SettingValue::Plain(value)) => Some(value.to_string()),
                Some(SettingValue::Secret(secret)) => Some(
                    self.vault
                        .seal("setting", key, "value", secret.expose_secret().as_bytes())
                        .map_err(|source| StoreError::Sealed { key: key.clone(), source })?,
                ),
                None => continue,
            };
            rows.push(Change { key: key.clone(), value });
        }
        Ok(rows)
    }
}

/// The changed settings with their values before and after; of secrets only that they changed.
fn differences(before: &Settings, after: &Settings, changes: &BTreeMap<String, Value>) -> Value {
    let plain = |settings: &Settings, key: &str| match settings.get(key) {
        Some(SettingValue::Plain(value)) => value,
        Some(SettingValue::Secret(_)) | None => Value::Null,
    };
    let one = |key: &String| {
        let told = if Settings::is_secret(key) {
            json!({ "secret": true })
        } else {
            json!({ "before": plain(before, key), "after": plain(after, key) })
        };
        (key.clone(), told)
    };
    Value::Object(changes.keys().map(one).collect())
}

/// The stored values by key, secrets opened.
async fn read(db: &impl ConnectionTrait, vault: &Vault) -> Result<BTreeMap<String, Value>, StoreError> {
    let mut stored = BTreeMap::new();
    for row in setting::load_all(db).await.map_err(StoreError::Database)? {
        let value = if Settings::is_secret(&row.key) {
            let plain = vault
                .open("setting", &row.key, "value", &row.value)
                .map_err(|source| StoreError::Sealed { key: row.key.clone(), source })?;
            Value::String(String::from_utf8_lossy(&plain).into_owned())
        } else {
            serde_json::from_str(&row.value).unwrap_or(Value::Null)
        };
        stored.insert(row.key, value);
    }
    Ok(stored)
}

/// `base` with the stored values on top; those this release does not take are left out.
fn over(base: &Settings, stored: &BTreeMap<String, Value>) -> Settings {
    if let Ok(settings) = base.apply(stored) {
        return settings;
    }
    let mut settings = base.clone();
    for (key, value) in stored {
        match settings.apply(&BTreeMap::from([(key.clone(), value.clone())])) {
            Ok(changed) => settings = changed,
            Err(error) => tracing::warn!(key, %error, "a stored setting is not used"),
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use grok2api_entity::testing::TestDatabase;
    use secrecy::SecretString;
    use serde_json::json;

    use super::*;

    const KEY: &str = "q8Jf0Zr3pXv7LkTn5WcYb2Hd9MsEa4GuRi6";

    fn vault(key: &str) -> Arc<Vault> {
        Arc::new(Vault::new(&SecretString::from(key), &[]).unwrap())
    }

    async fn database() -> TestDatabase {
        let database = TestDatabase::sqlite().await.unwrap();
        grok2api_migration::bring_up(&database.db).await.unwrap();
        database
    }

    async fn open(database: &TestDatabase) -> SettingsStore {
        SettingsStore::open(database.db.clone(), vault(KEY), Settings::default()).await.unwrap()
    }

    fn changes<const N: usize>(pairs: [(&str, Value); N]) -> BTreeMap<String, Value> {
        pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    #[tokio::test]
    async fn a_change_is_in_force_at_once_and_after_a_restart() {
        let database = database().await;
        let store = open(&database).await;
        let before = store.handle().snapshot();
        let change = changes([("grok.api_key", json!("canary-12345")), ("chat.max_choices", json!(7))]);
        assert_eq!(store.update(&change).await.unwrap(), 1);
        assert_eq!((before.chat.max_choices, store.handle().load().chat.max_choices), (4, 7));

        let restarted = open(&database).await;
        assert_eq!(restarted.handle().load().grok.api_key.expose_secret(), "canary-12345");
        assert_eq!((restarted.handle().load().chat.max_choices, restarted.version()), (7, 1));
        let rows = setting::load_all(&database.db).await.unwrap();
        assert!(!format!("{rows:?}").contains("canary"));
        database.remove().await.unwrap();
    }

    #[tokio::test]
    async fn f55_a_bad_change_changes_nothing_at_all() {
        let database = database().await;
        let store = open(&database).await;
        store.update(&changes([("chat.max_choices", json!(7))])).await.unwrap();
        let bad = changes([
            ("chat.max_choices", json!(8)),
            ("chat.web_search", Value::Null),
            ("pool.wait_ms", json!(-1)),
            ("pool.stratgy", json!("round_robin")),
        ]);
        let error = store.update(&bad).await.unwrap_err().to_string();
        assert!(error.contains("pool.wait_ms must be") && error.contains("did you mean pool.strategy?"), "{error}");
        assert_eq!((store.handle().load().chat.max_choices, store.version()), (7, 1));
        assert_eq!(open(&database).await.version(), 1);
        database.remove().await.unwrap();
    }

    #[tokio::test]
    async fn f55_another_process_follows_and_null_goes_back_to_the_start_up_value() {
        let database = database().await;
        let (ours, theirs) = (open(&database).await, open(&database).await);
        theirs.update(&changes([("pool.wait_ms", json!(1)), ("pool.max_attempts", json!(5))])).await.unwrap();
        assert!(ours.refresh().await.unwrap());
        assert_eq!((ours.handle().load().pool.wait_ms, ours.handle().load().pool.max_attempts), (1, 5));
        assert!(!ours.refresh().await.unwrap());

        assert_eq!(ours.update(&changes([("pool.wait_ms", Value::Null)])).await.unwrap(), 2);
        assert_eq!((ours.handle().load().pool.wait_ms, ours.handle().load().pool.max_attempts), (5000, 5));
        theirs.refresh().await.unwrap();
        assert_eq!(theirs.handle().load().pool.wait_ms, 5000);
        database.remove().await.unwrap();
    }

    #[tokio::test]
    async fn f55_changes_made_at_the_same_time_are_all_kept() {
        let database = database().await;
        let (one, two) = (open(&database).await, open(&database).await);
        for round in 1..=10_u64 {
            let (choices, attempts) =
                (changes([("chat.max_choices", json!(round))]), changes([("pool.max_attempts", json!(round))]));
            let (first, second) = tokio::join!(one.update(&choices), two.update(&attempts));
            assert_eq!(first.unwrap() + second.unwrap(), (4 * round - 1).cast_signed());
        }
        one.refresh().await.unwrap();
        two.refresh().await.unwrap();
        for store in [one, two] {
            assert_eq!((store.handle().load().chat.max_choices, store.handle().load().pool.max_attempts), (10, 10));
        }
        database.remove().await.unwrap();
    }

    #[tokio::test]
    async fn f56_a_wrong_key_is_refused_and_overwrites_nothing() {
        let database = database().await;
        open(&database).await.update(&changes([("grok.api_key", json!("canary-12345"))])).await.unwrap();
        let other = vault("Zm9vYmFyYmF6cXV4LW9sZC1rZXktMTIzNDU2Nzg5MA");
        let error = SettingsStore::open(database.db.clone(), other, Settings::default()).await.unwrap_err();
        assert!(matches!(&error, StoreError::Sealed { key, .. } if key == "grok.api_key"));
        assert_eq!(open(&database).await.handle().load().grok.api_key.expose_secret(), "canary-12345");
        database.remove().await.unwrap();
    }

    #[tokio::test]
    async fn a_value_of_another_release_does_not_keep_the_server_down() {
        let database = database().await;
        let row = |key: &str, value: &str| Change { key: key.to_owned(), value: Some(value.to_owned()) };
        let rows = [row("chat.max_choices", "3"), row("chat.gone", "1"), row("pool.strategy", "\"future\"")];
        setting::store(&database.db, &rows).await.unwrap();
        let store = open(&database).await;
        assert_eq!(store.handle().load().chat.max_choices, 3);
        store.update(&changes([("pool.max_attempts", json!(1))])).await.unwrap();
        assert_eq!(store.handle().load().chat.max_choices, 3);
        database.remove().await.unwrap();
    }
}
