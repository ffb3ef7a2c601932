//! `/api/schedules`: what becomes due by itself, for the operator.

mod object;

use grok2api_entity::schedule::{Model, Name};
use grok2api_queue::ticks::{self, RunError};
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use serde_json::json;

use crate::access::Admin;
use crate::error::ApiError;
use crate::state::AppState;
use crate::tags::Tag;
use object::{Schedule, ScheduleList, Started};

/// What becomes due by itself.
pub(crate) struct SchedulesApi;

#[OpenApi(prefix_path = "/api/schedules", tag = "Tag::Schedules")]
impl SchedulesApi {
    /// List what becomes due by itself: how often, when next, and whether it is paused.
    #[oai(path = "/", method = "get", operation_id = "list_schedules")]
    async fn list(&self, state: Data<&AppState>, _admin: Admin) -> Result<Json<ScheduleList>, ApiError> {
        ticks::ensure(state.jobs.db()).await?;
        let mut rows = ticks::schedules(state.jobs.db()).await?;
        rows.sort_by_key(|row| row.name);
        let mut data = Vec::with_capacity(rows.len());
        for row in rows {
            data.push(shown(&state, row).await?);
        }
        Ok(Json(ScheduleList { object: "list", data }))
    }

    /// Run a schedule now, beside its times.
    ///
    /// Answers with the job at once; `list_schedules` shows how it stands. 409 `schedule_running` while the latest job of
    /// the schedule is not over.
    #[oai(path = "/:name/run", method = "post", operation_id = "run_schedule")]
    async fn run(&self, state: Data<&AppState>, admin: Admin, name: Path<String>) -> Result<Json<Started>, ApiError> {
        let name = known(&name.0)?;
        let note = admin.note("schedule.run", name.as_str(), json!({}));
        let tick = ticks::run_now(&state.jobs, name, &note).await?;
        Ok(Json(Started::new(name, tick)))
    }

    /// Stop a schedule until it is resumed. One that is paused already stays so.
    #[oai(path = "/:name/pause", method = "post", operation_id = "pause_schedule")]
    async fn pause(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        name: Path<String>,
    ) -> Result<Json<Schedule>, ApiError> {
        let name = known(&name.0)?;
        let note = admin.note("schedule.pause", name.as_str(), json!({}));
        let row = ticks::set_paused(state.jobs.db(), name, true, &note).await?;
        state.kept().await?;
        Ok(Json(shown(&state, row).await?))
    }

    /// Let a schedule go on. What was due while it was paused is not made up for.
    #[oai(path = "/:name/resume", method = "post", operation_id = "resume_schedule")]
    async fn resume(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        name: Path<String>,
    ) -> Result<Json<Schedule>, ApiError> {
        let name = known(&name.0)?;
        let note = admin.note("schedule.resume", name.as_str(), json!({}));
        let row = ticks::set_paused(state.jobs.db(), name, false, &note).await?;
        state.kept().await?;
        Ok(Json(shown(&state, row).await?))
    }
}

fn known(name: &str) -> Result<Name, ApiError> {
    Name::parse(name).ok_or_else(|| ApiError::not_found("schedule", name))
}

async fn shown(state: &AppState, row: Model) -> Result<Schedule, ApiError> {
    let now = ticks::database_time(state.jobs.db()).await?;
    let job = match row.last_job_id {
        Some(id) => state.jobs.find(id).await?,
        None => None,
    };
    Ok(Schedule::new(&row, job.as_ref(), &state.gateway.settings().load(), now))
}

impl From<RunError> for ApiError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Open { job_id } => Self::new(
                StatusCode::CONFLICT,
                "invalid_request_error",
                "schedule_running",
                format!("The latest job of this schedule, {job_id}, is not over yet."),
            ),
            RunError::Database(error) => error.into(),
        }
    }
}
