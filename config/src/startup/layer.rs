//! One layer of the configuration: values by key, all from the same kind of place.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde_json::{Map, Value};

use super::keys::{Key, names};
use super::{ConfigError, KeyProblem, Source};
use crate::spec::nearest;

/// Values by key, with the source of each.
#[derive(Default)]
pub(super) struct Layer {
    pub(super) values: Vec<(Key, Value, Source)>,
    pub(super) problems: Vec<KeyProblem>,
}

impl Layer {
    /// The values of a TOML file that need not be there.
    pub(super) fn of_optional_file(path: &Path) -> Result<Self, ConfigError> {
        match fs::read_to_string(path) {
            Ok(text) => Self::of_toml(path, &text),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ConfigError::Read { path: path.to_owned(), asked_by: Source::Default, source }),
        }
    }

    /// The values of a TOML file that `asked_by` names.
    pub(super) fn of_named_file(path: &Path, asked_by: Source) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), asked_by, source })?;
        Self::of_toml(path, &text)
    }

    fn of_toml(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| syntax_error(path, text, &error))?;
        let mut layer = Self::default();
        if let Ok(Value::Object(members)) = serde_json::to_value(table) {
            layer.flatten("", members, &Source::File(path.to_owned()));
        }
        Ok(layer)
    }

    /// Adds a value given as text; an empty text counts as not given.
    pub(super) fn text(&mut self, key: Key, text: &str, source: Source) {
        if text.is_empty() {
            return;
        }
        match key.shape().parse(text) {
            Ok(value) => self.values.push((key, value, source)),
            Err(refusal) => self.problems.push(KeyProblem::Refused { key: key.name(), origin: source, refusal }),
        }
    }

    /// Notes a key that does not exist.
    pub(super) fn unknown(&mut self, key: &str, source: Source) {
        let suggestion = nearest(key, names());
        self.problems.push(KeyProblem::Unknown { key: key.to_owned(), origin: source, suggestion });
    }

    fn flatten(&mut self, prefix: &str, members: Map<String, Value>, source: &Source) {
        for (name, value) in members {
            let key = format!("{prefix}{name}");
            match (Key::find(&key), value) {
                (Some(known), value) => self.values.push((known, value, source.clone())),
                (None, Value::Object(inner)) if is_section(&key) => self.flatten(&format!("{key}."), inner, source),
                (None, _) => self.unknown(&key, source.clone()),
            }
        }
    }
}

/// Whether keys lie below `name`.
fn is_section(name: &str) -> bool {
    names().any(|key| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

/// The place and the reason, without the line itself: it may hold a secret.
fn syntax_error(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    ConfigError::Syntax {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        message: error.message().to_owned(),
    }
}
