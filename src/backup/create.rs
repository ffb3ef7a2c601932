//! Making a backup beside a running server.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use grok2api_config::{MediaStore, StartUp, StorageMode};
use grok2api_entity::{connect, meta};
use grok2api_migration::{bring_up, status};
use grok2api_queue::now_ms;
use sea_orm::{AccessMode, DbBackend, IsolationLevel, TransactionOptions, TransactionTrait};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::archive::{FORM, Line, Manifest, Writer, hex};
use super::{Contents, tables};
use crate::store::{self, Store};

/// Bytes of a file in one line.
const PIECE: usize = 48 << 10;

/// What else goes into a backup.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extras {
    /// Pictures and videos.
    pub media: bool,
    /// The master key.
    pub key: bool,
}

/// Writes everything recorded to a new file, as one moment saw it. Servers may go on meanwhile.
///
/// # Errors
/// The database, the media store or the key cannot be read, or the file exists or cannot be written: it is removed then.
pub async fn create(startup: &StartUp, path: &Path, passphrase: SecretString, extras: Extras) -> Result<Contents> {
    if extras.media && startup.media.store == MediaStore::S3 {
        bail!("pictures and videos lie with an S3 service: back up its bucket instead of --with-media");
    }
    if startup.storage_mode == StorageMode::Redis {
        // What lies in the mirror alone is read back first.
        Box::pin(Store::open(startup)).await?.finish().await?;
    }
    let key = if extras.key { Some(master_key(startup)?) } else { None };
    let made = Box::pin(write(startup, path, passphrase, extras.media, key)).await;
    // A file that was there before is not ours.
    if made.as_ref().is_err_and(|error| !is_in_the_way(error)) {
        let _ = std::fs::remove_file(path);
    }
    made
}

fn is_in_the_way(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::AlreadyExists)
        || error.chain().any(|cause| {
            cause
                .downcast_ref::<std::io::Error>()
                .is_some_and(|error| error.kind() == std::io::ErrorKind::AlreadyExists)
        })
}

async fn write(
    startup: &StartUp,
    path: &Path,
    passphrase: SecretString,
    media: bool,
    key: Option<SecretString>,
) -> Result<Contents> {
    let db = store::open_database(startup).await?;
    bring_up(&db).await?;
    let schema = status(&db).await?.into_iter().map(|step| step.name).collect();
    // SQLite's readers see one moment anyway.
    let isolation = (db.get_database_backend() != DbBackend::Sqlite).then_some(IsolationLevel::RepeatableRead);
    let access = isolation.map(|_| AccessMode::ReadOnly);
    let options =
        TransactionOptions { isolation_level: isolation, access_mode: access, ..TransactionOptions::default() };
    let tx = db.begin_with_options(options).await?;
    connect::take_time(&tx).await?;
    let check = meta::get(&tx, meta::VAULT_CHECK).await?;
    let manifest = Manifest {
        grok2api_backup: FORM,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schema,
        storage_mode: startup.storage_mode.as_str().to_owned(),
        key_id: check.and_then(|check| check.split(':').nth(1).map(str::to_owned)),
        created_at: now_ms(),
        with_media: media,
        with_key: key.is_some(),
    };
    let mut archive = Writer::begin(path, passphrase, &manifest)?;
    if let Some(key) = key {
        archive.line(&Line::Key(key.expose_secret().to_owned()))?;
    }
    let rows = tables::write(&tx, &mut archive).await?;
    tx.rollback().await?;
    db.close().await?;
    let files = if media { write_media(&startup.media_folder(), &mut archive)? } else { 0 };
    archive.end(rows.clone(), files)?;
    Ok(Contents { manifest, rows, files })
}

/// The key as it was given, or as it lies in the data folder.
fn master_key(startup: &StartUp) -> Result<SecretString> {
    if let Some(key) = &startup.secret_key {
        return Ok(key.clone());
    }
    let path = startup.data_dir.join("secret.key");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(SecretString::from(text.trim()))
}

/// Files that go away meanwhile are left out: their rows say that they may be fetched again.
fn write_media(folder: &Path, archive: &mut Writer) -> Result<u64> {
    let mut files = BTreeMap::new();
    let shelves = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for shelf in shelves.collect::<std::io::Result<Vec<_>>>()? {
        let name = shelf.file_name().to_string_lossy().into_owned();
        if name == "tmp" || !shelf.file_type()?.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(shelf.path())? {
            let file = file?;
            files.insert(format!("{name}/{}", file.file_name().to_string_lossy()), file.path());
        }
    }
    let mut count = 0;
    for (name, path) in files {
        let Ok(mut file) = File::open(&path) else { continue };
        archive.line(&Line::File(name))?;
        let (mut hash, mut piece) = (Sha256::new(), vec![0; PIECE]);
        loop {
            let length = file.read(&mut piece)?;
            if length == 0 {
                break;
            }
            hash.update(&piece[..length]);
            archive.line(&Line::Piece(STANDARD.encode(&piece[..length])))?;
        }
        archive.line(&Line::FileEnd(hex(&hash.finalize())))?;
        count += 1;
    }
    Ok(count)
}
