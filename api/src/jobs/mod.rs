//! `GET /v1/jobs/{id}`, its events, and its cancellation: an extension of this gateway.

mod events;
mod find;
mod object;

use poem::http::header;
use poem::web::Data;
use poem::{Body, Request, Response};
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;

use crate::auth::ClientKey;
use crate::error::ApiError;
use crate::public_url;
use crate::state::AppState;
use crate::tags::Tag;
use events::{JobEvents, Progress};
use object::{Job, Work};

/// Work that goes on by itself.
pub(crate) struct JobsApi;

#[OpenApi(tag = "Tag::Jobs")]
impl JobsApi {
    /// Retrieve a piece of work: how far it is, the upstream calls it took, and its results.
    ///
    /// The id is that of a request (`img_…`, `video_…`) or of one of its jobs.
    #[oai(path = "/v1/jobs/:id", method = "get", operation_id = "retrieve_job")]
    async fn retrieve(
        &self,
        state: Data<&AppState>,
        request: &Request,
        key: ClientKey,
        id: Path<String>,
    ) -> Result<Json<Job>, ApiError> {
        let work = find::find(&state, &key.owner, &id.0).await?;
        Ok(Json(find::whole(&state, &work, &base(&state, request)).await?))
    }

    /// Follow a piece of work as server-sent events.
    ///
    /// Each event carries the state as it is then; the last one, when the work has come to its end, also its upstream
    /// calls and results. Who loses the connection connects again and goes on.
    #[oai(path = "/v1/jobs/:id/events", method = "get", operation_id = "stream_job_events")]
    async fn events(
        &self,
        state: Data<&AppState>,
        request: &Request,
        key: ClientKey,
        id: Path<String>,
    ) -> Result<JobEvents, ApiError> {
        let progress = Progress::follow(&state, &key.owner, &id.0, base(&state, request)).await?;
        let response = Response::builder()
            .content_type("text/event-stream; charset=utf-8")
            .header(header::CACHE_CONTROL, "no-cache")
            .header("x-accel-buffering", "no")
            .body(Body::from_bytes_stream(progress.into_stream()));
        Ok(JobEvents(response))
    }

    /// Cancel a piece of work.
    ///
    /// Ends its upstream call, if there is one, and answers how it stands then. What has come to its end stays as it is.
    #[oai(path = "/v1/jobs/:id/cancel", method = "post", operation_id = "cancel_job")]
    async fn cancel(
        &self,
        state: Data<&AppState>,
        request: &Request,
        key: ClientKey,
        id: Path<String>,
    ) -> Result<Json<Job>, ApiError> {
        match find::find(&state, &key.owner, &id.0).await? {
            Work::Request(row) => {
                state.jobs.cancel_generation(row.id).await?;
            }
            Work::Single(job) => {
                state.jobs.cancel(&job).await?;
            }
        }
        let work = find::find(&state, &key.owner, &id.0).await?;
        Ok(Json(find::whole(&state, &work, &base(&state, request)).await?))
    }
}

fn base(state: &AppState, request: &Request) -> String {
    public_url::base(request, &state.gateway.settings().load().global.base_url)
}
