//! A process and the mirror: may it use it, and has it to read it back first?

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use grok2api_config::{StartUp, Vault, VaultError};
use grok2api_entity::connect::begin_write;
use grok2api_entity::{meta, schedule};
use sea_orm::{DatabaseConnection, EntityTrait};
use serde_json::Value as Json;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::lock::{self, Membership};
use super::remote::{About, Remote};
use super::subject::{self, Subject};
use super::{Mirror, WAIT_FOR_LEASE, changes, is_ahead, number};
use crate::store;

/// How often a mirror that somebody else has is asked for.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// What a start has to do with the mirror that it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Read it back: there is nothing here.
    Restore,
    /// Use it: what is here is what it is a mirror of, or there is none.
    GoOn,
}

/// Takes the mirror for the data folder of a configuration, and reads it back if there is nothing here.
pub(super) async fn enter(startup: &StartUp, db: &DatabaseConnection) -> Result<Mirror> {
    let remote = super::remote(startup).await?;
    changes::set_up(db).await?;
    let _lock = lock::exclusive(&startup.data_dir).await?;
    let owner = owner(&startup.data_dir, db).await?;
    let membership = Membership::of(&startup.data_dir)?;
    let entered = take_over(startup, db, &remote, &owner).await;
    let installation = match entered {
        Ok(installation) => installation,
        Err(error) => {
            if membership.was_last() {
                let _ = remote.release(&owner).await;
            }
            return Err(error);
        }
    };
    Ok(mirror(startup, db, remote, owner, installation, Some(membership)))
}

/// Waits for the mirror, and restores it if need be; answers the installation's name.
async fn take_over(startup: &StartUp, db: &DatabaseConnection, remote: &Remote, owner: &str) -> Result<String> {
    judge(startup, db, remote, owner, remote.about().await?.as_ref()).await?;
    claim(remote, owner).await?;
    // Whoever had it may have written meanwhile.
    let about = remote.about().await?;
    match (judge(startup, db, remote, owner, about.as_ref()).await?, about) {
        (Verdict::Restore, Some(about)) => restore(db, remote, owner, &about).await,
        (Verdict::Restore | Verdict::GoOn, about) => {
            if let Some(installation) = changes::fact(db, changes::INSTALLATION).await? {
                return Ok(installation);
            }
            let installation = about.map_or_else(|| Uuid::new_v4().simple().to_string(), |about| about.installation);
            changes::set_fact(db, changes::INSTALLATION, &installation).await?;
            Ok(installation)
        }
    }
}

/// What is to be done; fails where two installations would be mixed, or a newer mirror be overwritten.
async fn judge(
    startup: &StartUp,
    db: &DatabaseConnection,
    remote: &Remote,
    owner: &str,
    about: Option<&About>,
) -> Result<Verdict> {
    let Some(about) = about else { return Ok(Verdict::GoOn) };
    ensure!(
        !about.is_newer(),
        "the mirror at redis_prefix {} was made by a newer release: use that one, or another redis_prefix",
        remote.prefix()
    );
    let installation = changes::fact(db, changes::INSTALLATION).await?;
    if installation.is_none() && !subject::any(db).await? {
        verify_key(startup, remote).await?;
        return Ok(Verdict::Restore);
    }
    ensure!(
        installation.as_ref() == Some(&about.installation),
        "the data folder {} holds another installation than the mirror at redis_prefix {}: give another redis_prefix, or \
         an empty data folder, which is then filled from the mirror",
        startup.data_dir.display(),
        remote.prefix()
    );
    let ours = changes::fact(db, changes::STATE).await?.unwrap_or_default();
    ensure!(
        !is_ahead(&about.state, &ours, owner),
        "the mirror at redis_prefix {} is newer than the data folder {}: it was changed with another folder, or this one \
         is an old copy. Give an empty data folder, which is then filled from the mirror, or another redis_prefix",
        remote.prefix(),
        startup.data_dir.display()
    );
    Ok(Verdict::GoOn)
}

/// Fails unless the master key is the one that sealed the mirror's secrets.
async fn verify_key(startup: &StartUp, remote: &Remote) -> Result<()> {
    let row = remote.row(Subject::Meta, meta::VAULT_CHECK).await?;
    let row: Option<Json> = row.and_then(|text| serde_json::from_str(&text).ok());
    let Some(check) = row.as_ref().and_then(|row| row["value"].as_str()) else { return Ok(()) };
    let path = startup.data_dir.join("secret.key");
    Vault::load(startup)?.ok_or(VaultError::MissingKey { path })?.verify(check)?;
    Ok(())
}

/// Waits until the folder that had the mirror before has ended, or is known to be dead.
async fn claim(remote: &Remote, owner: &str) -> Result<()> {
    let until = Instant::now() + WAIT_FOR_LEASE;
    let mut told = false;
    while let Some(left) = remote.claim(owner).await? {
        if Instant::now() >= until {
            bail!(
                "another data folder uses the mirror at redis_prefix {}, and its process is alive: end that one, or give \
                 another redis_prefix",
                remote.prefix()
            );
        }
        if !told {
            told = true;
            let secs = left.as_secs() + 1;
            tracing::info!(secs, "waiting for the end of whoever had the mirror in Redis");
        }
        sleep(ASK_EVERY.min(left)).await;
    }
    Ok(())
}

/// Reads the whole mirror back in one commit; answers the installation's name.
async fn restore(db: &DatabaseConnection, remote: &Remote, owner: &str, about: &About) -> Result<String> {
    let tx = begin_write(db).await?;
    schedule::Entity::delete_many().exec(&*tx).await?;
    let mut counts = [0; subject::ALL.len()];
    for (count, subject) in counts.iter_mut().zip(subject::ALL) {
        *count = subject.restore(&tx, remote).await?;
    }
    changes::forget(&*tx).await?;
    changes::set_fact(&*tx, changes::INSTALLATION, &about.installation).await?;
    changes::set_fact(&*tx, changes::STATE, &about.state).await?;
    // A large mirror takes its time: nobody else may have gone on with it meanwhile.
    claim(remote, owner).await?;
    ensure!(
        remote.about().await?.as_ref() == Some(about),
        "the mirror in Redis changed while it was read back: start again"
    );
    tx.commit().await?;
    let [accounts, settings, schedules, ..] = counts;
    tracing::info!(accounts, settings, schedules, "an empty data folder: restored from the mirror in Redis");
    Ok(about.installation.clone())
}

/// The name of a data folder. It has the file's number in it, so that a copy of the folder is another one.
async fn owner(folder: &Path, db: &DatabaseConnection) -> Result<String> {
    let mut name = changes::fact(db, changes::FOLDER).await?.unwrap_or_default();
    if name.is_empty() {
        name = Uuid::new_v4().simple().to_string();
        changes::set_fact(db, changes::FOLDER, &name).await?;
    }
    let number = std::fs::metadata(folder.join("grok2api.db"))?.ino();
    Ok(format!("{name}-{number}"))
}

fn mirror(
    startup: &StartUp,
    db: &DatabaseConnection,
    remote: Remote,
    owner: String,
    installation: String,
    membership: Option<Membership>,
) -> Mirror {
    Mirror {
        db: db.clone(),
        remote,
        folder: startup.data_dir.clone(),
        owner,
        installation,
        turn: tokio::sync::Mutex::default(),
        membership: parking_lot::Mutex::new(membership),
        superseded: CancellationToken::new(),
    }
}

/// The mirror of a configuration while a restored backup takes its place.
pub(crate) struct Replacement {
    remote: Remote,
    owner: String,
    about: Option<About>,
}

impl Replacement {
    /// Takes the mirror.
    ///
    /// # Errors
    /// Redis does not answer, there is a mirror and no `force`, or another process has it.
    pub(crate) async fn begin(startup: &StartUp, force: bool) -> Result<Self> {
        let remote = super::remote(startup).await?;
        let alone = Membership::of(&startup.data_dir)?.was_last();
        ensure!(alone, "a server works on {}: end it first", startup.data_dir.display());
        let there = remote.about().await?.is_some();
        ensure!(
            force || !there,
            "Redis holds a mirror at redis_prefix {}: give --force to replace it, or another redis_prefix",
            remote.prefix()
        );
        let owner = format!("restore-{}", Uuid::new_v4().simple());
        claim(&remote, &owner).await?;
        let about = remote.about().await?;
        Ok(Self { remote, owner, about })
    }

    /// Notes in the new database that it is newer than the mirror: should this process die, the next start writes it.
    pub(crate) async fn note(&self, db: &DatabaseConnection) -> Result<()> {
        changes::set_up(db).await?;
        changes::set_fact(db, changes::INSTALLATION, &self.installation()).await?;
        let before = self.about.as_ref().map_or(0, |about| number(&about.state));
        Ok(changes::set_fact(db, changes::STATE, &format!("{} {}", before + 1, self.owner)).await?)
    }

    fn installation(&self) -> String {
        self.about.as_ref().map_or_else(|| self.owner.clone(), |about| about.installation.clone())
    }

    /// Writes the mirror of the new database, if there is one, and gives it up.
    ///
    /// # Errors
    /// What the restoring failed with; or Redis does not answer, and the next start writes the mirror.
    pub(crate) async fn end(self, startup: &StartUp, restored: Result<()>) -> Result<()> {
        let installation = self.installation();
        let (remote, owner, about) = (self.remote, self.owner, self.about);
        if let Err(error) = restored {
            let _ = remote.release(&owner).await;
            return Err(error);
        }
        let db = store::open_database(startup).await?;
        let mirror = mirror(startup, &db, remote, owner, installation, None);
        let written = mirror.write_whole(about.as_ref()).await;
        let _ = mirror.remote.release(&mirror.owner).await;
        db.close().await?;
        written.context("the backup is restored, but Redis does not have it yet: the next start sends it")
    }
}
