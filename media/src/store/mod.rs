//! Where bytes lie: one interface, a local folder and an S3-compatible service behind it.

mod folder;
mod s3;

use std::fmt;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;

pub use folder::Folder;
pub use s3::{S3, S3Limits};

use crate::{SpoolFile, StorageKey};

/// Bytes of an object, in pieces of at most a MiB.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, StoreError>> + Send>>;

/// Keeps objects. Each one is there as a whole or not at all.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// Keeps the bytes of a finished temporary file. An object of that name and length that is there already stays.
    ///
    /// When this returns, the bytes survive a power cut.
    ///
    /// # Errors
    /// When the disk is full or the store fails; nothing can be seen then.
    async fn put(&self, key: &StorageKey, file: &SpoolFile) -> Result<(), StoreError>;

    /// Opens an object that must have `length` bytes, wholly or in a part that lies within them.
    ///
    /// What was opened can be read to its end, even when the object is deleted meanwhile (F63).
    ///
    /// # Errors
    /// When the store fails.
    async fn open(&self, key: &StorageKey, length: u64, range: Range<u64>) -> Result<Opened, StoreError>;

    /// Length of an object in bytes; `None` if it is not there.
    ///
    /// # Errors
    /// When the store fails.
    async fn size(&self, key: &StorageKey) -> Result<Option<u64>, StoreError>;

    /// Takes an object away, if it is there.
    ///
    /// # Errors
    /// When the store fails.
    async fn delete(&self, key: &StorageKey) -> Result<(), StoreError>;

    /// The next objects after `after` in the order of their names, at most `limit`.
    ///
    /// # Errors
    /// When the store fails.
    async fn list(&self, after: Option<&StorageKey>, limit: usize) -> Result<Vec<Listed>, StoreError>;

    /// Whether it lies on the disk of the temporary files: clearing it then makes room for them, and reading it is free.
    fn is_local(&self) -> bool;
}

/// What opening an object gave.
pub enum Opened {
    /// The bytes asked for.
    Whole(ByteStream),
    /// It is not there.
    Missing,
    /// It has another length than it should.
    Damaged,
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub key: StorageKey,
    /// Its length.
    pub bytes: u64,
    /// How long ago it was written.
    pub age: Duration,
}

/// Why a store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full, or a quota is reached.
    #[error("the disk of the media folder is full")]
    Full(#[source] io::Error),
    /// The system refused.
    #[error("the media folder cannot be used")]
    Io(#[source] io::Error),
    /// An object ended before its length.
    #[error("a stored file is shorter than it was")]
    Short,
    /// The S3 service failed or refused.
    #[error("the S3 store failed")]
    Remote(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The S3 service did not answer in time.
    #[error("the S3 store did not answer within {} s", .0.as_secs())]
    Silent(Duration),
}

impl StoreError {
    /// Tells a full disk from other trouble.
    pub(crate) fn of(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(error),
            _ => Self::Io(error),
        }
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole(_) => "Whole",
            Self::Missing => "Missing",
            Self::Damaged => "Damaged",
        })
    }
}

/// Runs work on files away from the threads that serve requests.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(StoreError::of),
        Err(ended) => Err(StoreError::Io(io::Error::other(ended))),
    }
}
