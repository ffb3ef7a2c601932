//! Single files: fetched into the store, and swept out of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use grok2api_entity::asset;
use grok2api_entity::failure::Code;
use grok2api_entity::job::{Kind, Step};
use grok2api_queue::{Claimed, End, Failure, Handler, Jobs, Lost, NewJob, QueueError};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use crate::Workshop;
use crate::outcome::{again, failed};

/// How long a file may be tried to be fetched, in milliseconds.
const PATIENCE_MS: i64 = 10 * 60_000;
/// One file is asked for this often at most by one process.
const ASKED: Duration = Duration::from_secs(10);
/// Bytes whose hashes are checked in one sweep.
const CHECKED_BYTES: u64 = 64 << 20;

/// What a job that fetches is told.
#[derive(Debug, Serialize, Deserialize)]
struct CacheArgs {
    asset: Uuid,
}

/// Asks workers to fetch files. Clones share what was asked for a moment ago.
#[derive(Clone)]
pub struct CacheRequests {
    jobs: Jobs,
    asked: Arc<Mutex<HashMap<Uuid, Instant>>>,
}

impl CacheRequests {
    /// Asks through `jobs`.
    pub fn new(jobs: Jobs) -> Self {
        Self { jobs, asked: Arc::default() }
    }

    /// Asks for a file; one that was asked for a moment ago is on its way.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn request(&self, asset: &asset::Model) -> Result<(), QueueError> {
        {
            let now = Instant::now();
            let mut asked = self.asked.lock();
            asked.retain(|_, at| now.duration_since(*at) < ASKED);
            if asked.insert(asset.id, now).is_some() {
                return Ok(());
            }
        }
        let asked = self.jobs.submit(job(asset)).await;
        if asked.is_err() {
            self.asked.lock().remove(&asset.id);
        }
        asked.map(drop)
    }
}

/// The job that fetches a file.
fn job(asset: &asset::Model) -> NewJob {
    let mut new = NewJob::new(Kind::CacheMedia, PATIENCE_MS);
    new.owner.clone_from(&asset.owner);
    new.args = serde_json::to_string(&CacheArgs { asset: asset.id }).unwrap_or_default();
    new
}

/// Fetches one file.
pub(crate) struct CacheMedia {
    shop: Arc<Workshop>,
}

impl CacheMedia {
    pub(crate) fn new(shop: Arc<Workshop>) -> Self {
        Self { shop }
    }
}

#[async_trait]
impl Handler for CacheMedia {
    async fn run(&self, job: &mut Claimed) -> Result<End, Lost> {
        let Ok(args) = serde_json::from_str::<CacheArgs>(&job.row().args) else {
            return Ok(failed(Code::InternalError, "The job's records are incomplete."));
        };
        let fetched = tokio::select! {
            fetched = self.shop.fetch(args.asset) => fetched,
            () = job.draining().cancelled() => return Ok(End::HandOver),
        };
        let Err(error) = fetched else { return Ok(End::Completed) };
        tracing::warn!(asset = %args.asset, error = %error, "a file could not be fetched");
        let failure = Failure::new(error.code(), "The file could not be fetched or stored.");
        let end = if error.is_temporary() { again(job.row(), Step::Start, failure) } else { End::Failed(failure) };
        if matches!(end, End::Failed(_))
            && let Err(error) = self.shop.media.fail(args.asset, error.code()).await
        {
            tracing::warn!(asset = %args.asset, error = %error, "that a file cannot be had could not be written");
        }
        Ok(end)
    }
}

/// Keeps the store within its limits, and its rows and files together.
pub(crate) struct SweepMedia {
    shop: Arc<Workshop>,
}

impl SweepMedia {
    pub(crate) fn new(shop: Arc<Workshop>) -> Self {
        Self { shop }
    }
}

#[async_trait]
impl Handler for SweepMedia {
    async fn run(&self, job: &mut Claimed) -> Result<End, Lost> {
        let swept = async {
            self.shop.media.sweep().await?;
            self.shop.media.check(CHECKED_BYTES).await?;
            Ok::<_, grok2api_media::MediaError>(())
        };
        let swept = tokio::select! {
            swept = swept => swept,
            () = job.draining().cancelled() => return Ok(End::HandOver),
        };
        Ok(match swept {
            Ok(()) => End::Completed,
            Err(error) => {
                tracing::warn!(error = %error, "the media store could not be swept");
                failed(error.code(), "The media store could not be swept.")
            }
        })
    }
}
