//! Durable work: how its tickets travel here, and who works on it.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use grok2api_api::AssetFetcher;
use grok2api_config::{SettingsHandle, StartUp, StorageMode, WorkerConfig};
use grok2api_entity::asset;
use grok2api_queue::{
    Bounds, Crew, CrewOptions, Hub, Jobs, QueueError, RedisSettings, RedisTransport, RowTransport, Transport,
};
use grok2api_scheduler::Scheduler;
use grok2api_worker::{CacheRequests, Workshop};
use sea_orm::DatabaseConnection;
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::house::Role;

/// How often settings about jobs are taken over.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);

/// The jobs of this installation, delivered as its configuration says.
///
/// # Errors
/// Redis is configured and does not answer, or would throw away what it holds.
pub(crate) async fn jobs(startup: &StartUp, db: &DatabaseConnection) -> Result<Jobs> {
    let hub = Hub::default();
    let transport: Arc<dyn Transport> = match &startup.redis_url {
        None => Arc::new(RowTransport::new(db.clone(), hub.clone())),
        Some(url) => {
            let settings = RedisSettings { prefix: startup.redis_prefix.clone() };
            let redis = RedisTransport::connect(url.expose_secret(), settings, db.clone(), hub.clone()).await;
            let redis = redis.context("is the server of redis_url running, and is its password right?")?;
            refuse_eviction(&redis).await?;
            Arc::new(redis)
        }
    };
    Ok(Jobs::new(db.clone(), transport, hub))
}

/// A Redis that drops keys when its memory is full loses tickets all the time (F33, J12).
async fn refuse_eviction(redis: &RedisTransport) -> Result<()> {
    match redis.eviction_policy().await.context("Redis does not answer")? {
        None => tracing::warn!("Redis does not tell its maxmemory-policy: make sure that it is noeviction"),
        Some(policy) if policy == "noeviction" => {}
        Some(policy) => bail!(
            "Redis would drop what it holds when its memory is full (maxmemory-policy {policy}): set it to noeviction"
        ),
    }
    Ok(())
}

/// Follows news and settings, in every role.
pub(crate) fn follow(jobs: &Jobs, settings: &SettingsHandle, tasks: &TaskTracker, stop: &CancellationToken) {
    let (transport, hub) = (Arc::clone(jobs.transport()), jobs.hub().clone());
    let until = stop.clone();
    tasks.spawn(async move { transport.listen(hub, until).await });
    let (jobs, settings, stop) = (jobs.clone(), settings.clone(), stop.clone());
    tasks.spawn(async move {
        loop {
            let now = settings.load().jobs.clone();
            jobs.set_bounds(Bounds { queued: now.max_queued, queued_per_owner: now.max_queued_per_key });
            tokio::select! {
                () = tokio::time::sleep(FOLLOW_EVERY) => {}
                () = stop.cancelled() => return,
            }
        }
    });
}

/// The workers of this process.
pub(crate) struct Floor {
    /// None in a process that only schedules.
    crew: Option<Crew>,
    grace: Duration,
    scheduling: CancellationToken,
    tasks: TaskTracker,
    /// Held while this process works alone on its folder.
    alone: Option<File>,
}

impl Floor {
    /// Starts workers. A process that only answers has none, but sweeps, and judges those of other processes: where these
    /// come and go, it is the one that has seen the database all along.
    pub(crate) async fn start(startup: &StartUp, role: Role, jobs: &Jobs, shop: &Workshop) -> Result<Self> {
        let config: &WorkerConfig = &startup.worker;
        let works = role.works();
        let embedded = startup.storage_mode == StorageMode::File && startup.redis_url.is_none();
        let alone = if embedded && works { lock(&startup.data_dir)? } else { None };
        if embedded && works && alone.is_none() {
            tracing::warn!(
                "another process works on this data folder: jobs of a process that dies wait a little longer"
            );
        }
        let keep = Duration::from_secs(shop.gateway.settings().load().jobs.keep_days * 86_400);
        let options = CrewOptions { alone: alone.is_some(), keep };
        let lanes = if works { shop.lanes(config) } else { Vec::new() };
        let crew = if role == Role::Scheduler {
            None
        } else {
            let crew = Crew::start(jobs.clone(), lanes, options).await.context("the workers cannot start")?;
            tracing::debug!(worker = %crew.id(), "working");
            Some(crew)
        };
        let (tasks, scheduling) = (TaskTracker::new(), CancellationToken::new());
        if role.schedules() {
            let scheduler = Scheduler::new(jobs.clone(), shop.gateway.settings().clone());
            tasks.spawn(scheduler.run(scheduling.clone()));
        }
        tasks.spawn(shop.media.clone().keep_touching(scheduling.clone()));
        Ok(Self { crew, grace: Duration::from_secs(config.drain_secs), scheduling, tasks, alone })
    }

    /// Whether no other process works on these jobs.
    pub(crate) fn is_alone(&self) -> bool {
        self.alone.is_some()
    }

    /// Takes nothing more; what runs comes to its end or is handed over.
    pub(crate) async fn stop(self) {
        self.scheduling.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        if let Some(crew) = self.crew {
            crew.stop(self.grace).await;
        }
    }
}

/// The lock of the data folder; nothing when another process has it.
pub(crate) fn lock(folder: &Path) -> Result<Option<File>> {
    let path = folder.join("workers.lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    Ok(file.try_lock().is_ok().then_some(file))
}

/// Asks workers for files on behalf of the API.
pub(crate) struct Fetcher(CacheRequests);

impl Fetcher {
    pub(crate) fn new(jobs: &Jobs) -> Self {
        Self(CacheRequests::new(jobs.clone()))
    }
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetcher").finish_non_exhaustive()
    }
}

#[async_trait]
impl AssetFetcher for Fetcher {
    async fn request(&self, asset: &asset::Model) -> Result<(), QueueError> {
        self.0.request(asset).await
    }
}
