//! `POST /v1/videos` and what becomes of it.

mod content;
mod create;
mod object;
mod request;

use grok2api_entity::generation::{self, Kind};
use poem::Request;
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;

use crate::auth::ClientKey;
use crate::error::ApiError;
use crate::form::JsonOrForm;
use crate::idempotency::IdempotencyKey;
use crate::receipt::Receipt;
use crate::state::AppState;
use crate::tags::Tag;
use content::VideoContent;
use object::{DeletedVideo, VideoAnswer, VideoList};
use request::CreateVideo;

/// Most videos of a page.
const MAX_PAGE: u64 = 100;

/// Videos.
pub(crate) struct VideosApi;

#[OpenApi(tag = "Tag::Videos")]
impl VideosApi {
    /// Make a video.
    ///
    /// Answers at once with the queued video: ask `retrieve_video` for its progress, then `download_video_content`.
    #[oai(path = "/v1/videos", method = "post", operation_id = "create_video")]
    async fn create(
        &self,
        state: Data<&AppState>,
        request: &Request,
        key: ClientKey,
        /// Makes repeating safe: the same key and body get the same video, and no second one is made.
        #[oai(name = "Idempotency-Key")]
        repeat: IdempotencyKey,
        body: JsonOrForm<CreateVideo>,
    ) -> Result<VideoAnswer, ApiError> {
        let mut receipt = Receipt::begin(&state, request, &key.owner);
        let accepted = create::accept(&state, &key, &repeat, body).await;
        let (accepted, filming) = accepted.inspect_err(|error| receipt.failed(error))?;
        receipt.accepted(&accepted.row, false);
        receipt.answered();
        Ok(VideoAnswer::of(&accepted.row, keep_days(&state), accepted.replayed, &filming.ignored))
    }

    /// List videos, newest first.
    #[oai(path = "/v1/videos", method = "get", operation_id = "list_videos")]
    async fn list(
        &self,
        state: Data<&AppState>,
        key: ClientKey,
        /// Most videos of a page, 1 to 100.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")), default = "usual_page")]
        limit: Query<u64>,
        /// Id of the video before the page: the `last_id` of the page before.
        after: Query<Option<String>>,
        /// `desc` (newest first) or `asc`.
        order: Query<Option<String>>,
    ) -> Result<Json<VideoList>, ApiError> {
        let limit = limit.0.clamp(1, MAX_PAGE);
        let ascending = match order.as_deref() {
            None | Some("desc") => false,
            Some("asc") => true,
            Some(_) => {
                let message = "Invalid value for 'order': expected asc or desc.";
                return Err(ApiError::invalid("order", "invalid_value", message));
            }
        };
        let after = match after.0 {
            Some(id) => Some(find(&state, &key, &id).await.map_err(|error| error.about("after"))?),
            None => None,
        };
        let rows = state.jobs.generations(&key.owner, Kind::Video, after.as_ref(), ascending, limit + 1).await?;
        Ok(Json(VideoList::of(rows, usize::try_from(limit).unwrap_or(usize::MAX), keep_days(&state))))
    }

    /// Retrieve a video: how far it is, or why it failed.
    #[oai(path = "/v1/videos/:id", method = "get", operation_id = "retrieve_video")]
    async fn retrieve(
        &self,
        state: Data<&AppState>,
        key: ClientKey,
        id: Path<String>,
    ) -> Result<VideoAnswer, ApiError> {
        let row = find(&state, &key, &id.0).await?;
        Ok(VideoAnswer::of(&row, keep_days(&state), false, &[]))
    }

    /// Delete a video for good. One that is being made is cancelled first.
    #[oai(path = "/v1/videos/:id", method = "delete", operation_id = "delete_video")]
    async fn delete(
        &self,
        state: Data<&AppState>,
        key: ClientKey,
        id: Path<String>,
    ) -> Result<Json<DeletedVideo>, ApiError> {
        let row = find(&state, &key, &id.0).await?;
        // In this order a deletion that fails half-way can be asked for again.
        state.jobs.cancel_generation(row.id).await?;
        state.media.remove_generation(row.id).await?;
        state.jobs.delete_generation(row.id).await?;
        Ok(Json(DeletedVideo { id: row.public_id, object: "video.deleted".to_owned(), deleted: true }))
    }

    /// Download a video or its still picture.
    ///
    /// Takes one `Range`. 409 while the video is being made.
    #[oai(path = "/v1/videos/:id/content", method = "get", operation_id = "download_video_content")]
    async fn content(
        &self,
        state: Data<&AppState>,
        request: &Request,
        key: ClientKey,
        id: Path<String>,
        /// `video` or `thumbnail`; there are no spritesheets.
        variant: Query<Option<String>>,
    ) -> Result<VideoContent, ApiError> {
        let kind = content::kind(variant.0.as_deref())?;
        let row = find(&state, &key, &id.0).await?;
        content::serve(&state, request, &row, kind).await
    }

    /// Refuse to change a video: the upstream cannot.
    #[oai(path = "/v1/videos/:id/remix", method = "post", operation_id = "remix_video")]
    async fn remix(&self, state: Data<&AppState>, key: ClientKey, id: Path<String>) -> Result<VideoAnswer, ApiError> {
        find(&state, &key, &id.0).await?;
        let message = "The upstream cannot change videos. Make a new one.";
        Err(ApiError::new(StatusCode::BAD_REQUEST, "invalid_request_error", "unsupported", message))
    }
}

fn usual_page() -> u64 {
    20
}

fn keep_days(state: &AppState) -> u64 {
    state.gateway.settings().load().jobs.keep_days
}

/// A video of this client. One of another client's is as good as none (K7).
async fn find(state: &AppState, key: &ClientKey, id: &str) -> Result<generation::Model, ApiError> {
    let found = state.jobs.generation(&key.owner, id).await?.filter(|row| row.kind == Kind::Video);
    found.ok_or_else(|| ApiError::not_found("video", id))
}
