//! Which of the old gateway's settings are taken over.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use grok2api_config::{SettingValue, Settings};
use grok2api_entity::setting;
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::store::Store;

/// Sections whose settings have the same names here.
const SECTIONS: [&str; 2] = ["global", "grok"];
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
        for section in SECTIONS {
            for (name, value) in old.get(section).and_then(Value::as_object).into_iter().flatten() {
                let key = format!("{section}.{name}");
                plan.found += 1;
                plan.consider(key, value, &now, |key| changed.contains(key) && !overwrite);
            }
        }
        Ok(plan)
    }

    fn consider(&mut self, key: String, value: &Value, now: &Settings, is_ours: impl Fn(&str) -> bool) {
        if self.is_about_entry(&key, value) {
            return;
        }
        let Some(here) = now.get(&key) else {
            self.remarks.push(format!("{key} means nothing to this gateway"));
            self.unknown.push(key);
            return;
        };
        let applied = match now.apply(&BTreeMap::from([(key.clone(), value.clone())])) {
            Ok(applied) => applied,
            Err(error) => {
                self.remarks.push(format!("not taken over: {error}"));
                self.refused.push(key);
                return;
            }
        };
        if applied.get(&key).is_some_and(|there| is_same(&here, &there)) {
            self.same += 1;
        } else if is_ours(&key) {
            self.remarks.push(format!("{key} was changed here and stays so; --overwrite-settings takes the old value"));
            self.kept.push(key);
        } else {
            self.take.insert(key, value.clone());
        }
    }

    /// Settings of the old gateway that decide who gets in, where this one is stricter.
    fn is_about_entry(&mut self, key: &str, value: &Value) -> bool {
        let text = value.as_str();
        match key {
            "grok.api_key" if text == Some("") => {
                self.same += 1;
                self.remarks.push(
                    "the old gateway let everybody in without a key; this one lets nobody in: `grok2api key create` makes one"
                        .to_owned(),
                );
                true
            }
            "global.admin_password" => {
                self.remarks.push(
                    "the operator's password is not taken over: `grok2api admin reset-password --stdin` sets one"
                        .to_owned(),
                );
                if text.is_none_or(|password| KNOWN_PASSWORDS.contains(&password)) {
                    self.remarks.push(
                        "the old gateway's operator had a password that everybody knows; whoever could reach it could read its tokens"
                            .to_owned(),
                    );
                }
                self.unknown.push(key.to_owned());
                true
            }
            // An empty list in files that the old gateway made itself.
            "global.admin_username" | "global.api_keys" => {
                self.unknown.push(key.to_owned());
                true
            }
            _ => false,
        }
    }
}

fn is_same(one: &SettingValue, other: &SettingValue) -> bool {
    match (one, other) {
        (SettingValue::Plain(one), SettingValue::Plain(other)) => one == other,
        (SettingValue::Secret(one), SettingValue::Secret(other)) => one.expose_secret() == other.expose_secret(),
        _ => false,
    }
}
