//! Jobs and requests as the operator sees them.

use grok2api_entity::{asset, bulk, generation, job, job_attempt};
use poem_openapi::Object;
use poem_openapi::types::ToJSON;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::json_type::{json_type, plain};
use crate::numbers::KeyNames;

/// A job of the gateway: anything that is done beside the requests, and survives a restart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct OwnJob {
    /// Its id.
    pub id: String,
    /// `own_job`
    pub object: &'static str,
    /// What it does, such as `generate_image`, `token_test` or `bulk_import`.
    pub kind: &'static str,
    /// `queued`, `running`, `completed`, `failed` or `cancelled`.
    pub status: &'static str,
    /// How far its work has come: `start`, `sending` (a paid call may have left), `submitted` (the upstream has begun to
    /// answer) or `archiving` (results are being fetched).
    pub step: &'static str,
    /// Percent.
    pub progress: i32,
    /// Counts the changes of hands.
    pub epoch: i64,
    /// Times it was tried again after an error.
    pub tries: i32,
    /// Workers that died over it since its last step.
    pub crashes: i32,
    /// What the requests of the client key that asked for it are filed under; empty for the gateway itself.
    pub owner: String,
    /// What the operator calls that key.
    #[oai(nullable)]
    pub key_name: Option<String>,
    /// The request for pictures or a video that it belongs to, by its public id.
    #[oai(nullable)]
    pub generation_id: Option<String>,
    /// The account of its latest upstream call.
    #[oai(nullable)]
    pub account_id: Option<String>,
    /// What the upstream calls it.
    #[oai(nullable)]
    pub upstream_id: Option<String>,
    /// The worker process that has it.
    #[oai(nullable)]
    pub worker_id: Option<String>,
    /// Not before this time, in Unix milliseconds.
    pub run_at_ms: i64,
    /// Given up after this time, in Unix milliseconds.
    pub deadline_at_ms: i64,
    /// When it was accepted, in Unix milliseconds.
    pub created_at_ms: i64,
    /// When a worker first took it, in Unix milliseconds.
    #[oai(nullable)]
    pub started_at_ms: Option<i64>,
    /// When it came to its end, in Unix milliseconds.
    #[oai(nullable)]
    pub finished_at_ms: Option<i64>,
    /// Why it failed.
    #[oai(nullable)]
    pub error: Option<WorkFault>,
    /// What it was told.
    pub args: JobArgs,
    /// How far work on many accounts is.
    #[oai(nullable)]
    pub bulk: Option<BulkProgress>,
}

/// A job with its upstream calls.
#[derive(Debug, Clone, PartialEq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct OwnJobDetail {
    /// The job.
    pub job: OwnJob,
    /// Its upstream calls, in their order.
    pub attempts: Vec<JobAttempt>,
}

/// What a job was told: ids and figures, no secrets and nothing that a client wrote.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct JobArgs(Map<String, Value>);

json_type!(JobArgs, "JobArgs", plain("object", "Members that depend on the kind of the job. No secrets."));

impl ToJSON for JobArgs {
    fn to_json(&self) -> Option<Value> {
        Some(Value::Object(self.0.clone()))
    }
}

/// Why work failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct WorkFault {
    /// For programs, from a closed list.
    pub code: String,
    /// For people.
    pub message: String,
}

/// How far work on many accounts is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct BulkProgress {
    /// Accounts it is about.
    pub total: i64,
    /// Accounts that are done, well or not.
    pub done: i64,
    /// Of these, those that failed.
    pub failed: i64,
}

/// One upstream call of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct JobAttempt {
    /// The job's epoch when it was made.
    pub epoch: i64,
    /// Position among the calls of this epoch, from 1.
    pub number: i32,
    /// The account that was used.
    pub account_id: String,
    /// When it was about to leave, in Unix milliseconds.
    pub started_at_ms: i64,
    /// When its outcome was known, in Unix milliseconds.
    #[oai(nullable)]
    pub finished_at_ms: Option<i64>,
    /// `ok`, or why it failed; null while it runs, or for ever when its worker died.
    #[oai(nullable)]
    pub outcome: Option<String>,
}

/// A request for pictures or a video.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct Generation {
    /// The id that its client sees: `img_…` or `video_…`.
    pub id: String,
    /// `generation`
    pub object: &'static str,
    /// `image`, `edit` or `video`.
    pub kind: &'static str,
    /// The model.
    pub model: String,
    /// What the requests of its client key are filed under.
    pub owner: String,
    /// What the operator calls that key.
    #[oai(nullable)]
    pub key_name: Option<String>,
    /// What to draw or film.
    pub prompt: String,
    /// `queued`, `in_progress`, `completed`, `failed` or `cancelled`.
    pub status: &'static str,
    /// Percent.
    pub progress: i32,
    /// Why there is no result.
    #[oai(nullable)]
    pub error: Option<WorkFault>,
    /// When it was accepted, in Unix milliseconds.
    pub created_at_ms: i64,
    /// When it came to its end, in Unix milliseconds.
    #[oai(nullable)]
    pub completed_at_ms: Option<i64>,
    /// What there is of its results.
    pub results: Vec<GenerationResult>,
}

/// A picture or video that was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct GenerationResult {
    /// `image`, `video`, or `preview` for a video's still picture.
    pub kind: &'static str,
    /// Its path on this gateway.
    pub path: String,
    /// Its type, once it is stored.
    #[oai(nullable)]
    pub content_type: Option<String>,
    /// Its size in bytes; 0 until it is stored.
    pub bytes: i64,
    /// `pending`, `stored`, `evicted` (it is fetched again when it is asked for) or `failed`.
    pub status: &'static str,
}

fn fault(code: Option<&String>, message: Option<&String>) -> Option<WorkFault> {
    let code = code?.clone();
    Some(WorkFault { message: message.cloned().unwrap_or_else(|| code.clone()), code })
}

impl OwnJob {
    /// The job of a row; `request` is the public id of its request.
    pub(super) fn new(row: job::Model, request: Option<String>, work: Option<&bulk::Model>, names: &KeyNames) -> Self {
        Self {
            id: row.id.to_string(),
            object: "own_job",
            kind: row.kind.as_str(),
            status: row.state.as_str(),
            step: row.step.as_str(),
            progress: row.progress,
            epoch: row.epoch,
            tries: row.tries,
            crashes: row.crashes,
            key_name: names.of(&row.owner),
            generation_id: request,
            account_id: row.account_id.map(|id| id.to_string()),
            upstream_id: row.upstream_id,
            worker_id: row.holder.map(|id| id.to_string()),
            run_at_ms: row.run_at,
            deadline_at_ms: row.deadline_at,
            created_at_ms: row.created_at,
            started_at_ms: row.started_at,
            finished_at_ms: row.finished_at,
            error: fault(row.error_code.as_ref(), row.error_message.as_ref()),
            args: JobArgs(serde_json::from_str(&row.args).unwrap_or_default()),
            bulk: work.map(|work| BulkProgress { total: work.total, done: work.done, failed: work.failed }),
            owner: row.owner,
        }
    }
}

impl From<job_attempt::Model> for JobAttempt {
    fn from(row: job_attempt::Model) -> Self {
        Self {
            epoch: row.epoch,
            number: row.number,
            account_id: row.account_id.to_string(),
            started_at_ms: row.started_at,
            finished_at_ms: row.finished_at,
            outcome: row.outcome,
        }
    }
}

impl Generation {
    /// The request of a row, with the files that were made for it.
    pub(super) fn new(row: generation::Model, results: &[asset::Model], names: &KeyNames) -> Self {
        let made = |asset: &&asset::Model| asset.kind != asset::Kind::Input;
        Self {
            id: row.public_id,
            object: "generation",
            kind: row.kind.as_str(),
            model: row.model,
            key_name: names.of(&row.owner),
            owner: row.owner,
            prompt: row.prompt,
            status: row.state.as_str(),
            progress: row.progress,
            error: fault(row.error_code.as_ref(), row.error_message.as_ref()),
            created_at_ms: row.created_at,
            completed_at_ms: row.completed_at,
            results: results.iter().filter(made).map(GenerationResult::from).collect(),
        }
    }
}

impl From<&asset::Model> for GenerationResult {
    fn from(row: &asset::Model) -> Self {
        Self {
            kind: row.kind.as_str(),
            path: format!("/images/{}", row.name),
            content_type: row.content_type.clone(),
            bytes: row.bytes,
            status: row.state.as_str(),
        }
    }
}
