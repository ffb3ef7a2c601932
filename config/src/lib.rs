//! What the operator set: start-up configuration, runtime settings, the model table and the keys that protect secrets.

pub mod client_key;
pub mod models;
pub mod secret;
pub mod settings;
mod spec;
pub mod startup;
pub mod vault;

pub use models::{FIRST_SEEN, ModelSpec, ModelTable, Tier, UsualBudget};
pub use settings::{
    Cadence, ChatSettings, GlobalSettings, GrokSettings, HealthSettings, ImageMode, ImageSettings, JobSettings,
    LogLevel, PoolSettings, ProgressWording, ReasoningFormat, SEED_SECTIONS, ScheduleSettings, SeedChanges, SeedEntry,
    SeedKey, SeedProblem, SettingInfo, SettingProblem, SettingValue, Settings, SettingsError, SettingsHandle, Strategy,
    UsageSettings, VideoSettings, seed_entries,
};
pub use spec::Refusal;
pub use startup::{
    AdminConfig, ConfigEntry, ConfigError, FetchConfig, KeyProblem, Loaded, LogConfig, LogFormat, MediaConfig,
    MediaStore, Provenance, S3Config, SchedulerConfig, ServerConfig, Source, StartUp, StartUpFlags, StorageMode,
    Surroundings, UpstreamConfig, Warning, WorkerConfig,
};
pub use vault::{Vault, VaultError};
