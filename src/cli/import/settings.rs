//! Which of the old gateway's settings are taken over.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use grok2api_config::{SEED_SECTIONS, SeedEntry, SeedKey, Settings, seed_entries};
use grok2api_entity::setting;
use serde_json::Value;

use crate::store::Store;

/// Passwords that everybody knows.
const KNOWN_PASSWORDS: [&str; 2] = ["", "admin"];

/// What becomes of the old settings.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Settings in the old records.
    pub(super) found: usize,
    /// Taken over, by name.
    pub(super) take: BTreeMap<String, Value>,
    /// Have the same value here.
    pub(super) same: usize,
    /// Were changed here, and stay so.
    pub(super) kept: Vec<String>,
    /// Have a value that is not allowed here.
    pub(super) refused: Vec<String>,
    /// Mean nothing here.
    pub(super) unknown: Vec<String>,
    /// What a person should read. No secrets.
    pub(super) remarks: Vec<String>,
}

impl Plan {
    /// Compares the old settings with those of this gateway; changes nothing.
    pub(super) async fn make(old: &Value, store: &Store, overwrite: bool) -> Result<Self> {
        let changed: BTreeSet<String> = setting::load_all(&store.db).await?.into_iter().map(|row| row.key).collect();
        let now = store.settings.handle().load();
        let mut plan = Self::default();
        for section in SEED_SECTIONS {
            let Some(members) = old.get(section).and_then(Value::as_object) else { continue };
            for entry in seed_entries(section, members) {
                plan.found += 1;
                plan.consider(entry, &now, |key| changed.contains(key) && !overwrite);
            }
        }
        Ok(plan)
    }

    fn consider(&mut self, entry: SeedEntry<'_>, now: &Settings, is_ours: impl Fn(&str) -> bool) {
        let SeedEntry { key, value, meaning } = entry;
        match meaning {
            SeedKey::Setting => {}
            SeedKey::Password => return self.leave_password(key, value),
            // The list is empty in files that the old gateway made itself.
            SeedKey::Username | SeedKey::KeyList => return self.unknown.push(key),
            SeedKey::Unknown => {
                self.remarks.push(format!("{key} means nothing to this gateway"));
                return self.unknown.push(key);
            }
        }
        if key == "grok.api_key" && value.as_str() == Some("") {
            self.same += 1;
            return self.remarks.push(
                "the old gateway let everybody in without a key; this one lets nobody in: `grok2api key create` makes one"
                    .to_owned(),
            );
        }
        let applied = match now.apply(&BTreeMap::from([(key.clone(), value.clone())])) {
            Ok(applied) => applied,
            Err(error) => {
                self.remarks.push(format!("not taken over: {error}"));
                return self.refused.push(key);
            }
        };
        if applied.is_like(now, &key) {
            self.same += 1;
        } else if is_ours(&key) {
            self.remarks.push(format!("{key} was changed here and stays so; --overwrite-settings takes the old value"));
            self.kept.push(key);
        } else {
            self.take.insert(key, value.clone());
        }
    }

    /// The old operator's password is not taken over; one that everybody knows is told.
    fn leave_password(&mut self, key: String, value: &Value) {
        self.remarks.push(
            "the operator's password is not taken over: `grok2api admin reset-password --stdin` sets one".to_owned(),
        );
        if value.as_str().is_none_or(|password| KNOWN_PASSWORDS.contains(&password)) {
            self.remarks.push(
                "the old gateway's operator had a password that everybody knows; whoever could reach it could read its tokens"
                    .to_owned(),
            );
        }
        self.unknown.push(key);
    }
}
