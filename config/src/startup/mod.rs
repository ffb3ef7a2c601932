//! What is fixed when the process starts: addresses, places, secrets, limits.

mod admin;
mod environment;
mod error;
mod keys;
mod layer;
mod load;
mod log;
mod media;
mod scheduler;
mod server;
mod source;
mod surroundings;
mod upstream;
mod worker;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use secrecy::SecretString;

pub use admin::AdminConfig;
pub use error::{ConfigError, KeyProblem};
pub use keys::ConfigEntry;
pub use load::{Loaded, StartUpFlags, Warning};
pub use log::{LogConfig, LogFormat};
pub use media::{MediaConfig, MediaStore, S3Config};
pub use scheduler::SchedulerConfig;
pub use server::ServerConfig;
pub use source::{Provenance, Source};
pub use surroundings::Surroundings;
pub use upstream::{FetchConfig, UpstreamConfig};
pub use worker::WorkerConfig;

use crate::{ModelSpec, Settings};

/// The start-up configuration, complete and validated.
#[derive(Debug, Clone)]
pub struct StartUp {
    /// Where the database, the master key and media lie. Default `./data`.
    pub data_dir: PathBuf,
    /// Address we listen on. Default `127.0.0.1:8000`.
    pub listen: SocketAddr,
    /// Where records are kept. Default `file`.
    pub storage_mode: StorageMode,
    /// Address of the database server; unused in `file` mode.
    pub database_url: Option<SecretString>,
    /// Address of the Redis server that carries jobs between processes; `None` keeps them in one process.
    pub redis_url: Option<SecretString>,
    /// What all keys and channels of ours in Redis begin with. Default `grok2api`.
    pub redis_prefix: String,
    /// Master key that seals stored secrets; `None` means the file `secret.key` in `data_dir`.
    pub secret_key: Option<SecretString>,
    /// Former master keys whose data must stay readable, newest first.
    pub secret_keys_old: Vec<SecretString>,
    /// How log lines look.
    pub log: LogConfig,
    /// Limits of the HTTP server.
    pub server: ServerConfig,
    /// How we reach Grok.
    pub upstream: UpstreamConfig,
    /// How many jobs a process works on.
    pub worker: WorkerConfig,
    /// Where a process that only says what is due can be reached.
    pub scheduler: SchedulerConfig,
    /// The first administrator.
    pub admin: AdminConfig,
    /// Where generated pictures and videos lie.
    pub media: MediaConfig,
    /// Changed and added rows of the model table.
    pub models: Vec<ModelSpec>,
    /// What the runtime settings are before anything is stored.
    pub settings: Settings,
}

/// Where records are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StorageMode {
    /// In a database file below `data_dir`; nothing else is needed.
    File,
    /// On a `MySQL` or `MariaDB` server.
    Mysql,
    /// On a `PostgreSQL` server.
    Postgres,
    /// In a database file below `data_dir` that may vanish; accounts, settings and keys are mirrored in Redis.
    Redis,
}

impl Default for StartUp {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./data"),
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8000),
            storage_mode: StorageMode::File,
            database_url: None,
            redis_url: None,
            redis_prefix: "grok2api".to_owned(),
            secret_key: None,
            secret_keys_old: Vec::new(),
            log: LogConfig::default(),
            server: ServerConfig::default(),
            upstream: UpstreamConfig::default(),
            worker: WorkerConfig::default(),
            scheduler: SchedulerConfig::default(),
            admin: AdminConfig::default(),
            media: MediaConfig::default(),
            models: Vec::new(),
            settings: Settings::default(),
        }
    }
}

impl StorageMode {
    pub(crate) const NAMES: &'static [&'static str] = &["file", "mysql", "postgres", "redis"];

    /// The mode of that name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "file" => Some(Self::File),
            "mysql" => Some(Self::Mysql),
            "postgres" => Some(Self::Postgres),
            "redis" => Some(Self::Redis),
            _ => None,
        }
    }

    /// The name as the operator writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Mysql => "mysql",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
        }
    }
}
