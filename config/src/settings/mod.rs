//! Settings that may change while the process runs.

mod apply;
mod cadence;
mod chat;
mod describe;
mod global;
mod grok;
mod handle;
mod health;
mod image;
mod jobs;
mod pool;
mod schedules;
mod seed;
mod usage;
mod video;

pub use apply::{SettingProblem, SettingValue, SettingsError};
pub use cadence::Cadence;
pub use chat::{ChatSettings, ReasoningFormat};
pub use describe::SettingInfo;
pub use global::{GlobalSettings, ImageMode, LogLevel};
pub use grok::GrokSettings;
pub use handle::SettingsHandle;
pub use health::HealthSettings;
pub use image::ImageSettings;
pub use jobs::JobSettings;
pub use pool::{PoolSettings, Strategy};
pub use schedules::ScheduleSettings;
pub use seed::{SEED_SECTIONS, SeedChanges, SeedEntry, SeedKey, SeedProblem, seed_entries};
pub use usage::UsageSettings;
pub use video::{ProgressWording, VideoSettings};

pub(crate) use apply::{find, keys, specs};
pub(crate) use describe::shown;

/// All runtime settings, one consistent snapshot.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `[global]`: how we present ourselves.
    pub global: GlobalSettings,
    /// `[grok]`: how we deal with the Grok web service and who may use us.
    pub grok: GrokSettings,
    /// `[chat]`: how chat requests are turned into prompts and answers.
    pub chat: ChatSettings,
    /// `[pool]`: how accounts are chosen.
    pub pool: PoolSettings,
    /// `[image]`: how pictures are drawn.
    pub image: ImageSettings,
    /// `[video]`: how videos are made.
    pub video: VideoSettings,
    /// `[jobs]`: durable work.
    pub jobs: JobSettings,
    /// `[schedules]`: what becomes due by itself, and how often.
    pub schedules: ScheduleSettings,
    /// `[health]`: how accounts are tested in the background.
    pub health: HealthSettings,
    /// `[usage]`: what is kept about requests.
    pub usage: UsageSettings,
}
