//! The last step of a job: its results' bytes come into the store.

use grok2api_entity::asset::{self, Kind, State};
use grok2api_entity::failure::Code;
use grok2api_entity::job::Step;
use grok2api_queue::{Claimed, End, Failure, Lost, PICTURES_A_TURN, failpoint};

use crate::fetch::FetchError;
use crate::generate::{Generate, Task};
use crate::outcome::again;

impl Generate {
    /// Fetches what the job has made. What is stored already is left alone, so any worker may do this at any time.
    pub(crate) async fn archive(&self, job: &mut Claimed, task: &Task) -> Result<End, Lost> {
        let assets = match self.assets(task).await {
            Ok(assets) => assets,
            Err(error) => return Ok(later(job, &error)),
        };
        let mut stored = 0;
        let mut worst: Option<FetchError> = None;
        for asset in assets {
            if asset.state == State::Stored {
                stored += usize::from(asset.kind != Kind::Preview);
                continue;
            }
            if job.can_be_passed_on() {
                return Ok(End::HandOver);
            }
            failpoint::hit("before_fetch").await;
            match self.shop.fetch(asset.id).await {
                Ok(_) => stored += usize::from(asset.kind != Kind::Preview),
                // A still picture is an extra.
                Err(error) if asset.kind == Kind::Preview => self.give_up(asset.id, &error).await,
                Err(error) => {
                    tracing::warn!(job = %job.row().id, asset = %asset.id, error = %error, "a result could not be fetched");
                    if !error.is_temporary() {
                        self.give_up(asset.id, &error).await;
                    }
                    if worst.as_ref().is_none_or(|worst| error.is_temporary() || !worst.is_temporary()) {
                        worst = Some(error);
                    }
                }
            }
            failpoint::hit("after_fetch").await;
        }
        Ok(match worst {
            Some(error) if error.is_temporary() => later(job, &error),
            // Some of the pictures are better than none.
            _ if stored > 0 => End::Completed,
            Some(error) => End::Failed(failure(&error)),
            None => End::Failed(Failure::new(Code::MediaUnavailable, "The result's files cannot be had.")),
        })
    }

    /// The results of this job among those of its request.
    async fn assets(&self, task: &Task) -> Result<Vec<asset::Model>, FetchError> {
        let first = i32::from(task.turn.index) * i32::from(PICTURES_A_TURN);
        let ours = first..first + i32::from(PICTURES_A_TURN);
        let all = self.shop.media.results_of(task.generation.id).await?;
        Ok(all.into_iter().filter(|asset| ours.contains(&asset.ordinal)).collect())
    }

    async fn give_up(&self, id: uuid::Uuid, error: &FetchError) {
        if let Err(error) = self.shop.media.fail(id, error.code()).await {
            tracing::warn!(asset = %id, error = %error, "that a file cannot be had could not be written");
        }
    }
}

fn later(job: &Claimed, error: &FetchError) -> End {
    again(job.row(), Step::Archiving, failure(error))
}

fn failure(error: &FetchError) -> Failure {
    let message = match error.code() {
        Code::StorageFull => "There is no room left to store the result.",
        Code::InternalError => "The records cannot be reached.",
        _ => "The result was made, but its file could not be fetched or stored.",
    };
    Failure::new(error.code(), message)
}
