//! `storage_mode = redis`: a copy in Redis of what must outlive the disk, and the way back from it.
//!
//! The database file is the truth while it is there. Triggers in it note which rows changed, in the transaction that
//! changes them, whichever process that is. The noted rows are copied to Redis before a change counts as done, and twice
//! a second anyhow. On a fresh disk the copy is read back before anything is served. Secrets are copied as they lie in
//! the rows: sealed.

mod changes;
mod enter;
mod keep;
mod lock;
mod remote;
mod subject;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use grok2api_config::{StartUp, StorageMode};
use grok2api_entity::keeper::{Keeper, NotKept};
use sea_orm::{DatabaseConnection, DbErr};
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

pub(crate) use enter::Replacement;
use lock::Membership;
use remote::{About, Remote, Wrote};

/// How long a mirror belongs to a folder that says nothing more.
const LEASE: Duration = Duration::from_secs(10);
/// How long a start waits for the folder that had the mirror before: it may be dead already.
const WAIT_FOR_LEASE: Duration = Duration::from_secs(12);
/// Changes sent at once.
const BATCH: u64 = 1000;

/// Why the mirror does not have what it should have.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// Redis does not answer, or refuses.
    #[error("Redis does not take the mirror")]
    Redis(#[from] redis::RedisError),
    /// The records cannot be read or written.
    #[error("the records cannot be read for the mirror")]
    Database(#[from] DbErr),
    /// A row cannot be written down.
    #[error("a row cannot be copied: {0:#}")]
    Row(anyhow::Error),
    /// Another process of this folder holds the lock for too long.
    #[error("another process of this data folder is busy with the mirror and does not finish")]
    Busy,
    /// The lock in the data folder cannot be used.
    #[error("the lock of the mirror cannot be used")]
    Lock(#[from] std::io::Error),
    /// The mirror belongs to another folder now.
    #[error(
        "the mirror at redis_prefix {prefix} belongs to another data folder now: two of them cannot share one mirror. \
         End one of them, or give it another redis_prefix"
    )]
    Superseded {
        /// Where it lies.
        prefix: String,
    },
}

/// The copy in Redis, seen from one process of its data folder.
#[derive(Debug)]
pub struct Mirror {
    db: DatabaseConnection,
    remote: Remote,
    folder: PathBuf,
    /// Names the data folder: all its processes have the mirror together.
    owner: String,
    installation: String,
    /// The processes of a folder take turns by a file; the tasks of a process by this.
    turn: tokio::sync::Mutex<()>,
    membership: parking_lot::Mutex<Option<Membership>>,
    /// Cancelled when the mirror belongs to another folder.
    superseded: CancellationToken,
}

impl Mirror {
    /// Takes the mirror of a configuration for this data folder, and reads it back if there is nothing here; nothing in
    /// modes without a mirror.
    ///
    /// # Errors
    /// Redis does not answer, the master key is not that of the mirror, or the mirror belongs to another installation or
    /// to a running process elsewhere: nothing was changed then.
    pub(crate) async fn open(startup: &StartUp, db: &DatabaseConnection) -> anyhow::Result<Option<Arc<Self>>> {
        if startup.storage_mode != StorageMode::Redis {
            return Ok(None);
        }
        Box::pin(enter::enter(startup, db)).await.map(|mirror| Some(Arc::new(mirror)))
    }

    /// Looks whether the mirror is there, whole and ours, and sends what it lacks.
    pub(crate) async fn bring_up(&self) -> Result<(), MirrorError> {
        self.attend(true).await
    }

    /// Waits until Redis has everything that was committed before.
    ///
    /// # Errors
    /// It has not: it is sent later, by whichever process of this folder gets through first.
    pub async fn catch_up(&self) -> Result<(), MirrorError> {
        self.attend(false).await
    }

    /// Sends what is left, and gives the mirror up unless other processes of this folder have it too.
    ///
    /// # Errors
    /// As [`Mirror::catch_up`]; the mirror is given up all the same.
    pub async fn leave(&self) -> Result<(), MirrorError> {
        let left = if self.superseded.is_cancelled() { Err(self.lost()) } else { self.catch_up().await };
        let membership = self.membership.lock().take();
        if let Some(membership) = membership
            && membership.was_last()
        {
            // Without an answer, it is given up by itself.
            let _ = self.remote.release(&self.owner).await;
        }
        left
    }

    /// Sends changes; with `thorough`, looks first whether the mirror is still there, whole and ours.
    async fn attend(&self, thorough: bool) -> Result<(), MirrorError> {
        let _turn = self.turn.lock().await;
        if !thorough && changes::newest(&self.db).await?.is_none() {
            return Ok(());
        }
        let _lock = lock::exclusive(&self.folder).await?;
        if thorough {
            if self.remote.claim(&self.owner).await?.is_some() {
                return Err(self.lost());
            }
            let ours = changes::fact(&self.db, changes::STATE).await?.unwrap_or_default();
            let about = self.remote.about().await?;
            if about.is_none_or(|about| about.state != ours || about.is_older()) {
                self.reconcile().await?;
            }
        }
        self.drain().await
    }

    /// Sends changes, batch by batch, until none is left.
    async fn drain(&self) -> Result<(), MirrorError> {
        loop {
            let page = changes::page(&self.db, BATCH).await?;
            if page.is_empty() {
                return Ok(());
            }
            let before = changes::fact(&self.db, changes::STATE).await?.unwrap_or_default();
            if before.is_empty() {
                self.reconcile().await?;
                continue;
            }
            let after = self.next_state(&before);
            let rows = subject::read(&self.db, &page).await.map_err(MirrorError::Row)?;
            match self.remote.push(&self.owner, &before, &after, &rows).await? {
                Wrote::Done => changes::sent(&self.db, &page, &after).await?,
                Wrote::Owned => return Err(self.lost()),
                Wrote::Other | Wrote::Lost => self.reconcile().await?,
            }
        }
    }

    /// The mirror is not as this folder left it. If nobody else went on with it, it is made anew from the rows.
    async fn reconcile(&self) -> Result<(), MirrorError> {
        let about = self.remote.about().await?;
        let ours = changes::fact(&self.db, changes::STATE).await?.unwrap_or_default();
        let another = about.as_ref().is_some_and(|about| about.installation != self.installation);
        if another || about.as_ref().is_some_and(|about| is_ahead(&about.state, &ours, &self.owner)) {
            return Err(self.lost());
        }
        if let Some(about) = &about
            && !about.is_older()
            && is_unnoted(&about.state, &ours, &self.owner)
        {
            // What it has of our changes is noted as not sent, and sent once more.
            return Ok(changes::set_fact(&self.db, changes::STATE, &about.state).await?);
        }
        if about.as_ref().is_none_or(|about| about.state != ours) && !ours.is_empty() {
            tracing::warn!("Redis does not have the mirror as it was left: it is made anew");
        }
        self.write_whole(about.as_ref()).await
    }

    /// Puts a whole new mirror in the place of the one that is there.
    async fn write_whole(&self, there: Option<&About>) -> Result<(), MirrorError> {
        let newest = changes::newest(&self.db).await?;
        let ours = changes::fact(&self.db, changes::STATE).await?.unwrap_or_default();
        let before = there.map(|about| about.state.as_str()).unwrap_or_default();
        let after = self.next_state(if number(before) > number(&ours) { before } else { &ours });
        let draft = self.remote.draft(&self.owner);
        draft.clear().await?;
        let mut counts = Vec::new();
        for subject in subject::ALL {
            counts.push(subject.write_all(&self.db, &draft).await?);
        }
        let about = About {
            form: remote::FORM,
            installation: self.installation.clone(),
            state: after.clone(),
            schema: subject::schema(),
        };
        match self.remote.replace(&self.owner, before, &counts, &about).await? {
            Wrote::Done => Ok(changes::sent_until(&self.db, newest, &after).await?),
            Wrote::Owned => Err(self.lost()),
            // Redis lost something meanwhile: the next look begins again.
            Wrote::Other | Wrote::Lost => Err(MirrorError::Redis(redis::RedisError::from((
                redis::ErrorKind::UnexpectedReturnType,
                "the mirror changed while it was written",
            )))),
        }
    }

    fn next_state(&self, before: &str) -> String {
        format!("{} {}", number(before) + 1, self.owner)
    }

    fn lost(&self) -> MirrorError {
        self.superseded.cancel();
        MirrorError::Superseded { prefix: self.remote.prefix().to_owned() }
    }
}

#[async_trait]
impl Keeper for Mirror {
    async fn caught_up(&self) -> Result<(), NotKept> {
        self.catch_up().await.map_err(|error| NotKept(Box::new(error)))
    }
}

/// How many writes led to a state.
fn number(state: &str) -> u64 {
    state.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Whether a write came after what we know: `theirs` is in Redis, `ours` is what this folder saw last. It is then of
/// another folder, or this one was put back to an older state.
fn is_ahead(theirs: &str, ours: &str, me: &str) -> bool {
    theirs != ours && number(theirs) >= number(ours) && !is_unnoted(theirs, ours, me)
}

/// Whether a process of this folder wrote once more, and could not note it.
fn is_unnoted(theirs: &str, ours: &str, me: &str) -> bool {
    theirs.split(' ').nth(1) == Some(me) && number(theirs) == number(ours) + 1
}

/// Connects to the Redis of a configuration.
async fn remote(startup: &StartUp) -> anyhow::Result<Remote> {
    let url = startup.redis_url.as_ref().context("storage_mode redis needs redis_url")?;
    let remote = Remote::connect(url.expose_secret(), &startup.redis_prefix).await;
    remote.context("is the server of redis_url running, and is its password right? Nothing was changed")
}

#[cfg(test)]
mod tests {
    use super::is_ahead;

    #[test]
    fn whoever_went_on_from_what_we_know_is_ahead_of_us() {
        assert!(is_ahead("8 them", "7 us", "us"));
        assert!(is_ahead("7 them", "7 us", "us"));
        assert!(!is_ahead("7 us", "7 us", "us"));
        // Written by us, and we died before we noted it.
        assert!(!is_ahead("8 us", "7 us", "us"));
        assert!(!is_ahead("8 us", "7 them", "us"));
        // Our disk was put back to what it was some time ago.
        assert!(is_ahead("9 us", "7 us", "us"));
        // Redis went back to an older state, of the time before we read the mirror.
        assert!(!is_ahead("6 them", "7 us", "us"));
        assert!(!is_ahead("7 them", "7 them", "us"));
    }
}
