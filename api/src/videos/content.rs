//! The bytes of a video or of its still picture.

use grok2api_entity::asset::{Kind, State};
use grok2api_entity::failure::Code;
use grok2api_entity::generation;
use poem::http::StatusCode;
use poem::{IntoResponse, Request, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, Registry};

use crate::error::ApiError;
use crate::failure;
use crate::json_type::inline;
use crate::media;
use crate::state::AppState;

/// Bytes.
pub(crate) struct VideoContent(Response);

impl IntoResponse for VideoContent {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for VideoContent {
    fn meta() -> MetaResponses {
        let bytes = || inline(MetaSchema { format: Some("binary"), ..MetaSchema::new("string") });
        let types = ["video/mp4", "video/webm", "image/jpeg", "image/png", "image/webp"];
        let content = || types.map(|content_type| MetaMediaType { content_type, schema: bytes() }).into();
        let response = |status, description, content| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content,
            headers: Vec::new(),
        };
        MetaResponses {
            responses: vec![
                response(200, "All bytes.", content()),
                response(206, "The range of bytes that was asked for.", content()),
                response(304, "The client has these bytes already.", Vec::new()),
                response(416, "The file has no such bytes.", Vec::new()),
            ],
        }
    }

    fn register(_registry: &mut Registry) {}
}

/// What a variant is among the results of a video.
///
/// # Errors
/// There is no such variant.
pub(super) fn kind(variant: Option<&str>) -> Result<Kind, ApiError> {
    match variant {
        None | Some("video") => Ok(Kind::Video),
        Some("thumbnail") => Ok(Kind::Preview),
        Some("spritesheet") => {
            let message = "There are no spritesheets: ask for 'video' or 'thumbnail'.";
            Err(ApiError::invalid("variant", "unsupported_value", message))
        }
        Some(_) => {
            let message = "Invalid value for 'variant': expected video or thumbnail.";
            Err(ApiError::invalid("variant", "invalid_value", message))
        }
    }
}

/// Serves what a completed video has.
///
/// # Errors
/// It is not completed, has no such variant, or its bytes are not to be had.
pub(super) async fn serve(
    state: &AppState,
    request: &Request,
    row: &generation::Model,
    kind: Kind,
) -> Result<VideoContent, ApiError> {
    check(row)?;
    let results = state.media.results_of(row.id).await?;
    let Some(asset) = results.into_iter().find(|asset| asset.kind == kind && asset.state != State::Failed) else {
        return Err(match kind {
            Kind::Preview => gone("This video has no still picture."),
            Kind::Video | Kind::Image | Kind::Input => failure::error(Code::MediaUnavailable, None),
        });
    };
    media::send(state, asset, request).await.map(VideoContent)
}

/// Only a completed video has content.
fn check(row: &generation::Model) -> Result<(), ApiError> {
    use generation::State as S;
    match row.state {
        S::Completed => Ok(()),
        S::Queued | S::InProgress => {
            let message = "The video is not completed yet. Ask for its status, and come back when it is.";
            let wait = std::time::Duration::from_secs(2);
            Err(ApiError::new(StatusCode::CONFLICT, "invalid_request_error", "video_not_ready", message).after(wait))
        }
        S::Failed | S::Cancelled => Err(gone("The video failed and has no content.")),
    }
}

fn gone(message: &str) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "invalid_request_error", "no_content", message)
}
