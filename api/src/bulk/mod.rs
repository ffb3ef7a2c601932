//! `/api/bulk`: work on many accounts at once, for the operator; and `/api/jobs/{id}/cancel`.

mod failures;
mod request;

use grok2api_entity::job::{self, Kind, State as JobState};
use grok2api_entity::{bulk, bulk_item};
use grok2api_queue::bulk::{NewBulk, cancel, submit};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use sea_orm::EntityTrait;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::access::Admin;
use crate::body::JsonBody;
use crate::error::ApiError;
use crate::state::AppState;
use crate::tags::Tag;
use failures::{Failures, Format};
use request::{AccountChoice, ImportAccounts, TagAccounts};

/// Most works of one page (H8).
const MAX_PAGE: u64 = 200;

/// Work on many accounts.
pub(crate) struct BulkApi;

/// Work on many accounts at once, and how far it is.
#[derive(Debug, Clone, PartialEq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct Bulk {
    /// Its id, which is that of its job.
    pub id: String,
    /// `bulk`
    pub object: &'static str,
    /// `bulk_test`, `bulk_import`, `bulk_delete`, `bulk_tag`, `bulk_enable` or `bulk_disable`.
    pub kind: &'static str,
    /// `queued`, `running`, `completed`, `failed` or `cancelled`. What was done before it failed or was cancelled stays.
    pub status: &'static str,
    /// Accounts it is about, as they were counted at the beginning.
    pub total: i64,
    /// Accounts that are done, well or not.
    pub done: i64,
    /// Of these, those that failed; `list_bulk_failures` says why.
    pub failed: i64,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds; null while it is open.
    #[oai(nullable)]
    pub finished_at_ms: Option<i64>,
    /// Why it failed as a whole.
    #[oai(nullable)]
    pub error: Option<String>,
}

/// A page of work on many accounts.
#[derive(Debug, Clone, PartialEq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct BulkList {
    /// `list`
    pub object: &'static str,
    /// The works, the latest first.
    pub data: Vec<Bulk>,
    /// The `cursor` of the next page; null on the last.
    #[oai(nullable)]
    pub next_cursor: Option<String>,
}

/// A job that was to be cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct CancelledJob {
    /// The job.
    pub id: String,
    /// What it does.
    pub kind: &'static str,
    /// How it stands now: `cancelled`, or the end it had come to before.
    pub status: &'static str,
}

#[OpenApi(prefix_path = "/api", tag = "Tag::Bulk")]
impl BulkApi {
    /// Test many accounts, one after the other.
    #[oai(path = "/bulk/test", method = "post", operation_id = "create_bulk_test")]
    async fn test(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        body: JsonBody<AccountChoice>,
    ) -> Result<Json<Bulk>, ApiError> {
        accept(&state, &admin, body.0.work(Kind::BulkTest)?).await
    }

    /// Take many accounts away. With `delay_secs` nothing is done before: to cancel its job until then is to undo it.
    #[oai(path = "/bulk/delete", method = "post", operation_id = "create_bulk_delete")]
    async fn delete(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        body: JsonBody<AccountChoice>,
    ) -> Result<Json<Bulk>, ApiError> {
        accept(&state, &admin, body.0.work(Kind::BulkDelete)?).await
    }

    /// Switch many accounts on. They begin anew: what they were condemned for before is forgotten.
    #[oai(path = "/bulk/enable", method = "post", operation_id = "create_bulk_enable")]
    async fn enable(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        body: JsonBody<AccountChoice>,
    ) -> Result<Json<Bulk>, ApiError> {
        accept(&state, &admin, body.0.work(Kind::BulkEnable)?).await
    }

    /// Switch many accounts off, until they are switched on again.
    #[oai(path = "/bulk/disable", method = "post", operation_id = "create_bulk_disable")]
    async fn disable(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        body: JsonBody<AccountChoice>,
    ) -> Result<Json<Bulk>, ApiError> {
        accept(&state, &admin, body.0.work(Kind::BulkDisable)?).await
    }

    /// Change the labels of many accounts.
    #[oai(path = "/bulk/tag", method = "post", operation_id = "create_bulk_tag")]
    async fn tag(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        body: JsonBody<TagAccounts>,
    ) -> Result<Json<Bulk>, ApiError> {
        accept(&state, &admin, body.0.work()?).await
    }

    /// Add many accounts.
    #[oai(path = "/bulk/import", method = "post", operation_id = "create_bulk_import")]
    async fn import(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        body: JsonBody<ImportAccounts>,
    ) -> Result<Json<Bulk>, ApiError> {
        accept(&state, &admin, body.0.work(&state)?).await
    }

    /// List the work on many accounts, the latest first.
    #[oai(path = "/bulk", method = "get", operation_id = "list_bulk")]
    async fn list(
        &self,
        state: Data<&AppState>,
        _admin: Admin,
        /// Most works of the page: 1 to 200, by default 50.
        limit: Query<Option<u64>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// `true` for those that are not at their end.
        open: Query<Option<bool>>,
    ) -> Result<Json<BulkList>, ApiError> {
        let limit = limit.0.unwrap_or(50);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(ApiError::invalid("limit", "invalid_value", "It is 1 to 200."));
        }
        let wrong = |_| ApiError::invalid("cursor", "invalid_value", "It is the next_cursor of a page before.");
        let before = cursor.0.as_deref().map(Uuid::parse_str).transpose().map_err(wrong)?;
        let wanted = (open.0 == Some(true)).then_some(bulk::State::Open);
        let mut rows = bulk::list(state.jobs.db(), wanted, before, limit + 1).await?;
        let has_more = rows.len() as u64 > limit;
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next_cursor = rows.last().filter(|_| has_more).map(|row| row.id.to_string());
        let mut data = Vec::with_capacity(rows.len());
        for row in &rows {
            data.push(Bulk::new(row, state.jobs.find(row.id).await?.as_ref()));
        }
        Ok(Json(BulkList { object: "list", data, next_cursor }))
    }

    /// Retrieve how far the work on many accounts is.
    #[oai(path = "/bulk/:id", method = "get", operation_id = "retrieve_bulk")]
    async fn retrieve(&self, state: Data<&AppState>, _admin: Admin, id: Path<String>) -> Result<Json<Bulk>, ApiError> {
        let row = find(&state, &id.0).await?;
        let job = state.jobs.find(row.id).await?;
        Ok(Json(Bulk::new(&row, job.as_ref())))
    }

    /// Download the accounts of which the work failed, with the reasons: a JSON object a line, or CSV.
    #[oai(path = "/bulk/:id/failures", method = "get", operation_id = "list_bulk_failures")]
    async fn failures(
        &self,
        state: Data<&AppState>,
        _admin: Admin,
        id: Path<String>,
        /// `ndjson` (the default) or `csv`.
        format: Query<Option<String>>,
    ) -> Result<Failures, ApiError> {
        let format = Format::parse(format.0.as_deref())?;
        let row = find(&state, &id.0).await?;
        Ok(Failures::stream(state.jobs.db().clone(), row.id, format))
    }

    /// Cancel a job: bulk work, a test, a sweep, a client's picture. What it has done stays done.
    #[oai(path = "/jobs/:id/cancel", method = "post", operation_id = "cancel_own_job")]
    async fn cancel(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        id: Path<String>,
    ) -> Result<Json<CancelledJob>, ApiError> {
        let missing = || ApiError::not_found("job", &id.0);
        let uuid = Uuid::parse_str(&id.0).map_err(|_| missing())?;
        let job = state.jobs.find(uuid).await?.ok_or_else(missing)?;
        let note = admin.note("job.cancel", job.id.to_string(), json!({ "kind": job.kind.as_str() }));
        let job = cancel(&state.jobs, &job, &note).await?.unwrap_or(job);
        Ok(Json(CancelledJob { id: job.id.to_string(), kind: job.kind.as_str(), status: job.state.as_str() }))
    }
}

async fn accept(state: &AppState, admin: &Admin, new: NewBulk) -> Result<Json<Bulk>, ApiError> {
    state.jobs.admit(new.kind, "").await?;
    let detail = json!({
        "named": new.accounts.len(),
        "tokens": new.sealed.len(),
        "filter": new.params.filter,
        "add": new.params.add,
        "remove": new.params.remove,
    });
    let note = admin.note(action(new.kind), new.id.to_string(), detail);
    let row = submit(&state.jobs, new, &note).await?;
    Ok(Json(Bulk::new(&row, None)))
}

fn action(kind: Kind) -> &'static str {
    match kind {
        Kind::BulkTest => "bulk.test",
        Kind::BulkDelete => "bulk.delete",
        Kind::BulkTag => "bulk.tag",
        Kind::BulkEnable => "bulk.enable",
        Kind::BulkDisable => "bulk.disable",
        _ => "bulk.import",
    }
}

async fn find(state: &AppState, id: &str) -> Result<bulk::Model, ApiError> {
    let missing = || ApiError::not_found("bulk work", id);
    let uuid = Uuid::parse_str(id).map_err(|_| missing())?;
    bulk::Entity::find_by_id(uuid).one(state.jobs.db()).await?.ok_or_else(missing)
}

impl Bulk {
    /// The work of a row; `job` is its job, if that is still on record.
    fn new(row: &bulk::Model, job: Option<&job::Model>) -> Self {
        let status = match (row.state, job.map(|job| job.state)) {
            (bulk::State::Completed, _) => "completed",
            (bulk::State::Cancelled, _) | (_, Some(JobState::Cancelled)) => "cancelled",
            (bulk::State::Open, Some(JobState::Running)) => "running",
            (bulk::State::Open, Some(JobState::Failed)) => "failed",
            // Not on record: just accepted, or so long ago that nobody knows why it ended.
            (bulk::State::Open, None) if row.done > 0 => "failed",
            (bulk::State::Open, Some(JobState::Queued | JobState::Completed) | None) => "queued",
        };
        Self {
            id: row.id.to_string(),
            object: "bulk",
            kind: row.kind.as_str(),
            status,
            total: row.total,
            done: row.done,
            failed: row.failed,
            created_at_ms: row.created_at,
            finished_at_ms: row.finished_at.or_else(|| job.and_then(|job| job.finished_at)),
            error: job.and_then(|job| job.error_message.clone()),
        }
    }
}

/// One account of which the work failed.
#[derive(Serialize)]
struct Failure<'a> {
    number: i64,
    account_id: Option<Uuid>,
    error: &'a str,
}

impl<'a> Failure<'a> {
    fn of(item: &'a bulk_item::Model) -> Self {
        Self { number: item.number, account_id: item.account_id, error: item.error.as_deref().unwrap_or_default() }
    }
}
