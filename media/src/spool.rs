//! Where bytes wait until they are all there: temporary files that nobody else can see.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, statat, unlinkat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::store::{StoreError, blocking};

const ENDING: &str = ".part";

/// A folder of temporary files, opened once: names are looked up beneath it and nowhere else (M14).
#[derive(Debug, Clone)]
pub struct Spool {
    dir: Arc<OwnedFd>,
}

/// A temporary file that is being written and hashed; dropping it removes it.
#[derive(Debug)]
pub struct SpoolFile {
    spool: Spool,
    name: String,
    file: Arc<File>,
    written: u64,
    hasher: Sha256,
}

impl Spool {
    /// Opens the folder, making it (for its owner only) if need be.
    ///
    /// # Errors
    /// When it cannot be made or opened.
    pub fn open(dir: &Path) -> io::Result<Self> {
        Ok(Self { dir: Arc::new(open_folder(dir)?) })
    }

    /// Begins a file, readable for its owner only (M15).
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn begin(&self) -> Result<SpoolFile, StoreError> {
        let spool = self.clone();
        blocking(move || {
            let name = format!("{}{ENDING}", Uuid::now_v7().simple());
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = openat(&spool.dir, name.as_str(), flags, Mode::RUSR | Mode::WUSR)?;
            Ok(SpoolFile { spool, name, file: Arc::new(file.into()), written: 0, hasher: Sha256::new() })
        })
        .await
    }

    /// Removes what processes that died have left, once it is older than `age`; returns how many files.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn clean(&self, age: Duration) -> Result<usize, StoreError> {
        let spool = self.clone();
        blocking(move || {
            let mut removed = 0;
            for entry in Dir::read_from(&spool.dir)? {
                let entry = entry?;
                let Ok(name) = entry.file_name().to_str() else { continue };
                if name.ends_with(ENDING) && age_at(&spool.dir, name).is_some_and(|old| old > age) {
                    match unlinkat(&spool.dir, name, AtFlags::empty()) {
                        Ok(()) => removed += 1,
                        // Another process cleans up as well.
                        Err(Errno::NOENT) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            Ok(removed)
        })
        .await
    }
}

impl SpoolFile {
    /// Adds bytes. When that fails, the same bytes may be added again.
    ///
    /// # Errors
    /// When the disk is full or refuses.
    pub async fn append(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let (file, at, length) = (Arc::clone(&self.file), self.written, bytes.len());
        let mut hasher = self.hasher.clone();
        self.hasher = blocking(move || {
            file.write_all_at(&bytes, at)?;
            hasher.update(&bytes);
            Ok(hasher)
        })
        .await?;
        self.written += length as u64;
        Ok(())
    }

    /// Bytes so far.
    pub fn len(&self) -> u64 {
        self.written
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.written == 0
    }

    /// Hash of the bytes so far, in hexadecimal.
    pub fn sha256(&self) -> String {
        hex(&self.hasher.clone().finalize())
    }

    /// Reads a part; shorter only at the end.
    pub(crate) async fn read(&self, at: u64, length: usize) -> Result<Bytes, StoreError> {
        read_part(Arc::clone(&self.file), at, length).await
    }

    /// The open file, to be flushed to the disk.
    pub(crate) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Folder and name, to be linked from.
    pub(crate) fn place(&self) -> (Arc<OwnedFd>, String) {
        (Arc::clone(&self.spool.dir), self.name.clone())
    }
}

impl Drop for SpoolFile {
    fn drop(&mut self) {
        // It may have been moved into the store; what stays for another reason is cleaned up by age.
        let _ = unlinkat(&self.spool.dir, self.name.as_str(), AtFlags::empty());
    }
}

/// Opens a folder, making it and those above it, for their owner only, if need be.
pub(crate) fn open_folder(dir: &Path) -> io::Result<OwnedFd> {
    let mut builder = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir)?;
    Ok(rustix::fs::open(dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// How long ago a file was last written; `None` if it is gone, and zero if the clock was set back.
pub(crate) fn age_at(dir: &OwnedFd, name: &str) -> Option<Duration> {
    let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    let written = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or_default());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Some(now.saturating_sub(written))
}

/// Reads a part of a file; shorter only at its end.
pub(crate) async fn read_part(file: Arc<File>, at: u64, length: usize) -> Result<Bytes, StoreError> {
    blocking(move || {
        let mut part = vec![0; length];
        let mut filled = 0;
        while filled < length {
            match file.read_at(&mut part[filled..], at + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        part.truncate(filled);
        Ok(Bytes::from(part))
    })
    .await
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing into a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
