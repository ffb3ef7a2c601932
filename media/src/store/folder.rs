//! A local folder, or one that several machines share.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fsync, linkat, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::{Listed, Opened, Store, StoreError, blocking};
use crate::spool::{age_at, open_folder, read_part};
use crate::{SpoolFile, StorageKey};

/// Bytes that are read at a time.
const PIECE: usize = 64 * 1024;

/// Objects as files: `{folder}/ab/abcdef…`.
///
/// A file gets its name only after the disk has its bytes (M15), and the name is looked up beneath the opened folder,
/// through no symbolic link (M14).
#[derive(Debug, Clone)]
pub struct Folder {
    root: Arc<OwnedFd>,
}

impl Folder {
    /// Opens the folder, making it (for its owner only) if need be.
    ///
    /// # Errors
    /// When it cannot be made or opened.
    pub fn open(dir: &Path) -> io::Result<Self> {
        Ok(Self { root: Arc::new(open_folder(dir)?) })
    }
}

#[async_trait]
impl Store for Folder {
    async fn put(&self, key: &StorageKey, file: &SpoolFile) -> Result<(), StoreError> {
        let (root, key, length) = (Arc::clone(&self.root), key.clone(), file.len());
        let (spool, temporary) = file.place();
        let file = file.file();
        blocking(move || {
            file.sync_all()?;
            let dir = subfolder_for_writing(&root, key.folder())?;
            match linkat(&spool, temporary.as_str(), &dir, key.file(), AtFlags::empty()) {
                Ok(()) => {}
                // Somebody was faster with the same bytes. What is not as long as they are was damaged and is replaced.
                Err(Errno::EXIST) if is_whole(&dir, key.file(), length) => {}
                // Some file systems have no hard links; the new name then takes over the file.
                Err(Errno::EXIST | Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK) => {
                    renameat(&spool, temporary.as_str(), &dir, key.file())?;
                }
                Err(error) => return Err(error.into()),
            }
            Ok(fsync(&dir)?)
        })
        .await
    }

    async fn open(&self, key: &StorageKey, length: u64, range: Range<u64>) -> Result<Opened, StoreError> {
        let (root, key) = (Arc::clone(&self.root), key.clone());
        let Some(file) = blocking(move || open_file(&root, &key)).await? else { return Ok(Opened::Missing) };
        if file.metadata().map_err(StoreError::of)?.len() != length {
            return Ok(Opened::Damaged);
        }
        let pieces = stream::try_unfold((Arc::new(file), range), |(file, rest)| async move {
            let wanted = usize::try_from(rest.end.saturating_sub(rest.start)).unwrap_or(PIECE).min(PIECE);
            if wanted == 0 {
                return Ok(None);
            }
            let piece = read_part(Arc::clone(&file), rest.start, wanted).await?;
            if piece.len() < wanted {
                return Err(StoreError::Short);
            }
            let rest = rest.start + wanted as u64..rest.end;
            Ok(Some((piece, (file, rest))))
        });
        Ok(Opened::Whole(Box::pin(pieces)))
    }

    async fn size(&self, key: &StorageKey) -> Result<Option<u64>, StoreError> {
        let (root, key) = (Arc::clone(&self.root), key.clone());
        blocking(move || open_file(&root, &key)?.map(|file| Ok(file.metadata()?.len())).transpose()).await
    }

    async fn delete(&self, key: &StorageKey) -> Result<(), StoreError> {
        let (root, key) = (Arc::clone(&self.root), key.clone());
        blocking(move || {
            let Some(dir) = subfolder(&root, key.folder())? else { return Ok(()) };
            absent(unlinkat(&dir, key.file(), AtFlags::empty())).map(drop)
        })
        .await
    }

    async fn list(&self, after: Option<&StorageKey>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let (root, after) = (Arc::clone(&self.root), after.cloned());
        blocking(move || {
            let mut listed = Vec::new();
            for folder in names(&root)?.into_iter().filter(|name| StorageKey::is_folder(name)) {
                if after.as_ref().is_some_and(|after| folder.as_str() < after.folder()) {
                    continue;
                }
                let Some(dir) = subfolder(&root, &folder)? else { continue };
                let keys = names(&dir)?.into_iter().filter_map(|name| StorageKey::parse(&format!("{folder}/{name}")));
                for key in keys.filter(|key| after.as_ref().is_none_or(|after| key > after)) {
                    // What is gone by now is none of our business.
                    let Some((bytes, age)) = length_at(&dir, key.file()).zip(age_at(&dir, key.file())) else {
                        continue;
                    };
                    listed.push(Listed { key, bytes, age });
                    if listed.len() >= limit {
                        return Ok(listed);
                    }
                }
            }
            Ok(listed)
        })
        .await
    }

    fn is_local(&self) -> bool {
        true
    }
}

/// `None` when there is no such file or folder.
fn absent<T>(result: rustix::io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn subfolder(root: &OwnedFd, name: &str) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    absent(openat(root, name, flags, Mode::empty()))
}

fn subfolder_for_writing(root: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    if let Some(dir) = subfolder(root, name)? {
        return Ok(dir);
    }
    match mkdirat(root, name, Mode::RWXU) {
        Ok(()) => fsync(root)?,
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    subfolder(root, name)?.ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn open_file(root: &OwnedFd, key: &StorageKey) -> io::Result<Option<File>> {
    let Some(dir) = subfolder(root, key.folder())? else { return Ok(None) };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(absent(openat(&dir, key.file(), flags, Mode::empty()))?.map(File::from))
}

fn length_at(dir: &OwnedFd, name: &str) -> Option<u64> {
    let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    is_file.then(|| u64::try_from(stat.st_size).unwrap_or_default())
}

fn is_whole(dir: &OwnedFd, name: &str, length: u64) -> bool {
    length_at(dir, name) == Some(length)
}

/// The names in a folder, sorted.
fn names(dir: &impl AsFd) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        if let Ok(name) = entry?.file_name().to_str() {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}
