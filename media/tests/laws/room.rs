//! A library of its own for one test.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt, stream};
use grok2api_config::{Settings, SettingsHandle};
use grok2api_entity::asset::{self, Column, Entity, Kind};
use grok2api_entity::testing::TestDatabase;
use grok2api_media::{Folder, Library, Limits, NewAsset, Spool, Store};
use grok2api_migration::bring_up;
use grok2api_upstream::asset::{AssetPath, TRUSTED_HOSTS, normalize};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter};
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) const LIMITS: Limits =
    Limits { max_image_bytes: 4 << 20, max_video_bytes: 8 << 20, max_silence: LONG, max_duration: LONG };

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);

/// A database with its tables, a folder, and a library over both.
pub(crate) struct Room {
    pub(crate) database: TestDatabase,
    pub(crate) home: TempDir,
    pub(crate) settings: SettingsHandle,
    pub(crate) library: Library,
}

impl Room {
    pub(crate) async fn sqlite() -> Self {
        Self::over(TestDatabase::sqlite().await.unwrap()).await
    }

    /// One on each kind of database.
    pub(crate) async fn everywhere() -> Vec<Self> {
        vec![
            Self::sqlite().await,
            Self::over(TestDatabase::postgres().await.unwrap()).await,
            Self::over(TestDatabase::mariadb().await.unwrap()).await,
        ]
    }

    async fn over(database: TestDatabase) -> Self {
        bring_up(&database.db).await.unwrap();
        let home = tempfile::tempdir().unwrap();
        let settings = SettingsHandle::new(Settings::default());
        let library = library(&database, &settings, home.path());
        Self { database, home, settings, library }
    }

    /// Another process over the same database and folder.
    pub(crate) fn second(&self) -> Library {
        library(&self.database, &self.settings, self.home.path())
    }

    /// The same database over another store.
    pub(crate) fn with_store(&self, store: Arc<dyn Store>) -> Library {
        self.with_limits(store, LIMITS)
    }

    pub(crate) fn with_limits(&self, store: Arc<dyn Store>, limits: Limits) -> Library {
        let spool = Spool::open(&self.home.path().join("tmp")).unwrap();
        Library::with_store(self.database.db.clone(), self.settings.clone(), store, spool, limits)
    }

    pub(crate) async fn pending(&self, kind: Kind, path: &str) -> asset::Model {
        self.library.register(new_asset(kind, &asset_path(path))).await.unwrap()
    }

    pub(crate) async fn stored(&self, kind: Kind, path: &str, bytes: &Bytes) -> asset::Model {
        let asset = self.pending(kind, path).await;
        self.library.store(asset.id, whole(bytes), Some(bytes.len() as u64)).await.unwrap()
    }

    pub(crate) async fn row(&self, id: Uuid) -> asset::Model {
        self.library.get(id).await.unwrap().unwrap()
    }

    /// Lets an asset look as if it had been used that long ago.
    pub(crate) async fn age(&self, id: Uuid, minutes: i64) {
        let back = Expr::col(Column::LastUsedAt).sub(minutes * 60_000);
        let update = Entity::update_many().col_expr(Column::LastUsedAt, back).filter(Column::Id.eq(id));
        update.exec(&self.database.db).await.unwrap();
    }

    pub(crate) fn file_of(&self, asset: &asset::Model) -> PathBuf {
        self.home.path().join(asset.storage_key.as_deref().unwrap())
    }

    /// All files below the folder, temporary ones too.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.home.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files
    }

    pub(crate) async fn end(self) {
        self.database.remove().await.unwrap();
    }
}

fn library(database: &TestDatabase, settings: &SettingsHandle, home: &Path) -> Library {
    let spool = Spool::open(&home.join("tmp")).unwrap();
    let store = Arc::new(Folder::open(home).unwrap());
    Library::with_store(database.db.clone(), settings.clone(), store, spool, LIMITS)
}

pub(crate) fn asset_path(path: &str) -> AssetPath {
    normalize(&TRUSTED_HOSTS, path).unwrap()
}

pub(crate) fn new_asset(kind: Kind, source: &AssetPath) -> NewAsset<'_> {
    NewAsset { kind, source, account_id: None, owner: "key", generation_id: None, ordinal: 0 }
}

/// A picture of that many bytes, different for each seed.
pub(crate) fn picture(seed: u8, length: usize) -> Bytes {
    with_head(b"\x89PNG\r\n\x1a\n", seed, length)
}

/// A video of that many bytes, different for each seed.
pub(crate) fn video(seed: u8, length: usize) -> Bytes {
    with_head(b"\0\0\0\x20ftypisom\0\0\x02\0", seed, length)
}

fn with_head(head: &[u8], seed: u8, length: usize) -> Bytes {
    let mut bytes = head.to_vec();
    bytes.extend((bytes.len()..length).map(|at| u8::try_from(at % 251).unwrap() ^ seed));
    Bytes::from(bytes)
}

/// A source that sends the bytes in pieces.
pub(crate) fn whole(bytes: &Bytes) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + use<> {
    let bytes = bytes.clone();
    let pieces = (0..bytes.len()).step_by(10_000).map(move |at| Ok(bytes.slice(at..bytes.len().min(at + 10_000))));
    stream::iter(pieces.collect::<Vec<_>>())
}

/// All bytes of a stored asset; `None` when they are not here.
pub(crate) async fn read(library: &Library, asset: &asset::Model) -> Option<Vec<u8>> {
    let pieces = library.open(asset, None).await.unwrap()?;
    let pieces: Vec<Bytes> = pieces.try_collect().await.unwrap();
    Some(pieces.concat())
}
