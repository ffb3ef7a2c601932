//! The settings of the old gateway: its two sections, of which most names mean the same here.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use super::apply::specs;
use super::{SettingValue, Settings, SettingsError};
use crate::secret::MASK;

/// The sections of the old gateway's settings; ours of these names have nothing else in them.
pub const SEED_SECTIONS: [&str; 2] = ["global", "grok"];
/// What the old gateway puts before the clearance cookie.
const COOKIE: &str = "cf_clearance=";

/// What a key of the old gateway's settings means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SeedKey {
    /// The setting of the same name.
    Setting,
    /// The operator's name.
    Username,
    /// The operator's password.
    Password,
    /// A list of client keys that the old gateway itself never read.
    KeyList,
    /// Nothing.
    Unknown,
}

/// One of the old gateway's settings.
#[derive(Debug, Clone)]
pub struct SeedEntry<'a> {
    /// Section and name, such as `grok.api_key`.
    pub key: String,
    /// Its value.
    pub value: &'a Value,
    /// What it means here.
    pub meaning: SeedKey,
}

/// What an old client's form comes to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SeedChanges {
    /// Settings that get another value.
    pub take: BTreeMap<String, Value>,
    /// Keys that mean nothing here.
    pub ignored: Vec<String>,
}

/// Why an old client's form is refused; nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeedProblem {
    /// The operator's password is no setting here.
    #[error("the password is changed with POST /api/password")]
    Password,
    /// The operator's name cannot be chosen.
    #[error("the operator is called {}", Settings::SEED_USERNAME)]
    Username,
    /// A value is not allowed.
    #[error(transparent)]
    Refused(#[from] SettingsError),
}

impl SeedKey {
    /// What `key`, a section and a name, means here.
    pub fn of(key: &str) -> Self {
        match key {
            "global.admin_username" => Self::Username,
            "global.admin_password" => Self::Password,
            "global.api_keys" => Self::KeyList,
            key if super::find(key).is_some() => Self::Setting,
            _ => Self::Unknown,
        }
    }
}

/// The members of one section.
pub fn seed_entries<'a>(section: &str, members: &'a Map<String, Value>) -> impl Iterator<Item = SeedEntry<'a>> {
    members.iter().map(move |(name, value)| {
        let key = format!("{section}.{name}");
        SeedEntry { meaning: SeedKey::of(&key), key, value }
    })
}

impl Settings {
    /// The operator's name in the old gateway's settings.
    pub const SEED_USERNAME: &str = "admin";

    /// These settings as the old gateway shows them, section by section; secrets are masked, or empty when they are not
    /// set.
    pub fn to_seed(&self) -> Map<String, Value> {
        let mut sections = Map::new();
        for section in SEED_SECTIONS {
            let mut members = Map::new();
            for spec in specs() {
                let Some(name) = spec.key.strip_prefix(section).and_then(|rest| rest.strip_prefix('.')) else {
                    continue;
                };
                let value = match (spec.read)(self) {
                    Value::String(text) if spec.secret && !text.is_empty() => MASK.into(),
                    value => value,
                };
                members.insert(name.to_owned(), value);
            }
            sections.insert(section.to_owned(), Value::Object(members));
        }
        if let Some(global) = sections.get_mut("global").and_then(Value::as_object_mut) {
            global.insert("admin_username".to_owned(), Self::SEED_USERNAME.into());
            global.insert("admin_password".to_owned(), MASK.into());
        }
        sections
    }

    /// What changes when a form with these members of a section is sent: a mask means that the secret stays, and so do
    /// values that are here already.
    ///
    /// # Errors
    /// The key at fault, and why.
    pub fn changes_of_seed(
        &self,
        section: &str,
        members: &Map<String, Value>,
    ) -> Result<SeedChanges, (String, SeedProblem)> {
        let mut changes = SeedChanges::default();
        for SeedEntry { key, value, meaning } in seed_entries(section, members) {
            match meaning {
                SeedKey::Password if value.as_str() == Some(MASK) => {}
                SeedKey::Username if value.as_str() == Some(Self::SEED_USERNAME) => {}
                SeedKey::Password => return Err((key, SeedProblem::Password)),
                SeedKey::Username => return Err((key, SeedProblem::Username)),
                SeedKey::KeyList | SeedKey::Unknown => changes.ignored.push(key),
                SeedKey::Setting if is_masked(&key, value) => {}
                SeedKey::Setting => {
                    let one = BTreeMap::from([(key.clone(), value.clone())]);
                    let applied = self.apply(&one).map_err(|error| (key.clone(), error.into()))?;
                    if !applied.is_like(self, &key) {
                        changes.take.extend(one);
                    }
                }
            }
        }
        Ok(changes)
    }

    /// Whether setting `key` has the same value here and there.
    pub fn is_like(&self, other: &Self, key: &str) -> bool {
        match (self.get(key), other.get(key)) {
            (Some(SettingValue::Plain(one)), Some(SettingValue::Plain(other))) => one == other,
            (Some(SettingValue::Secret(one)), Some(SettingValue::Secret(other))) => {
                one.expose_secret() == other.expose_secret()
            }
            _ => false,
        }
    }
}

/// Whether the value stands for a secret that was shown as a mask.
fn is_masked(key: &str, value: &Value) -> bool {
    let text = value.as_str().map(|text| text.strip_prefix(COOKIE).unwrap_or(text));
    Settings::is_secret(key) && text == Some(MASK)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use serde_json::json;

    use super::*;

    fn settings() -> Settings {
        let secrets = [("grok.api_key", "canary-5c1f2e9d"), ("grok.cf_clearance", "canary-abc")];
        let changes = secrets.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        Settings::default().apply(&changes).unwrap()
    }

    fn posted(section: &str, members: &Value) -> Result<SeedChanges, (String, SeedProblem)> {
        settings().changes_of_seed(section, members.as_object().unwrap())
    }

    #[test]
    fn c5_the_old_form_shows_no_secret_and_sent_back_it_changes_nothing() {
        let shown = settings().to_seed();
        assert!(!serde_json::to_string(&shown).unwrap().contains("canary"));
        assert_eq!((&shown["grok"]["api_key"], &shown["grok"]["proxy_url"]), (&json!(MASK), &json!("")));
        assert_eq!((shown["global"].as_object().unwrap().len(), shown["grok"].as_object().unwrap().len()), (7, 11));
        for section in SEED_SECTIONS {
            assert_eq!(posted(section, &shown[section]).unwrap(), SeedChanges::default());
        }
    }

    #[test]
    fn what_differs_is_taken_and_what_means_nothing_is_named() {
        let form = json!({"cf_clearance": "cf_clearance=new", "api_key": "", "temporary": true, "show_searching": 1});
        let changes = posted("grok", &form).unwrap();
        assert_eq!(changes.take.keys().collect::<Vec<_>>(), ["grok.api_key", "grok.cf_clearance"]);
        assert_eq!(changes.ignored, ["grok.show_searching"]);
        assert!(posted("grok", &json!({"cf_clearance": "cf_clearance=********"})).unwrap().take.is_empty());
        assert!(posted("grok", &json!({"cf_clearance": "cf_clearance=canary-abc"})).unwrap().take.is_empty());
        assert_eq!(posted("global", &json!({"api_keys": []})).unwrap().ignored, ["global.api_keys"]);
    }

    #[test]
    fn a_bad_value_is_named_by_its_key() {
        let fault = |section, form: Value| posted(section, &form).unwrap_err();
        for form in [json!({"stream_chunk_timeout": "soon"}), json!({"stream_chunk_timeout": null})] {
            let (key, problem) = fault("grok", form);
            assert_eq!(key, "grok.stream_chunk_timeout");
            assert!(problem.to_string().contains("must be a whole number from 1 to 3600"), "{problem}");
        }
        assert_eq!(fault("global", json!({"admin_password": "x"})).1, SeedProblem::Password);
        assert_eq!(fault("global", json!({"admin_username": "root"})).1, SeedProblem::Username);
    }
}
