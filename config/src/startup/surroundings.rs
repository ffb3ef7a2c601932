//! What a process is started with. The only place that looks at the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::ConfigError;

/// What a process is started with, apart from its flags.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Environment variables that matter to us.
    pub variables: BTreeMap<String, String>,
    /// Where `grok2api.toml` is looked for.
    pub working_dir: PathBuf,
    /// The configuration of the whole machine.
    pub system_file: PathBuf,
}

/// Variables beside `GROK2API_…` that have a meaning here.
const FOREIGN: &[&str] = &[
    "DATABASE_URL",
    "DATABASE_URL_FILE",
    "NO_COLOR",
    "PORT",
    "REDIS_URL",
    "REDIS_URL_FILE",
    "RUST_LOG",
    "STORAGE_MODE",
];

impl Surroundings {
    /// Those of this process.
    ///
    /// # Errors
    /// When a variable that matters is no text.
    pub fn of_process() -> Result<Self, ConfigError> {
        let mut variables = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str() else { continue };
            if name.starts_with("GROK2API_") || FOREIGN.contains(&name) {
                let text = value.into_string().map_err(|_| ConfigError::NotText { variable: name.to_owned() })?;
                variables.insert(name.to_owned(), text);
            }
        }
        Ok(Self { variables, working_dir: PathBuf::from("."), system_file: PathBuf::from("/etc/grok2api/config.toml") })
    }
}
