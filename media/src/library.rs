//! The room's main type: what is known of media, and where their bytes lie.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use grok2api_config::{MediaConfig, MediaStore, SettingsHandle};
use grok2api_entity::asset::Kind;
use parking_lot::Mutex;
use sea_orm::DatabaseConnection;

use crate::store::{Folder, S3, S3Limits, Store, StoreError};
use crate::touch::Touches;
use crate::wait::Waiters;
use crate::{MediaError, Spool, StorageKey};

/// Folder of temporary files beside the objects.
const SPOOL: &str = "tmp";

/// Pictures and videos: their rows and their bytes. Clones share everything.
#[derive(Debug, Clone)]
pub struct Library {
    pub(crate) db: DatabaseConnection,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) spool: Spool,
    pub(crate) settings: SettingsHandle,
    pub(crate) limits: Limits,
    pub(crate) waiters: Arc<Waiters>,
    pub(crate) touches: Arc<Touches>,
    /// Held while a row becomes `stored`.
    pub(crate) marking: Arc<tokio::sync::Mutex<()>>,
    /// How far the check of all objects has come.
    pub(crate) checked: Arc<Mutex<Option<StorageKey>>>,
}

/// Limits of what is taken in.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest picture, in bytes.
    pub max_image_bytes: u64,
    /// Largest video, in bytes.
    pub max_video_bytes: u64,
    /// Longest silence of a source.
    pub max_silence: Duration,
    /// Longest time for all bytes of a source.
    pub max_duration: Duration,
}

impl Limits {
    /// Largest file of that kind, in bytes.
    pub(crate) fn of(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Video => self.max_video_bytes,
            Kind::Image | Kind::Preview | Kind::Input => self.max_image_bytes,
        }
    }
}

impl From<&MediaConfig> for Limits {
    fn from(config: &MediaConfig) -> Self {
        Self {
            max_image_bytes: config.max_image_bytes,
            max_video_bytes: config.max_video_bytes,
            max_silence: Duration::from_secs(60),
            max_duration: Duration::from_secs(30 * 60),
        }
    }
}

impl Library {
    /// Opens the store that the configuration names; `folder` is that of [`grok2api_config::StartUp::media_folder`].
    ///
    /// # Errors
    /// When the folder cannot be made or opened, or the S3 configuration is unusable. The S3 service is not asked.
    pub fn set_up(
        db: DatabaseConnection,
        settings: SettingsHandle,
        config: &MediaConfig,
        folder: &Path,
    ) -> Result<Self, MediaError> {
        let spool = Spool::open(&folder.join(SPOOL)).map_err(StoreError::of)?;
        let store: Arc<dyn Store> = match config.store {
            MediaStore::Folder => Arc::new(Folder::open(folder).map_err(StoreError::of)?),
            MediaStore::S3 => Arc::new(S3::open(&config.s3, S3Limits::default())?),
        };
        Ok(Self::with_store(db, settings, store, spool, Limits::from(config)))
    }

    /// A library over a store that is open already.
    pub fn with_store(
        db: DatabaseConnection,
        settings: SettingsHandle,
        store: Arc<dyn Store>,
        spool: Spool,
        limits: Limits,
    ) -> Self {
        Self {
            db,
            store,
            spool,
            settings,
            limits,
            waiters: Arc::default(),
            touches: Arc::default(),
            marking: Arc::default(),
            checked: Arc::default(),
        }
    }
}
