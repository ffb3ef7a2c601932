//! Changing settings: all of the changes or none (F55).

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::Value;

use super::{Settings, chat, global, grok, health, image, jobs, pool, schedules, usage, video};
use crate::spec::{Refusal, Spec, nearest};

/// Changes that were refused, with the reason for each. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.list())]
pub struct SettingsError {
    /// What is wrong, at least one, in the order of the keys.
    pub problems: Vec<SettingProblem>,
}

/// Why one change is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingProblem {
    /// There is no such setting.
    #[error("unknown setting {key}{}", .suggestion.map(|name| format!(" (did you mean {name}?)")).unwrap_or_default())]
    Unknown {
        /// The key as given.
        key: String,
        /// A setting with a similar name.
        suggestion: Option<&'static str>,
    },
    /// The value is not allowed.
    #[error("{key} {refusal}")]
    Refused {
        /// The setting.
        key: &'static str,
        /// What is expected instead.
        refusal: Refusal,
    },
}

/// The value of one setting, in its normal form.
#[derive(Debug, Clone)]
pub enum SettingValue {
    /// A value that may be shown.
    Plain(Value),
    /// A value that must be sealed before it is stored.
    Secret(SecretString),
}

impl SettingsError {
    fn list(&self) -> String {
        self.problems.iter().map(SettingProblem::to_string).collect::<Vec<_>>().join("; ")
    }
}

/// Every setting, section by section.
pub(crate) fn specs() -> impl Iterator<Item = &'static Spec<Settings>> {
    let sections = [
        global::SPECS,
        grok::SPECS,
        chat::SPECS,
        pool::SPECS,
        image::SPECS,
        video::SPECS,
        jobs::SPECS,
        schedules::SPECS,
        health::SPECS,
        usage::SPECS,
    ];
    sections.into_iter().flatten()
}

/// The names of all settings.
pub(crate) fn keys() -> impl Iterator<Item = &'static str> {
    specs().map(|spec| spec.key)
}

/// The description of one setting.
pub(crate) fn find(key: &str) -> Option<&'static Spec<Settings>> {
    specs().find(|spec| spec.key == key)
}

fn unknown(key: &str) -> SettingProblem {
    SettingProblem::Unknown { key: key.to_owned(), suggestion: nearest(key, keys()) }
}

impl Settings {
    /// These settings with `changes` (by key, such as `grok.api_key`) made.
    ///
    /// # Errors
    /// Every unknown key and every bad value, together; these settings stay as they are.
    pub fn apply(&self, changes: &BTreeMap<String, Value>) -> Result<Self, SettingsError> {
        let mut settings = self.clone();
        let mut problems = Vec::new();
        for (key, value) in changes {
            match find(key) {
                Some(spec) => {
                    if let Err(refusal) = (spec.write)(&mut settings, value) {
                        problems.push(SettingProblem::Refused { key: spec.key, refusal });
                    }
                }
                None => problems.push(unknown(key)),
            }
        }
        if problems.is_empty() { Ok(settings) } else { Err(SettingsError { problems }) }
    }

    /// The value that `text` stands for as setting `key`, as it comes from a command line.
    ///
    /// # Errors
    /// When there is no such setting, or the text is of another kind. Bounds are checked by [`Self::apply`].
    pub fn parse_value(key: &str, text: &str) -> Result<Value, SettingsError> {
        let problem = match find(key) {
            Some(spec) => match spec.shape.parse(text) {
                Ok(value) => return Ok(value),
                Err(refusal) => SettingProblem::Refused { key: spec.key, refusal },
            },
            None => unknown(key),
        };
        Err(SettingsError { problems: vec![problem] })
    }

    /// The value of setting `key`; `None` when there is no such setting.
    pub fn get(&self, key: &str) -> Option<SettingValue> {
        let spec = find(key)?;
        let value = (spec.read)(self);
        match value {
            Value::String(text) if spec.secret => Some(SettingValue::Secret(SecretString::from(text))),
            value => Some(SettingValue::Plain(value)),
        }
    }

    /// Whether the value of setting `key` is never shown.
    pub fn is_secret(key: &str) -> bool {
        find(key).is_some_and(|spec| spec.secret)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;

    fn changes(pairs: &[(&str, Value)]) -> BTreeMap<String, Value> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    }

    #[test]
    fn f55_a_bad_change_refuses_all_of_them() {
        let settings = Settings::default();
        let error = settings
            .apply(&changes(&[
                ("chat.max_choices", json!(2)),
                ("grok.stream_chunk_timeout", json!("soon")),
                ("grok.apikey", json!("12345678")),
            ]))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown setting grok.apikey (did you mean grok.api_key?); \
             grok.stream_chunk_timeout must be a whole number from 1 to 3600"
        );
        assert_eq!(settings.chat.max_choices, 4);
    }

    #[test]
    fn changes_take_their_normal_form() {
        let settings = Settings::default()
            .apply(&changes(&[
                ("global.base_url", json!("https://a.example/")),
                ("global.log_level", json!("warning")),
                ("grok.cf_clearance", json!("cf_clearance=abc")),
                ("grok.filtered_tags", json!("a, b")),
                ("pool.strategy", json!("Round_Robin")),
            ]))
            .unwrap();
        assert_eq!(settings.global.base_url, "https://a.example");
        assert_eq!(settings.global.log_level, crate::LogLevel::Warning);
        assert_eq!(settings.grok.cf_clearance.expose_secret(), "abc");
        assert_eq!(settings.grok.filtered_tags, "a,b");
        assert_eq!(settings.pool.strategy, crate::Strategy::RoundRobin);
    }

    #[test]
    fn every_default_passes_its_own_check_and_comes_back_unchanged() {
        let settings = Settings::default();
        for spec in specs() {
            let mut copy = settings.clone();
            (spec.write)(&mut copy, &(spec.read)(&settings))
                .unwrap_or_else(|refusal| panic!("{}: {refusal}", spec.key));
            assert_eq!((spec.read)(&copy), (spec.read)(&settings), "{}", spec.key);
        }
    }

    #[test]
    fn each_spec_writes_the_setting_it_reads() {
        let base = Settings::default();
        for spec in specs() {
            let sample = match (spec.read)(&base) {
                Value::Bool(on) => json!(!on),
                Value::Number(number) => json!(number.as_u64().unwrap() + 1),
                Value::String(old) => match spec.shape {
                    crate::spec::Shape::Choice(names) => json!(names.iter().find(|name| **name != old).unwrap()),
                    _ if spec.key.ends_with("_url") => json!("http://10.1.2.3:8080"),
                    _ if spec.key.starts_with("schedules.") => json!("every 3h"),
                    _ => json!("sample-value"),
                },
                other => panic!("{} has an odd default {other}", spec.key),
            };
            let mut changed = base.clone();
            (spec.write)(&mut changed, &sample).unwrap_or_else(|refusal| panic!("{}: {refusal}", spec.key));
            assert_eq!((spec.read)(&changed), sample, "{}", spec.key);
            let touched = specs().filter(|other| (other.read)(&changed) != (other.read)(&base)).count();
            assert_eq!(touched, 1, "{} changes something else", spec.key);
        }
    }

    #[test]
    fn c5_no_secret_shows_in_debug_output() {
        let settings = Settings::default().apply(&changes(&[("grok.api_key", json!("canary-5c1f2e9d"))])).unwrap();
        assert!(!format!("{settings:?}").contains("canary"));
        assert!(!format!("{:?}", settings.get("grok.api_key")).contains("canary"));
        let refused = settings.apply(&changes(&[("grok.proxy_url", json!("canary://x"))])).unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("canary"));
    }

    #[test]
    fn text_is_read_by_the_settings_kind() {
        assert_eq!(Settings::parse_value("chat.max_choices", "3").unwrap(), json!(3));
        assert_eq!(Settings::parse_value("grok.temporary", "off").unwrap(), json!(false));
        assert_eq!(Settings::parse_value("grok.api_key", "12345678").unwrap(), json!("12345678"));
        assert_eq!(
            Settings::parse_value("chat.max_choices", "x").unwrap_err().to_string(),
            "chat.max_choices must be a whole number"
        );
    }
}
