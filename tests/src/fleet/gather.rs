//! What the judge looks at, when all is over.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use grok2api_entity::job::{self, State};
use grok2api_entity::{asset, generation};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use super::{Fleet, wait_for};
use crate::ledger::{Entry, Evidence, Sightings};

impl Fleet {
    /// Jobs of requests that have not come to their end.
    ///
    /// # Errors
    /// The records do not answer.
    pub async fn open_jobs(&self) -> Result<u64> {
        let open = job::Entity::find()
            .filter(job::Column::State.is_in([State::Queued, State::Running]))
            .filter(job::Column::GenerationId.is_not_null());
        Ok(open.count(&self.db).await?)
    }

    /// Waits until all jobs of requests have come to their ends. That they have not after `limit` is no error here: the
    /// ledger will say so.
    pub async fn settle(&self, limit: Duration) {
        let settled = wait_for("all jobs come to their ends", limit, async || {
            let open = self.open_jobs().await?;
            Ok((open == 0).then_some(()))
        });
        let _ = settled.await;
    }

    /// The evidence.
    ///
    /// # Errors
    /// The records or the store cannot be read.
    pub async fn evidence(&self, log: Vec<Entry>, seen: Sightings) -> Result<Evidence> {
        let jobs = job::Entity::find().filter(job::Column::GenerationId.is_not_null());
        Ok(Evidence {
            log,
            generations: generation::Entity::find().all(&self.db).await?,
            jobs: jobs.all(&self.db).await?,
            assets: asset::Entity::find().all(&self.db).await?,
            files: files(&self.startup.media_folder())?,
            creates: self.sim.creates(),
            seen,
            resubmits: self.plan.settings.get("jobs.resubmit_unknown").is_some_and(|on| on == true),
        })
    }
}

/// The files of the store, `ab/abcdef…`, with their sizes.
fn files(folder: &Path) -> Result<HashMap<String, u64>> {
    let mut files = HashMap::new();
    for shelf in std::fs::read_dir(folder).context("no media folder")? {
        let shelf = shelf?;
        let name = shelf.file_name().to_string_lossy().into_owned();
        if name == "tmp" || !shelf.file_type()?.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(shelf.path())? {
            let file = file?;
            files.insert(format!("{name}/{}", file.file_name().to_string_lossy()), file.metadata()?.len());
        }
    }
    Ok(files)
}
