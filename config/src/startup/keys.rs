//! All keys of the start-up configuration, whatever part of the program they belong to.

use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Provenance, StartUp, StorageMode, admin, log, media, scheduler, server, upstream, worker};
use crate::settings::{self, shown};
use crate::spec::{Refusal, Shape, Spec, accept};
use crate::{Settings, models};

/// The key under which the model table is changed.
pub(super) const MODELS: &str = "models";

/// One key of the configuration.
#[derive(Clone, Copy)]
pub(super) enum Key {
    /// Fixed when the process starts.
    StartUp(&'static Spec<StartUp>),
    /// May change while it runs.
    Setting(&'static Spec<Settings>),
    /// The model table.
    Models,
}

/// One value of the configuration as it may be shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConfigEntry {
    /// Dotted name.
    pub key: &'static str,
    /// Value in force; of a secret only the mask and its last characters.
    pub value: Value,
    /// Where the value comes from.
    pub source: String,
    /// Whether the value is never shown.
    pub secret: bool,
    /// One sentence with unit and bounds.
    pub doc: &'static str,
}

fn startup_specs() -> impl Iterator<Item = &'static Spec<StartUp>> {
    [SPECS, admin::SPECS, log::SPECS, media::SPECS, server::SPECS, upstream::SPECS, worker::SPECS, scheduler::SPECS]
        .into_iter()
        .flatten()
}

/// The names of all keys.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    startup_specs().map(|spec| spec.key).chain(std::iter::once(MODELS)).chain(settings::keys())
}

impl Key {
    /// The key of that dotted name.
    pub(super) fn find(name: &str) -> Option<Self> {
        if name == MODELS {
            return Some(Self::Models);
        }
        let startup = startup_specs().find(|spec| spec.key == name).map(Self::StartUp);
        startup.or_else(|| settings::find(name).map(Self::Setting))
    }

    /// Its dotted name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::StartUp(spec) => spec.key,
            Self::Setting(spec) => spec.key,
            Self::Models => MODELS,
        }
    }

    /// Whether its value is never shown, and may be given as a file.
    pub(super) fn is_secret(self) -> bool {
        match self {
            Self::StartUp(spec) => spec.secret,
            Self::Setting(spec) => spec.secret,
            Self::Models => false,
        }
    }

    /// How its value looks as text.
    pub(super) fn shape(self) -> Shape {
        match self {
            Self::StartUp(spec) => spec.shape,
            Self::Setting(spec) => spec.shape,
            Self::Models => Shape::List,
        }
    }
}

impl StartUp {
    /// The whole configuration, key by key, with the source of each value; secrets are redacted.
    pub fn describe(&self, provenance: &Provenance) -> Vec<ConfigEntry> {
        let entry = |key: &'static str, value: Value, secret: bool, doc: &'static str| ConfigEntry {
            key,
            value: shown(secret, value),
            source: provenance.of(key).to_string(),
            secret,
            doc,
        };
        let ids: Vec<&str> = self.models.iter().map(|row| row.id.as_str()).collect();
        let mut entries: Vec<ConfigEntry> =
            startup_specs().map(|spec| entry(spec.key, (spec.read)(self), spec.secret, spec.doc)).collect();
        entries.push(entry(MODELS, json!(ids), false, "Changed and added rows of the model table, by id."));
        entries
            .extend(settings::specs().map(|spec| entry(spec.key, (spec.read)(&self.settings), spec.secret, spec.doc)));
        entries
    }

    /// Takes the value of one key.
    pub(super) fn take(&mut self, key: Key, value: &Value) -> Result<(), Taken> {
        match key {
            Key::StartUp(spec) => (spec.write)(self, value).map_err(Taken::Refused),
            Key::Setting(spec) => (spec.write)(&mut self.settings, value).map_err(Taken::Refused),
            Key::Models => models::parse(value).map(|rows| self.models = rows).map_err(Taken::Model),
        }
    }
}

/// Why a value was not taken.
pub(super) enum Taken {
    /// The value is not allowed.
    Refused(Refusal),
    /// An entry of the model table is not allowed.
    Model(models::ModelError),
}

fn exposed(secret: Option<&secrecy::SecretString>) -> Value {
    json!(secret.map(ExposeSecret::expose_secret))
}

const SPECS: &[Spec<StartUp>] = &[
    Spec {
        key: "data_dir",
        doc: "Where the database, the master key and media lie.",
        shape: Shape::Text,
        secret: false,
        read: |startup| json!(startup.data_dir.display().to_string()),
        write: |startup, value| accept::path(value).map(|path| startup.data_dir = path),
    },
    Spec {
        key: "listen",
        doc: "Address and port the server listens on.",
        shape: Shape::Text,
        secret: false,
        read: |startup| json!(startup.listen.to_string()),
        write: |startup, value| accept::listen(value).map(|address| startup.listen = address),
    },
    Spec {
        key: "storage_mode",
        doc: "Where records are kept: file is the database in data_dir, postgres and mysql need database_url, redis (one node whose disk may vanish) needs redis_url.",
        shape: Shape::Choice(StorageMode::NAMES),
        secret: false,
        read: |startup| json!(startup.storage_mode.as_str()),
        write: |startup, value| {
            startup.storage_mode =
                StorageMode::parse(accept::text(value)?).ok_or(Refusal::NotOneOf(StorageMode::NAMES))?;
            Ok(())
        },
    },
    Spec {
        key: "database_url",
        doc: "Address of the database server; unused in file mode. In redis mode it may stand for redis_url.",
        shape: Shape::Text,
        secret: true,
        read: |startup| exposed(startup.database_url.as_ref()),
        write: |startup, value| accept::secret(value).map(|url| startup.database_url = url),
    },
    Spec {
        key: "redis_url",
        doc: "Address of the Redis server that carries jobs between processes; without it they stay in one process.",
        shape: Shape::Text,
        secret: true,
        read: |startup| exposed(startup.redis_url.as_ref()),
        write: |startup, value| accept::secret(value).map(|url| startup.redis_url = url),
    },
    Spec {
        key: "redis_prefix",
        doc: "What all keys and channels of ours in Redis begin with.",
        shape: Shape::Text,
        secret: false,
        read: |startup| json!(startup.redis_prefix),
        write: |startup, value| accept::key_prefix(value).map(|prefix| startup.redis_prefix = prefix),
    },
    Spec {
        key: "secret_key",
        doc: "Master key that seals stored secrets, at least 32 random characters; without it secret.key in data_dir is used.",
        shape: Shape::Text,
        secret: true,
        read: |startup| exposed(startup.secret_key.as_ref()),
        write: |startup, value| accept::secret(value).map(|key| startup.secret_key = key),
    },
    Spec {
        key: "secret_keys_old",
        doc: "Former master keys whose data must stay readable, newest first.",
        shape: Shape::List,
        secret: true,
        read: |startup| startup.secret_keys_old.iter().map(ExposeSecret::expose_secret).collect(),
        write: |startup, value| accept::secrets(value).map(|keys| startup.secret_keys_old = keys),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_in_the_documentation() {
        let documentation = include_str!("../../../docs/configuration.md");
        let missing: Vec<&str> = names().filter(|key| !documentation.contains(&format!("`{key}`"))).collect();
        assert!(missing.is_empty(), "docs/configuration.md says nothing of {missing:?}");
    }
}
