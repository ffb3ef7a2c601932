//! `[[models]]`: rows the operator changes or adds.

use serde_json::{Map, Value};

use super::table::built_in;
use super::{ModelSpec, Tier};
use crate::spec::nearest;

/// Why a `[[models]]` entry is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// `models` is no list of tables.
    #[error("models must be a list of tables, written as [[models]]")]
    NotTables,
    /// An entry has no id.
    #[error("[[models]] entry {position} has no id")]
    NoId {
        /// Position in the list, from 1.
        position: usize,
    },
    /// Two entries have the same id.
    #[error("[[models]] names {id} twice")]
    Twice {
        /// The id.
        id: String,
    },
    /// A member we do not know.
    #[error("[[models]] entry {id}: unknown member {member}{}", did_you_mean(*suggestion))]
    Unknown {
        /// The entry's id.
        id: String,
        /// The unknown member.
        member: String,
        /// A member with a similar name.
        suggestion: Option<&'static str>,
    },
    /// A member that a new model needs.
    #[error("[[models]] entry {id} is not built in, so it needs {member}")]
    Missing {
        /// The entry's id.
        id: String,
        /// The missing member.
        member: &'static str,
    },
    /// A member with a wrong value.
    #[error("[[models]] entry {id}: {member} must be {expected}")]
    Wrong {
        /// The entry's id.
        id: String,
        /// The member.
        member: &'static str,
        /// What is expected.
        expected: &'static str,
    },
}

const MEMBERS: &[&str] = &[
    "id",
    "model_name",
    "model_mode",
    "rate_limit_model",
    "cost",
    "tier",
    "video",
    "thinking",
    "search",
    "image",
    "display_name",
    "description",
    "default_max_output_tokens",
];

/// What a number may be, also in words.
struct Bounds {
    min: u32,
    max: u32,
    words: &'static str,
}

const COST: Bounds = Bounds { min: 0, max: 1000, words: "a whole number from 0 to 1000" };
const OUTPUT_TOKENS: Bounds = Bounds { min: 1, max: 131_072, words: "a whole number from 1 to 131072" };

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!(" (did you mean {name}?)")).unwrap_or_default()
}

/// Reads `[[models]]`: whole rows, each the built-in one of its id with the given members changed, or a new one.
pub(crate) fn parse(value: &Value) -> Result<Vec<ModelSpec>, ModelError> {
    let entries = value.as_array().ok_or(ModelError::NotTables)?;
    let built_in = built_in();
    let mut rows: Vec<ModelSpec> = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let entry = entry.as_object().ok_or(ModelError::NotTables)?;
        let id = entry.get("id").and_then(Value::as_str).map(str::trim).filter(|id| !id.is_empty());
        let id = id.ok_or(ModelError::NoId { position: index + 1 })?;
        if rows.iter().any(|row| row.id == id) {
            return Err(ModelError::Twice { id: id.to_owned() });
        }
        rows.push(Entry { id, members: entry }.row(built_in.iter().find(|row| row.id == id))?);
    }
    Ok(rows)
}

/// One entry as it was written.
struct Entry<'a> {
    id: &'a str,
    members: &'a Map<String, Value>,
}

impl Entry<'_> {
    fn row(&self, base: Option<&ModelSpec>) -> Result<ModelSpec, ModelError> {
        if let Some(member) = self.members.keys().find(|member| !MEMBERS.contains(&member.as_str())) {
            let suggestion = nearest(member, MEMBERS.iter().copied());
            return Err(ModelError::Unknown { id: self.id.to_owned(), member: member.clone(), suggestion });
        }
        let model_name = self.name("model_name", base.map(|row| row.model_name.as_str()))?;
        let budget = match base {
            Some(row) if !self.members.contains_key("model_name") => row.rate_limit_model.clone(),
            Some(_) | None => model_name.clone(),
        };
        Ok(ModelSpec {
            model_mode: self.name("model_mode", base.map(|row| row.model_mode.as_str()))?,
            rate_limit_model: self.name("rate_limit_model", Some(&budget))?,
            cost: self.number("cost", &COST, base.map_or(1, |row| row.cost))?,
            tier: self.tier(base.map_or(Tier::Basic, |row| row.tier))?,
            video: self.flag("video", base.is_some_and(|row| row.video))?,
            thinking: self.flag("thinking", base.is_some_and(|row| row.thinking))?,
            search: self.flag("search", base.is_none_or(|row| row.search))?,
            image: self.flag("image", base.is_none_or(|row| row.image))?,
            display_name: self.name("display_name", Some(base.map_or(self.id, |row| &row.display_name)))?,
            description: self.name("description", Some(base.map_or(self.id, |row| &row.description)))?,
            default_max_output_tokens: self.number(
                "default_max_output_tokens",
                &OUTPUT_TOKENS,
                base.map_or(8192, |row| row.default_max_output_tokens),
            )?,
            id: self.id.to_owned(),
            model_name,
        })
    }

    fn wrong(&self, member: &'static str, expected: &'static str) -> ModelError {
        ModelError::Wrong { id: self.id.to_owned(), member, expected }
    }

    fn name(&self, member: &'static str, default: Option<&str>) -> Result<String, ModelError> {
        let Some(value) = self.members.get(member) else {
            let default = default.ok_or_else(|| ModelError::Missing { id: self.id.to_owned(), member })?;
            return Ok(default.to_owned());
        };
        let text = value.as_str().map(str::trim).filter(|text| !text.is_empty() && text.len() <= 500);
        text.map(str::to_owned).ok_or_else(|| self.wrong(member, "a text of 1 to 500 bytes"))
    }

    fn number(&self, member: &'static str, bounds: &Bounds, default: u32) -> Result<u32, ModelError> {
        let Some(value) = self.members.get(member) else { return Ok(default) };
        value
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (bounds.min..=bounds.max).contains(number))
            .ok_or_else(|| self.wrong(member, bounds.words))
    }

    fn flag(&self, member: &'static str, default: bool) -> Result<bool, ModelError> {
        let Some(value) = self.members.get(member) else { return Ok(default) };
        value.as_bool().ok_or_else(|| self.wrong(member, "true or false"))
    }

    fn tier(&self, default: Tier) -> Result<Tier, ModelError> {
        let Some(value) = self.members.get("tier") else { return Ok(default) };
        value.as_str().and_then(Tier::parse).ok_or_else(|| self.wrong("tier", "basic or super"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_built_in_row_changes_only_where_told() {
        let rows = parse(&json!([{"id": "grok-4-expert", "model_mode": "MODEL_MODE_NEW", "cost": 2}])).unwrap();
        assert_eq!(rows[0].model_mode, "MODEL_MODE_NEW");
        assert_eq!(rows[0].cost, 2);
        assert_eq!(rows[0].model_name, "grok-4");
        assert_eq!(rows[0].display_name, "Grok 4 Expert");
        assert!(rows[0].thinking);
    }

    #[test]
    fn a_new_row_needs_only_its_upstream_names() {
        let rows =
            parse(&json!([{"id": "grok-9", "model_name": "grok-9-x", "model_mode": "MODEL_MODE_FAST"}])).unwrap();
        assert_eq!(rows[0].rate_limit_model, "grok-9-x");
        assert_eq!(rows[0].display_name, "grok-9");
        assert_eq!((rows[0].cost, rows[0].tier), (1, Tier::Basic));
    }

    #[test]
    fn a_bad_entry_says_what_is_wrong() {
        let text = |value| parse(&value).unwrap_err().to_string();
        assert_eq!(text(json!([{"model_name": "x"}])), "[[models]] entry 1 has no id");
        assert_eq!(
            text(json!([{"id": "grok-9", "model_mode": "M"}])),
            "[[models]] entry grok-9 is not built in, so it needs model_name"
        );
        assert_eq!(
            text(json!([{"id": "grok-4-fast", "model_mod": "M"}])),
            "[[models]] entry grok-4-fast: unknown member model_mod (did you mean model_mode?)"
        );
        assert_eq!(
            text(json!([{"id": "grok-4-fast", "cost": 1001}])),
            "[[models]] entry grok-4-fast: cost must be a whole number from 0 to 1000"
        );
        assert_eq!(text(json!([{"id": "grok-3-fast"}, {"id": "grok-3-fast"}])), "[[models]] names grok-3-fast twice");
        assert_eq!(text(json!({"id": "x"})), "models must be a list of tables, written as [[models]]");
    }
}
