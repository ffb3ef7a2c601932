//! All settings with their documentation, fit to be shown.

use serde::Serialize;
use serde_json::Value;

use super::Settings;
use super::apply::specs;
use crate::secret::redact_text;
use crate::spec::Shape;

/// One setting as it may be shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SettingInfo {
    /// Name, such as `grok.api_key`.
    pub key: &'static str,
    /// Current value; of a secret only the mask and its last characters.
    pub value: Value,
    /// Value when nothing is set.
    pub default: Value,
    /// Whether the value is never shown.
    pub secret: bool,
    /// One sentence with unit and bounds.
    pub doc: &'static str,
    /// The only values allowed, when there is a list of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choices: Option<&'static [&'static str]>,
}

impl Settings {
    /// All settings in their order, secrets redacted.
    pub fn describe(&self) -> Vec<SettingInfo> {
        let defaults = Self::default();
        specs()
            .map(|spec| SettingInfo {
                key: spec.key,
                value: shown(spec.secret, (spec.read)(self)),
                default: shown(spec.secret, (spec.read)(&defaults)),
                secret: spec.secret,
                doc: spec.doc,
                choices: match spec.shape {
                    Shape::Choice(names) => Some(names),
                    Shape::Flag | Shape::Whole | Shape::Text | Shape::List | Shape::Map => None,
                },
            })
            .collect()
    }
}

/// A value fit to be shown: texts inside a secret are redacted, however deep they lie.
pub(crate) fn shown(secret: bool, value: Value) -> Value {
    match value {
        Value::String(text) if secret => Value::String(redact_text(&text)),
        Value::Array(items) if secret => items.into_iter().map(|item| shown(true, item)).collect(),
        Value::Object(members) if secret => {
            members.into_iter().map(|(name, member)| (name, shown(true, member))).collect()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[test]
    fn c5_a_description_shows_no_secret() {
        let secrets =
            ["grok.api_key", "grok.proxy_url", "grok.cache_proxy_url", "grok.cf_clearance", "grok.x_statsig_id"];
        let changes: BTreeMap<String, Value> = secrets
            .iter()
            .map(|key| {
                let url = if key.ends_with("_url") { "http://u:canary-7d3a@p:3128" } else { "canary-7d3a-x" };
                ((*key).to_owned(), json!(url))
            })
            .collect();
        let described = Settings::default().apply(&changes).unwrap().describe();
        assert!(!serde_json::to_string(&described).unwrap().contains("canary"));
        let shown = described.iter().filter(|info| info.secret).map(|info| info.value.as_str().unwrap());
        assert_eq!(shown.collect::<Vec<_>>(), ["********", "********3128", "********3128", "********", "********"]);
    }

    #[test]
    fn every_setting_is_described_once() {
        let described = Settings::default().describe();
        let mut keys: Vec<&str> = described.iter().map(|info| info.key).collect();
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!((keys.len(), count), (specs().count(), specs().count()));
        assert!(described.iter().all(|info| info.doc.ends_with('.') && info.value == info.default));
    }
}
