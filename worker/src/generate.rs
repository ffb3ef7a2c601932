//! Pictures and videos: what is to be done at the step that a job has come to (I3).

use std::sync::Arc;

use async_trait::async_trait;
use grok2api_entity::failure::Code;
use grok2api_entity::generation;
use grok2api_entity::job::Step;
use grok2api_queue::{Claimed, End, Failure, Handler, Lost, Order, Turn, failpoint};
use sea_orm::EntityTrait;

use crate::Workshop;
use crate::outcome::{again, failed};

/// A job whose prompt has this comes by the failpoint `poison`.
const POISON: &str = "[[poison]]";

/// Draws, edits and films.
pub(crate) struct Generate {
    pub(crate) shop: Arc<Workshop>,
}

/// What one job is to do.
pub(crate) struct Task {
    pub(crate) generation: generation::Model,
    pub(crate) order: Order,
    pub(crate) turn: Turn,
}

impl Generate {
    pub(crate) fn new(shop: Arc<Workshop>) -> Self {
        Self { shop }
    }

    /// The request that a job belongs to; how the job ends if there is none.
    async fn task(&self, job: &Claimed) -> Result<Task, End> {
        let broken = || failed(Code::InternalError, "The request's records are incomplete.");
        let id = job.row().generation_id.ok_or_else(broken)?;
        let generation = match generation::Entity::find_by_id(id).one(job.jobs().db()).await {
            Ok(row) => row.ok_or_else(broken)?,
            Err(error) => {
                tracing::warn!(job = %job.row().id, error = %error, "a job's request could not be read");
                let failure = Failure::new(Code::InternalError, "The records cannot be reached.");
                return Err(again(job.row(), job.row().step, failure));
            }
        };
        let order = serde_json::from_str(&generation.request).map_err(|_| broken())?;
        let turn = serde_json::from_str(&job.row().args).map_err(|_| broken())?;
        Ok(Task { generation, order, turn })
    }

    /// A worker died between the paid call and the results.
    fn orphaned(&self, job: &Claimed, code: Code, message: &str) -> End {
        let resubmit = self.shop.gateway.settings().load().jobs.resubmit_unknown;
        metrics::counter!("grok2api_submissions_lost_total", "code" => code.as_str()).increment(1);
        let failure = Failure::new(code, message);
        // The operator rather pays twice than not at all; once only.
        if resubmit && job.row().tries == 0 { again(job.row(), Step::Start, failure) } else { End::Failed(failure) }
    }
}

#[async_trait]
impl Handler for Generate {
    async fn run(&self, job: &mut Claimed) -> Result<End, Lost> {
        let task = match self.task(job).await {
            Ok(task) => task,
            Err(end) => return Ok(end),
        };
        if task.generation.prompt.contains(POISON) {
            failpoint::hit("poison").await;
        }
        match job.row().step {
            Step::Start => self.submit(job, &task).await,
            // The fault that the ledger of the kill tests has to find.
            Step::Sending | Step::Submitted if failpoint::is_on("bug_resubmit") => self.submit(job, &task).await,
            Step::Sending => Ok(self.orphaned(
                job,
                Code::UpstreamOutcomeUnknown,
                "A worker ended while the request was being sent. Whether the upstream has taken it is unknown.",
            )),
            Step::Submitted => Ok(self.orphaned(
                job,
                Code::UpstreamInterrupted,
                "A worker ended while the upstream was answering. The answer cannot be taken up again.",
            )),
            Step::Archiving => self.archive(job, &task).await,
        }
    }
}
