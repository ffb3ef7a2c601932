//! Environment variables as layers of the configuration.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::keys::Key;
use super::layer::Layer;
use super::{ConfigError, Source};

const PREFIX: &str = "GROK2API_";
const FILE_SUFFIX: &str = "_FILE";
/// Names the configuration file; read before everything else.
pub(super) const CONFIG_VARIABLE: &str = "GROK2API_CONFIG";

/// Variables of other programs and of the old gateway, with the key each stands for.
const FALL_BACKS: &[(&str, &str)] = &[
    ("STORAGE_MODE", "storage_mode"),
    ("DATABASE_URL", "database_url"),
    ("REDIS_URL", "redis_url"),
    ("RUST_LOG", "log.filter"),
];

/// What `STORAGE_MODE`, `DATABASE_URL`, `REDIS_URL` and `RUST_LOG` say.
pub(super) fn fall_backs(variables: &BTreeMap<String, String>) -> Result<Layer, ConfigError> {
    let mut layer = Layer::default();
    for (variable, key) in FALL_BACKS {
        let Some(key) = Key::find(key) else { continue };
        if let Some(text) = variables.get(*variable) {
            layer.text(key, text, Source::Environment((*variable).to_owned()));
        }
        let file_variable = format!("{variable}{FILE_SUFFIX}");
        if let Some(path) = variables.get(&file_variable).filter(|path| !path.is_empty() && key.is_secret()) {
            secret_file(&mut layer, variables, key, variable, path)?;
        }
    }
    if variables.get("NO_COLOR").is_some_and(|text| !text.is_empty())
        && let Some(key) = Key::find("log.color")
    {
        layer.text(key, "false", Source::Environment("NO_COLOR".to_owned()));
    }
    Ok(layer)
}

/// What the variables `GROK2API_…` say; two underscores stand for a dot.
pub(super) fn own(variables: &BTreeMap<String, String>) -> Result<Layer, ConfigError> {
    let mut layer = Layer::default();
    for (variable, text) in variables {
        let Some(rest) = variable.strip_prefix(PREFIX) else { continue };
        if variable == CONFIG_VARIABLE || is_service_link(rest, text) {
            continue;
        }
        let name = rest.to_ascii_lowercase().replace("__", ".");
        let of_file = name.strip_suffix("_file").and_then(Key::find).filter(|key| key.is_secret());
        match (Key::find(&name), of_file) {
            (Some(key), _) => layer.text(key, text, Source::Environment(variable.clone())),
            (None, Some(_)) if text.is_empty() => {}
            (None, Some(key)) => {
                let plain = variable.trim_end_matches(FILE_SUFFIX);
                secret_file(&mut layer, variables, key, plain, text)?;
            }
            (None, None) => layer.unknown(&name, Source::Environment(variable.clone())),
        }
    }
    Ok(layer)
}

/// Adds a secret that lies in a file, as container platforms hand it over.
fn secret_file(
    layer: &mut Layer,
    variables: &BTreeMap<String, String>,
    key: Key,
    variable: &str,
    path: &str,
) -> Result<(), ConfigError> {
    if variables.get(variable).is_some_and(|text| !text.is_empty()) {
        return Err(ConfigError::Twice { variable: variable.to_owned() });
    }
    let path = PathBuf::from(path);
    let file_variable = format!("{variable}{FILE_SUFFIX}");
    let text = fs::read_to_string(&path).map(Zeroizing::new).map_err(|source| ConfigError::Read {
        path: path.clone(),
        asked_by: Source::Environment(file_variable.clone()),
        source,
    })?;
    layer.text(key, text.trim(), Source::SecretFile { variable: file_variable, path });
    Ok(())
}

/// Whether Kubernetes made the variable because a service is called `grok2api`:
/// `GROK2API_SERVICE_HOST`, `GROK2API_PORT=tcp://…`, `GROK2API_PORT_8000_TCP_ADDR` and so on.
fn is_service_link(rest: &str, text: &str) -> bool {
    let of_port = rest.strip_prefix("PORT_").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    of_port || rest.starts_with("SERVICE_") || (rest == "PORT" && text.contains("://"))
}
