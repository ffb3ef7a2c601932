//! `/api/jobs`: the queue, and what of it failed.

use std::collections::HashMap;

use grok2api_entity::job::{self, State};
use grok2api_entity::{bulk, generation};
use grok2api_queue::{Revived, kinds};
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::object::{JobAttempt, OwnJob, OwnJobDetail};
use super::page::Page;
use crate::access::Admin;
use crate::body::JsonBody;
use crate::error::ApiError;
use crate::numbers::KeyNames;
use crate::state::AppState;
use crate::tags::Tag;

/// All jobs.
pub(crate) struct OwnJobsApi;

/// A page of jobs, the latest first.
#[derive(Debug, Clone, PartialEq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct OwnJobList {
    /// `list`
    pub object: &'static str,
    /// The jobs.
    pub data: Vec<OwnJob>,
    /// The `cursor` of the next page; null on the last.
    #[oai(nullable)]
    pub next_cursor: Option<String>,
}

/// How much work waits and runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct QueueList {
    /// `list`
    pub object: &'static str,
    /// The kinds of jobs, always in the same order.
    pub data: Vec<Queue>,
}

/// The work of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct Queue {
    /// The kind of its jobs.
    pub name: &'static str,
    /// `queue`
    pub object: &'static str,
    /// Jobs that wait for a worker.
    pub queued: u64,
    /// Jobs that a worker has.
    pub running: u64,
    /// For how many seconds the job that has been due longest has waited; 0 when none is due.
    pub oldest_secs: u64,
}

/// What is allowed about a job that is to be tried again.
#[derive(Debug, Default, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(write_only_all)]
pub(crate) struct RetryJob {
    /// Whether a call that may have been paid for may be made once more.
    #[serde(default)]
    #[oai(nullable)]
    pub resubmit: Option<bool>,
}

#[OpenApi(prefix_path = "/api", tag = "Tag::Work")]
impl OwnJobsApi {
    /// List jobs. Those that failed are the ones with the status `failed`.
    #[oai(path = "/jobs", method = "get", operation_id = "list_own_jobs")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        state: Data<&AppState>,
        _admin: Admin,
        /// Most jobs of the page: 1 to 200, by default 50.
        limit: Query<Option<u64>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Only of this kind.
        kind: Query<Option<String>>,
        /// Only `queued`, `running`, `completed`, `failed` or `cancelled` ones.
        status: Query<Option<String>>,
        /// Only those of the request with this public id.
        generation_id: Query<Option<String>>,
    ) -> Result<Json<OwnJobList>, ApiError> {
        use job::{Column, Entity};

        let page = Page::parse(limit.0, cursor.0.as_deref())?;
        let mut query = Entity::find().order_by_desc(Column::Id).limit(page.limit + 1);
        if let Some(name) = kind.0.as_deref() {
            let unknown = || ApiError::invalid("kind", "invalid_value", "There are no jobs of this kind.");
            query = query.filter(Column::Kind.eq(kinds::parse(name).ok_or_else(unknown)?));
        }
        if let Some(name) = status.0.as_deref() {
            query = query.filter(Column::State.eq(parse_state(name)?));
        }
        if let Some(id) = generation_id.0.as_deref() {
            let row = request(&state, id).await?;
            query = query.filter(Column::GenerationId.eq(row.map_or(Uuid::nil(), |row| row.id)));
        }
        if let Some(before) = page.before {
            query = query.filter(Column::Id.lt(before));
        }
        let (rows, next_cursor) = page.cut(query.all(state.jobs.db()).await?, |row| row.id);
        Ok(Json(OwnJobList { object: "list", data: show(&state, rows).await?, next_cursor }))
    }

    /// List how much work waits and runs, by the kind of jobs.
    #[oai(path = "/queues", method = "get", operation_id = "list_queues")]
    async fn queues(&self, state: Data<&AppState>, _admin: Admin) -> Result<Json<QueueList>, ApiError> {
        let survey = state.jobs.survey().await?;
        let of = |kind: job::Kind| {
            let found = survey.iter().find(|work| work.kind == kind);
            Queue {
                name: kind.as_str(),
                object: "queue",
                queued: found.map_or(0, |work| work.queued),
                running: found.map_or(0, |work| work.running),
                oldest_secs: found.map_or(0, |work| work.oldest.as_secs()),
            }
        };
        Ok(Json(QueueList { object: "list", data: kinds::ALL.into_iter().map(of).collect() }))
    }

    /// Retrieve a job with its upstream calls.
    #[oai(path = "/jobs/:id", method = "get", operation_id = "retrieve_own_job")]
    async fn retrieve(
        &self,
        state: Data<&AppState>,
        _admin: Admin,
        id: Path<String>,
    ) -> Result<Json<OwnJobDetail>, ApiError> {
        let row = find(&state, &id.0).await?;
        let attempts = state.jobs.attempts_of(&[row.id]).await?;
        let job = show(&state, vec![row]).await?.pop().ok_or_else(ApiError::internal)?;
        Ok(Json(OwnJobDetail { job, attempts: attempts.into_iter().map(JobAttempt::from).collect() }))
    }

    /// Try a job again that failed or was cancelled.
    ///
    /// It begins where it can go on without paying twice: at its beginning, or with fetching what was made. One that was
    /// caught with a call under way needs `resubmit`, since nobody knows whether that call counted: 409 `outcome_unknown`
    /// without it. 409 `not_retriable` for a job that is open or done, or whose request is done or deleted.
    #[oai(path = "/jobs/:id/retry", method = "post", operation_id = "retry_own_job")]
    async fn retry(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        id: Path<String>,
        body: JsonBody<RetryJob>,
    ) -> Result<Json<OwnJob>, ApiError> {
        let row = find(&state, &id.0).await?;
        let resubmit = body.0.resubmit.unwrap_or(false);
        let detail = json!({ "kind": row.kind.as_str(), "resubmit": resubmit });
        let note = admin.note("job.retry", row.id.to_string(), detail);
        let row = match state.jobs.revive(&row, resubmit, &note).await? {
            Revived::Yes(row) => *row,
            Revived::OutcomeUnknown => {
                let message = "Whether its call counted is not known: send resubmit to make it once more.";
                return Err(ApiError::new(StatusCode::CONFLICT, "invalid_request_error", "outcome_unknown", message));
            }
            Revived::No => {
                let message = "Only a job that failed or was cancelled is tried again, while its request is not done.";
                return Err(ApiError::new(StatusCode::CONFLICT, "invalid_request_error", "not_retriable", message));
            }
        };
        show(&state, vec![row]).await?.pop().map(Json).ok_or_else(ApiError::internal)
    }
}

fn parse_state(name: &str) -> Result<State, ApiError> {
    let all = [State::Queued, State::Running, State::Completed, State::Failed, State::Cancelled];
    let found = all.into_iter().find(|state| state.as_str() == name);
    let known = "It is queued, running, completed, failed or cancelled.";
    found.ok_or_else(|| ApiError::invalid("status", "invalid_value", known))
}

async fn find(state: &AppState, id: &str) -> Result<job::Model, ApiError> {
    let missing = || ApiError::not_found("job", id);
    let uuid = Uuid::parse_str(id).map_err(|_| missing())?;
    state.jobs.find(uuid).await?.ok_or_else(missing)
}

/// The request of a public id.
async fn request(state: &AppState, id: &str) -> Result<Option<generation::Model>, ApiError> {
    if id.chars().any(char::is_control) {
        return Ok(None);
    }
    Ok(generation::Entity::find().filter(generation::Column::PublicId.eq(id)).one(state.jobs.db()).await?)
}

/// Jobs with what belongs to them.
async fn show(state: &AppState, rows: Vec<job::Model>) -> Result<Vec<OwnJob>, ApiError> {
    let db = state.jobs.db();
    let requests = rows.iter().filter_map(|row| row.generation_id);
    let requests: HashMap<Uuid, String> = generation::Entity::find()
        .select_only()
        .columns([generation::Column::Id, generation::Column::PublicId])
        .filter(generation::Column::Id.is_in(requests))
        .into_tuple()
        .all(db)
        .await?
        .into_iter()
        .collect();
    let works = bulk::Entity::find().filter(bulk::Column::Id.is_in(rows.iter().map(|row| row.id))).all(db).await?;
    let names = KeyNames::read(db).await?;
    let shown = rows.into_iter().map(|row| {
        let request = row.generation_id.and_then(|id| requests.get(&id).cloned());
        let work = works.iter().find(|work| work.id == row.id);
        OwnJob::new(row, request, work, &names)
    });
    Ok(shown.collect())
}
