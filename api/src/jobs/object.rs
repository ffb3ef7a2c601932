//! How work looks to the client that asked for it.

use grok2api_entity::asset::{self, State as AssetState};
use grok2api_entity::{generation, job, job_attempt};
use grok2api_queue::{PICTURES_A_TURN, Turn};
use poem_openapi::Object;
use serde::Serialize;

use crate::failure;

/// A piece of work and how far it is.
#[derive(Debug, Clone, PartialEq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct Job {
    /// The id that was asked for: of the request (`img_…`, `video_…`) or of one of its jobs.
    pub id: String,
    /// `job`
    pub object: &'static str,
    /// Of a request: `image`, `edit` or `video`; of a job: `generate_image`, `generate_video` or `cache_media`.
    pub kind: &'static str,
    /// `queued`, `in_progress`, `completed`, `failed` or `cancelled`.
    pub status: &'static str,
    /// Percent.
    pub progress: i32,
    /// The model that is used.
    #[oai(nullable)]
    pub model: Option<String>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds; null while nobody has begun.
    #[oai(nullable)]
    pub started_at: Option<i64>,
    /// Unix seconds; null while it is open.
    #[oai(nullable)]
    pub finished_at: Option<i64>,
    /// Why it gave nothing.
    #[oai(nullable)]
    pub error: Option<WorkError>,
    /// Upstream calls made for it, in their order. Left out of the progress events of a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[oai(skip_serializing_if_is_none)]
    pub attempts: Option<Vec<Attempt>>,
    /// What there is of its results. Left out of the progress events of a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[oai(skip_serializing_if_is_none)]
    pub results: Option<Vec<Outcome>>,
}

/// Why work gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct WorkError {
    /// For programs, from a closed list.
    pub code: String,
    /// For people.
    pub message: String,
}

/// One upstream call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct Attempt {
    /// Position, from 1.
    pub number: usize,
    /// Unix milliseconds: when it was about to leave.
    pub started_at_ms: i64,
    /// Unix milliseconds: when its outcome was known.
    #[oai(nullable)]
    pub finished_at_ms: Option<i64>,
    /// `ok`, or why it failed; null while it runs, or for ever when its worker died.
    #[oai(nullable)]
    pub outcome: Option<String>,
}

/// One result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct Outcome {
    /// `image`, `video`, or `preview` for a video's still picture.
    pub kind: &'static str,
    /// Where it can be fetched.
    pub url: String,
    /// `pending`, `stored`, `evicted` (it is fetched again when it is asked for) or `failed`.
    pub status: &'static str,
    /// Its type, once it is stored.
    #[oai(nullable)]
    pub content_type: Option<String>,
    /// Its size in bytes; 0 until it is stored.
    pub bytes: i64,
}

/// What an id stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Work {
    /// A request and all its jobs.
    Request(generation::Model),
    /// One job.
    Single(job::Model),
}

impl Work {
    /// Whether it is at its end.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Request(row) => grok2api_queue::generation_is_over(row.state),
            Self::Single(row) => grok2api_queue::job_is_over(row),
        }
    }

    /// Its state alone.
    pub(crate) fn state(&self) -> Job {
        match self {
            Self::Request(row) => of_request(row),
            Self::Single(row) => of_job(row),
        }
    }

    /// Its state, its calls and its results.
    pub(crate) fn whole(
        &self,
        jobs: &[job::Model],
        attempts: &[job_attempt::Model],
        results: &[asset::Model],
        base: &str,
    ) -> Job {
        let started = jobs.iter().filter_map(|job| job.started_at).min();
        let results = results.iter().filter(|asset| self.made(asset)).map(|asset| outcome(asset, base)).collect();
        Job {
            started_at: started.map(|at| at / 1000),
            attempts: Some((1..).zip(attempts).map(|(number, attempt)| of_attempt(number, attempt)).collect()),
            results: Some(results),
            ..self.state()
        }
    }

    /// Whether a result of its request is its own.
    fn made(&self, asset: &asset::Model) -> bool {
        match self {
            Self::Request(_) => true,
            Self::Single(job) => serde_json::from_str::<Turn>(&job.args)
                .is_ok_and(|turn| asset.ordinal / i32::from(PICTURES_A_TURN) == i32::from(turn.index)),
        }
    }
}

fn of_request(row: &generation::Model) -> Job {
    use generation::State as S;
    let failed = matches!(row.state, S::Failed | S::Cancelled);
    Job {
        id: row.public_id.clone(),
        object: "job",
        kind: row.kind.as_str(),
        status: row.state.as_str(),
        progress: row.progress,
        model: Some(row.model.clone()),
        created_at: row.created_at / 1000,
        started_at: None,
        finished_at: row.completed_at.map(|at| at / 1000),
        error: failed.then(|| {
            let body = failure::of_generation(row).body;
            WorkError { code: body.code.unwrap_or_default(), message: body.message }
        }),
        attempts: None,
        results: None,
    }
}

fn of_job(row: &job::Model) -> Job {
    use job::State as S;
    let status = match row.state {
        S::Running => "in_progress",
        S::Queued | S::Completed | S::Failed | S::Cancelled => row.state.as_str(),
    };
    Job {
        id: row.id.to_string(),
        object: "job",
        kind: row.kind.as_str(),
        status,
        progress: row.progress,
        model: None,
        created_at: row.created_at / 1000,
        started_at: row.started_at.map(|at| at / 1000),
        finished_at: row.finished_at.map(|at| at / 1000),
        error: row
            .error_code
            .clone()
            .map(|code| WorkError { code, message: row.error_message.clone().unwrap_or_default() }),
        attempts: None,
        results: None,
    }
}

/// The account stays out: it is the operator's business.
fn of_attempt(number: usize, attempt: &job_attempt::Model) -> Attempt {
    Attempt {
        number,
        started_at_ms: attempt.started_at,
        finished_at_ms: attempt.finished_at,
        outcome: attempt.outcome.clone(),
    }
}

fn outcome(asset: &asset::Model, base: &str) -> Outcome {
    let is_stored = asset.state == AssetState::Stored;
    Outcome {
        kind: asset.kind.as_str(),
        url: format!("{base}/images/{}", asset.name),
        status: asset.state.as_str(),
        content_type: asset.content_type.clone().filter(|_| is_stored),
        bytes: if is_stored { asset.bytes } else { 0 },
    }
}
