//! Turns of the processes that share a data folder.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::MirrorError;

/// Longest wait for another process of the folder: it may be reading a large mirror back.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the lock is tried.
const TRY_EVERY: Duration = Duration::from_millis(10);

/// That this process uses the mirror.
#[derive(Debug)]
pub(super) struct Membership(File);

impl Membership {
    /// Joins those of the folder.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let file = open(folder, "mirror.members")?;
        file.lock_shared()?;
        Ok(Self(file))
    }

    /// Ends it; true when no other process of the folder uses the mirror.
    pub(super) fn was_last(self) -> bool {
        self.0.unlock().is_ok() && self.0.try_lock().is_ok()
    }
}

/// The only right to write to the mirror among the processes of this folder, until it is dropped.
pub(super) async fn exclusive(folder: &Path) -> Result<File, MirrorError> {
    let file = open(folder, "mirror.lock")?;
    let until = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error.into()),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => return Err(MirrorError::Busy),
            Err(TryLockError::WouldBlock) => sleep(TRY_EVERY).await,
        }
    }
}

fn open(folder: &Path, name: &str) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(folder.join(name))
}
