//! Putting the layers together: flags over environment over files over defaults.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::environment::{self, CONFIG_VARIABLE};
use super::keys::{Key, Taken};
use super::layer::Layer;
use super::{ConfigError, KeyProblem, LogFormat, Provenance, Source, StartUp, StorageMode, Surroundings};
use crate::spec::Refusal;

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub struct StartUpFlags {
    /// `--config`: a file over `./grok2api.toml` and `/etc/grok2api/config.toml`.
    pub config: Option<PathBuf>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--log-format`.
    pub log_format: Option<LogFormat>,
}

/// A loaded configuration with all that is known about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub startup: StartUp,
    /// Where each value comes from.
    pub provenance: Provenance,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Warning>,
}

/// Something that is allowed but probably not meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// A server's address is set that nothing uses.
    #[error("{key} ({origin}) is set, but storage_mode is {mode}: it is not used")]
    Unused {
        /// The key.
        key: &'static str,
        /// Where its value stands.
        origin: Source,
        /// The mode that does not use it.
        mode: &'static str,
    },
}

impl StartUp {
    /// Loads the configuration of this process.
    ///
    /// # Errors
    /// When a file cannot be read or parsed, or keys or values are wrong: all of them are reported together.
    pub fn load(flags: &StartUpFlags) -> Result<Loaded, ConfigError> {
        Self::load_in(flags, &Surroundings::of_process()?)
    }

    /// Loads the configuration in the given surroundings.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_in(flags: &StartUpFlags, around: &Surroundings) -> Result<Loaded, ConfigError> {
        let mut loading = Loading::default();
        loading.add(Layer::of_optional_file(&around.system_file)?);
        loading.add(Layer::of_optional_file(&around.working_dir.join("grok2api.toml"))?);
        let variable = around.variables.get(CONFIG_VARIABLE).filter(|path| !path.is_empty());
        match (&flags.config, variable) {
            (Some(path), _) => loading.add(Layer::of_named_file(path, Source::Flag("--config"))?),
            (None, Some(path)) => {
                let asked_by = Source::Environment(CONFIG_VARIABLE.to_owned());
                loading.add(Layer::of_named_file(Path::new(path), asked_by)?);
            }
            (None, None) => {}
        }
        loading.add(environment::fall_backs(&around.variables)?);
        loading.port(&around.variables);
        loading.add(environment::own(&around.variables)?);
        loading.add(of_flags(flags));
        loading.finish()
    }
}

/// A configuration that is being put together, lowest layer first.
#[derive(Default)]
struct Loading {
    startup: StartUp,
    provenance: Provenance,
    problems: Vec<KeyProblem>,
}

impl Loading {
    fn add(&mut self, layer: Layer) {
        self.problems.extend(layer.problems);
        for (key, value, origin) in layer.values {
            match self.startup.take(key, &value) {
                Ok(()) => self.provenance.note(key.name(), origin),
                Err(Taken::Refused(refusal)) => {
                    self.problems.push(KeyProblem::Refused { key: key.name(), origin, refusal });
                }
                Err(Taken::Model(error)) => self.problems.push(KeyProblem::Model { origin, error }),
            }
        }
    }

    /// `PORT` changes the port alone: it must not open the server to the network.
    fn port(&mut self, variables: &BTreeMap<String, String>) {
        let Some(text) = variables.get("PORT").filter(|text| !text.is_empty()) else { return };
        let origin = Source::Environment("PORT".to_owned());
        if let Ok(port) = text.trim().parse() {
            self.startup.listen.set_port(port);
            self.provenance.note("listen", origin);
        } else {
            let refusal = Refusal::OutOfRange { min: 0, max: u64::from(u16::MAX) };
            self.problems.push(KeyProblem::Refused { key: "listen", origin, refusal });
        }
    }

    /// In mode `redis`, `database_url` may name the server too, as it did for the old gateway.
    fn find_redis(&mut self) {
        if self.startup.redis_url.is_some() {
            return;
        }
        let names_redis = |url: &SecretString| {
            let url = url.expose_secret();
            url.starts_with("redis://") || url.starts_with("rediss://")
        };
        if self.startup.database_url.as_ref().is_some_and(names_redis) {
            self.startup.redis_url = self.startup.database_url.take();
            let origin = self.provenance.of("database_url").clone();
            self.provenance.note("redis_url", origin);
        } else {
            let origin = self.provenance.of("storage_mode").clone();
            let expected = "set to a redis:// address (or database_url be one)";
            let because = "storage_mode is redis";
            self.problems.push(KeyProblem::Misfit { key: "redis_url", expected, because, origin });
        }
    }

    fn finish(mut self) -> Result<Loaded, ConfigError> {
        let mode = self.startup.storage_mode;
        if mode == StorageMode::Redis {
            self.find_redis();
        }
        if matches!(mode, StorageMode::Postgres | StorageMode::Mysql) && self.startup.database_url.is_none() {
            let origin = self.provenance.of("storage_mode").clone();
            let because = "storage_mode is postgres or mysql";
            self.problems.push(KeyProblem::Misfit { key: "database_url", expected: "set", because, origin });
        }
        for (key, expected, because) in self.startup.media.misfits() {
            let origin = self.provenance.of(key).clone();
            self.problems.push(KeyProblem::Misfit { key, expected, because, origin });
        }
        if !self.problems.is_empty() {
            return Err(ConfigError::Invalid(self.problems));
        }
        let mut warnings = Vec::new();
        if matches!(mode, StorageMode::File | StorageMode::Redis) && self.startup.database_url.is_some() {
            let origin = self.provenance.of("database_url").clone();
            warnings.push(Warning::Unused { key: "database_url", origin, mode: mode.as_str() });
        }
        Ok(Loaded { startup: self.startup, provenance: self.provenance, warnings })
    }
}

fn of_flags(flags: &StartUpFlags) -> Layer {
    let given = [
        ("data_dir", "--data-dir", flags.data_dir.as_ref().map(|path| path.to_string_lossy().into_owned())),
        ("listen", "--listen", flags.listen.map(|address| address.to_string())),
        ("log.format", "--log-format", flags.log_format.map(|format| format.as_str().to_owned())),
    ];
    let mut layer = Layer::default();
    for (key, flag, text) in given {
        if let (Some(key), Some(text)) = (Key::find(key), text) {
            layer.values.push((key, json!(text), Source::Flag(flag)));
        }
    }
    layer
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::fs;

    use secrecy::ExposeSecret;
    use tempfile::TempDir;

    use super::*;

    /// A machine with its own files and variables.
    struct Machine {
        dir: TempDir,
        around: Surroundings,
    }

    impl Machine {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let around = Surroundings {
                variables: BTreeMap::new(),
                working_dir: dir.path().to_owned(),
                system_file: dir.path().join("system.toml"),
            };
            Self { dir, around }
        }

        fn file(&self, name: &str, text: &str) -> PathBuf {
            let path = self.dir.path().join(name);
            fs::write(&path, text).unwrap();
            path
        }

        fn set(mut self, variable: &str, text: &str) -> Self {
            self.around.variables.insert(variable.to_owned(), text.to_owned());
            self
        }

        fn load(&self) -> Result<Loaded, ConfigError> {
            StartUp::load_in(&StartUpFlags::default(), &self.around)
        }

        fn error(&self) -> String {
            self.load().unwrap_err().to_string().replace(&self.dir.path().display().to_string(), "DIR")
        }
    }

    #[test]
    fn nothing_needs_to_be_set() {
        let loaded = Machine::new().load().unwrap();
        assert_eq!(loaded.startup.listen.to_string(), "127.0.0.1:8000");
        assert_eq!(loaded.startup.upstream.base_url.as_str(), "https://grok.com/");
        assert_eq!(loaded.startup.upstream.assets_base_url.as_str(), "https://assets.grok.com/");
        assert!(loaded.warnings.is_empty());
        assert!(loaded.startup.describe(&loaded.provenance).iter().all(|entry| entry.source == "default"));
    }

    #[test]
    fn a_higher_layer_wins_and_is_named_as_the_source() {
        let machine = Machine::new()
            .set("GROK2API_LISTEN", "127.0.0.1:4")
            .set("GROK2API_SERVER__SHUTDOWN_GRACE_SECS", "4")
            .set("GROK2API_CHAT__MAX_CHOICES", "5");
        let all = "listen = '127.0.0.1:N'\ndata_dir = 'dN'\n[server]\nmax_connections = N\nshutdown_grace_secs = N\n";
        machine.file("system.toml", &format!("{}request_timeout_secs = 1", all.replace('N', "1")));
        machine.file("grok2api.toml", &all.replace('N', "2"));
        let named = machine.file("named.toml", "data_dir = 'd3'\n[server]\nshutdown_grace_secs = 3");
        let flags =
            StartUpFlags { config: Some(named.clone()), listen: "127.0.0.1:5".parse().ok(), ..StartUpFlags::default() };
        let Loaded { startup, provenance, .. } = StartUp::load_in(&flags, &machine.around).unwrap();

        assert_eq!((startup.server.request_timeout_secs, startup.server.max_connections), (1, 2));
        assert_eq!((startup.data_dir.to_str(), startup.server.shutdown_grace_secs), (Some("d3"), 4));
        assert_eq!((startup.listen.port(), startup.settings.chat.max_choices), (5, 5));
        assert_eq!(*provenance.of("listen"), Source::Flag("--listen"));
        assert_eq!(*provenance.of("data_dir"), Source::File(named));
        assert_eq!(
            provenance.of("server.shutdown_grace_secs").to_string(),
            "environment variable GROK2API_SERVER__SHUTDOWN_GRACE_SECS"
        );
        assert_eq!(*provenance.of("log.format"), Source::Default);
        assert_eq!(provenance.files().len(), 3);
    }

    #[test]
    fn the_old_gateways_variables_work_below_our_own() {
        let machine = Machine::new()
            .set("STORAGE_MODE", "FILE")
            .set("PORT", "9000")
            .set("RUST_LOG", "debug")
            .set("NO_COLOR", "1");
        let Loaded { startup, provenance, .. } = machine.load().unwrap();
        assert_eq!(startup.listen.to_string(), "127.0.0.1:9000");
        assert_eq!((startup.log.filter.as_deref(), startup.log.color), (Some("debug"), false));
        assert_eq!(*provenance.of("storage_mode"), Source::Environment("STORAGE_MODE".to_owned()));

        let machine = machine.set("GROK2API_LISTEN", "0.0.0.0:80");
        assert_eq!(machine.load().unwrap().startup.listen.to_string(), "0.0.0.0:80");
        assert_eq!(
            Machine::new().set("PORT", "x").error(),
            "listen must be a whole number from 0 to 65535 (environment variable PORT)"
        );
    }

    #[test]
    fn a_storage_mode_is_known_and_has_what_it_needs() {
        assert_eq!(
            Machine::new().set("STORAGE_MODE", "mysql").error(),
            "database_url must be set while storage_mode is postgres or mysql (environment variable STORAGE_MODE)"
        );
        let mysql = Machine::new().set("STORAGE_MODE", "mysql").set("DATABASE_URL", "mysql://u:canary-1@h/d");
        assert_eq!(mysql.load().unwrap().startup.storage_mode, StorageMode::Mysql);
        let loaded = Machine::new().set("DATABASE_URL", "mysql://u:canary-1@h/d").load().unwrap();
        assert_eq!(
            loaded.warnings[0].to_string(),
            "database_url (environment variable DATABASE_URL) is set, but storage_mode is file: it is not used"
        );
    }

    #[test]
    fn redis_alone_is_named_by_either_variable() {
        let redis = || Machine::new().set("STORAGE_MODE", "redis");
        assert_eq!(
            redis().error(),
            "redis_url must be set to a redis:// address (or database_url be one) while storage_mode is redis \
             (environment variable STORAGE_MODE)"
        );
        assert!(redis().set("DATABASE_URL", "mysql://u:canary-1@h/d").error().starts_with("redis_url must be set"));
        let address = |machine: Machine| {
            let Loaded { startup, provenance, warnings } = machine.load().unwrap();
            assert!(warnings.is_empty() == startup.database_url.is_none(), "{warnings:?}");
            let url = startup.redis_url.unwrap();
            (url.expose_secret().to_owned(), provenance.of("redis_url").to_string())
        };
        let (old, new) = ("environment variable DATABASE_URL", "environment variable REDIS_URL");
        let theirs = || redis().set("DATABASE_URL", "redis://old");
        assert_eq!(address(theirs()), ("redis://old".to_owned(), old.to_owned()));
        assert_eq!(address(theirs().set("REDIS_URL", "redis://new")), ("redis://new".to_owned(), new.to_owned()));
    }

    #[test]
    fn all_mistakes_are_told_together_with_their_places() {
        let machine =
            Machine::new().set("GROK2API_SEVER__MAX_BODY_BYTES", "1").set("GROK2API_CHAT__MAX_CHOICES", "many");
        machine.file(
            "grok2api.toml",
            "[server]\nmax_body_bytes = 3\n[colours]\n[grok]\napi_key = 12345678\n[[models]]\nid = 'grok-9'\n",
        );
        let error = machine.error();
        let mut lines: Vec<&str> = error.lines().collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "[[models]] entry grok-9 is not built in, so it needs model_name (file DIR/grok2api.toml)",
                "chat.max_choices must be a whole number (environment variable GROK2API_CHAT__MAX_CHOICES)",
                "grok.api_key must be a text (file DIR/grok2api.toml)",
                "server.max_body_bytes must be a whole number from 1024 to 1073741824 (file DIR/grok2api.toml)",
                "unknown key colours (file DIR/grok2api.toml): `grok2api config show` lists all keys",
                "unknown key sever.max_body_bytes (environment variable GROK2API_SEVER__MAX_BODY_BYTES): \
                 did you mean server.max_body_bytes?",
            ]
        );
    }

    #[test]
    fn a_secret_may_lie_in_a_file() {
        let machine = Machine::new();
        let path = machine.file("key", "canary-in-a-file\n").display().to_string();
        let machine = machine.set("GROK2API_GROK__API_KEY_FILE", &path).set("GROK2API_UPSTREAM__USER_AGENT", "");
        let Loaded { startup, provenance, .. } = machine.load().unwrap();
        assert_eq!(startup.settings.grok.api_key.expose_secret(), "canary-in-a-file");
        assert!(matches!(provenance.of("grok.api_key"), Source::SecretFile { .. }));
        assert!(startup.upstream.user_agent.starts_with("grok2api/"));

        let machine = machine.set("GROK2API_GROK__API_KEY", "12345678");
        assert_eq!(
            machine.error(),
            "GROK2API_GROK__API_KEY and GROK2API_GROK__API_KEY_FILE are both set: keep one of them"
        );
        let machine = Machine::new().set("DATABASE_URL_FILE", "/nowhere/at/all");
        assert_eq!(machine.error(), "cannot read /nowhere/at/all (environment variable DATABASE_URL_FILE)");
        assert!(Machine::new().set("GROK2API_LISTEN_FILE", "/x").error().starts_with("unknown key listen_file"));
    }

    #[test]
    fn l1_a_broken_file_is_reported_without_its_line() {
        let machine = Machine::new();
        machine.file("grok2api.toml", "[grok]\napi_key = canary-8c1d unquoted\n");
        let error = machine.load().unwrap_err();
        assert!(machine.error().starts_with("DIR/grok2api.toml:2:"), "{error}");
        assert!(!format!("{error} {error:?}").contains("canary"));
        fs::remove_file(machine.dir.path().join("grok2api.toml")).unwrap();
        let flags = StartUpFlags { config: Some(machine.dir.path().join("none.toml")), ..StartUpFlags::default() };
        let error = StartUp::load_in(&flags, &machine.around).unwrap_err().to_string();
        assert!(error.ends_with("none.toml (flag --config)"), "{error}");
    }

    #[test]
    fn service_links_of_kubernetes_are_no_configuration() {
        let machine = Machine::new()
            .set("GROK2API_SERVICE_HOST", "10.0.0.1")
            .set("GROK2API_SERVICE_PORT_HTTP", "8000")
            .set("GROK2API_PORT", "tcp://10.0.0.1:8000")
            .set("GROK2API_PORT_8000_TCP_ADDR", "10.0.0.1");
        assert!(machine.load().is_ok());
        assert!(machine.set("GROK2API_PORT", "8000").load().is_err());
    }

    #[test]
    fn c5_no_secret_shows_in_what_config_show_prints_or_in_debug_output() {
        let machine = Machine::new();
        machine.file(
            "grok2api.toml",
            "database_url = 'postgres://u:canary-1@h/d'\nredis_url = 'redis://:canary-2@h'\n\
             secret_key = 'canary-3-canary-3-canary-3-canary-3'\nsecret_keys_old = ['canary-4']\n\
             [server]\nmetrics_token = 'canary-5'\nadmin_token = 'canary-9-canary-9'\n[admin]\npassword = 'canary-a-canary'\n[grok]\napi_key = 'canary-6'\nproxy_url = 'http://u:canary-7@p:1'\n\
             [upstream.extra_headers]\nx-pass = 'canary-8'\n",
        );
        let loaded = machine.load().unwrap();
        assert_eq!(loaded.startup.upstream.extra_headers["x-pass"], "canary-8");
        assert!(!format!("{loaded:?}").contains("canary"));
        let entries = loaded.startup.describe(&loaded.provenance);
        assert!(!serde_json::to_string(&entries).unwrap().contains("canary"));
        let headers = entries.iter().find(|entry| entry.key == "upstream.extra_headers").unwrap();
        assert_eq!(headers.value, json!({"x-pass": "********"}));
    }
}
