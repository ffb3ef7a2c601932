//! Checking a backup, and making an installation of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use grok2api_config::{MediaStore, StartUp, StorageMode};
use grok2api_entity::connect;
use grok2api_migration::{Migrator, MigratorTrait, bring_up};
use grok2api_queue::now_ms;
use sea_orm::DatabaseConnection;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::archive::{Line, Manifest, Reader, hex};
use super::tables;
use crate::mirror::Replacement;
use crate::{store, work};

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// What it is a backup of.
    pub manifest: Manifest,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
    /// Pictures and videos.
    pub files: u64,
}

/// Reads a whole backup and compares it with its checksums. Changes nothing.
///
/// # Errors
/// It cannot be read, is damaged or cut off, has another passphrase, or was made by a newer release.
pub fn verify(path: &Path, passphrase: SecretString) -> Result<Contents> {
    let mut archive = Reader::open(path, passphrase)?;
    let known: Vec<String> = Migrator::migrations().iter().map(|step| step.name().to_owned()).collect();
    let newer: Vec<&str> =
        archive.manifest.schema.iter().filter(|step| !known.contains(step)).map(String::as_str).collect();
    ensure!(newer.is_empty(), "the backup was made by a newer release (it has {}): use that one", newer.join(", "));
    let mut rows: BTreeMap<String, u64> = BTreeMap::new();
    let (mut table, mut files, mut hash) = (String::new(), 0, Sha256::new());
    loop {
        match archive.next()? {
            Line::Table { name, .. } => {
                ensure!(tables::is_known(&name), "the backup has a table that this release does not know: {name}");
                rows.insert(name.clone(), 0);
                table = name;
            }
            Line::Row(_) => *rows.get_mut(&table).context("a row without a table")? += 1,
            Line::Key(_) => {}
            Line::File(_) => hash = Sha256::new(),
            Line::Piece(text) => hash.update(STANDARD.decode(text)?),
            Line::FileEnd(sha256) => {
                ensure!(sha256 == hex(&hash.clone().finalize()), "a file in the backup is damaged");
                files += 1;
            }
            Line::End { rows: all, files: number, .. } => {
                ensure!(all == rows && number == files, "the backup does not hold what it says");
                return Ok(Contents { manifest: archive.manifest, rows, files });
            }
        }
    }
}

/// Checks a backup, then puts it where the configuration says: into the data folder, or an empty database.
///
/// With `force`, a database file that lies there is put aside, not deleted.
///
/// # Errors
/// As [`verify`]; and when there is something already, a server works there, or the database refuses: then nothing of it
/// is in force.
pub async fn restore(startup: &StartUp, path: &Path, passphrase: SecretString, force: bool) -> Result<Contents> {
    let contents = verify(path, passphrase.clone())?;
    if contents.manifest.with_media && startup.media.store == MediaStore::S3 {
        bail!("the backup holds pictures and videos, and media.store is s3: restore with media.store = 'folder' first");
    }
    let archive = Reader::open(path, passphrase)?;
    match startup.storage_mode {
        StorageMode::File => Box::pin(restore_folder(startup, archive, force, None)).await?,
        StorageMode::Postgres | StorageMode::Mysql => {
            let db = store::open_database(startup).await?;
            let loaded = Box::pin(load(&db, archive, startup)).await;
            db.close().await?;
            loaded?;
        }
        StorageMode::Redis => {
            store::private_folder(&startup.data_dir)?;
            let mirror = Replacement::begin(startup, force).await?;
            let restored = Box::pin(restore_folder(startup, archive, force, Some(&mirror))).await;
            Box::pin(mirror.end(startup, restored)).await?;
        }
    }
    Ok(contents)
}

/// Everything is made beside what is there, and takes its place by renames.
async fn restore_folder(startup: &StartUp, archive: Reader, force: bool, mirror: Option<&Replacement>) -> Result<()> {
    let folder = &startup.data_dir;
    store::private_folder(folder)?;
    let alone = work::lock(folder)?;
    ensure!(alone.is_some(), "a server works on {}: end it first", folder.display());
    let used = folder.join("grok2api.db").exists();
    ensure!(force || !used, "{} holds a database: give --force to put it aside", folder.display());
    let side = tempfile::Builder::new().prefix(".restore-").tempdir_in(folder)?;
    let db = connect::file(&side.path().join("grok2api.db")).await?;
    Box::pin(load(&db, archive, startup)).await?;
    if let Some(mirror) = mirror {
        mirror.note(&db).await?;
    }
    db.close().await?;
    if used {
        let aside = folder.join(format!("replaced-{}", now_ms()));
        store::private_folder(&aside)?;
        for name in ["grok2api.db-wal", "grok2api.db-shm", "grok2api.db"] {
            match fs::rename(folder.join(name), aside.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                Ok(()) | Err(_) => {}
            }
        }
    }
    fs::rename(side.path().join("grok2api.db"), folder.join("grok2api.db"))?;
    Ok(File::open(folder)?.sync_all()?)
}

/// Fills an empty database in one transaction.
async fn load(db: &DatabaseConnection, mut archive: Reader, startup: &StartUp) -> Result<()> {
    bring_up(db).await?;
    let tx = connect::begin_write(db).await?;
    connect::take_time(&*tx).await?;
    if let Some(table) = tables::first_used(&tx).await? {
        bail!("the database is not empty (table {table}): give one that is");
    }
    let mut line = archive.next()?;
    loop {
        line = match line {
            Line::Table { name, columns } => tables::load(&tx, &mut archive, &name, &columns).await?.1,
            Line::File(name) => {
                load_file(&startup.media_folder(), &name, &mut archive)?;
                archive.next()?
            }
            Line::Key(key) => {
                put_key(&startup.data_dir, &key)?;
                archive.next()?
            }
            Line::End { .. } => break,
            Line::Row(_) | Line::Piece(_) | Line::FileEnd(_) => bail!("the backup is damaged"),
        };
    }
    Ok(tx.commit().await?)
}

/// Puts a file of the media store in its place. Its name says what is in it, so one that is there stays.
fn load_file(folder: &Path, name: &str, archive: &mut Reader) -> Result<()> {
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let (shelf, file) =
        name.split_once('/').filter(|(shelf, file)| plain(shelf) && plain(file)).context("a bad name")?;
    store::private_folder(&folder.join(shelf))?;
    let mut draft = tempfile::NamedTempFile::new_in(folder.join(shelf))?;
    loop {
        match archive.next()? {
            Line::Piece(text) => draft.write_all(&STANDARD.decode(text)?)?,
            Line::FileEnd(_) => break,
            _ => bail!("the backup is damaged"),
        }
    }
    draft.as_file().sync_all()?;
    draft.persist(folder.join(shelf).join(file))?;
    Ok(())
}

/// Puts the master key into the data folder, unless there is one.
fn put_key(folder: &Path, key: &str) -> Result<()> {
    store::private_folder(folder)?;
    let mut draft = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(draft, "{key}")?;
    draft.as_file().sync_all()?;
    match draft.persist_noclobber(folder.join("secret.key")) {
        Err(error) if error.error.kind() != std::io::ErrorKind::AlreadyExists => Err(error.into()),
        Ok(_) | Err(_) => Ok(()),
    }
}
