//! `GET /images/{name}`: pictures and videos, open to everybody who knows the name.

mod conditions;
mod range;
mod serve;
#[cfg(test)]
mod tests;

use grok2api_entity::asset;
use poem::http::{HeaderValue, Method, header};
use poem::web::Data;
use poem::{IntoResponse, Request, Response};
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use crate::error::ApiError;
use crate::state::AppState;
use crate::tags::Tag;
pub(crate) use serve::MediaFile;
pub use serve::MediaWaits;
use serve::Shop;

/// Pictures and videos.
pub(crate) struct MediaApi;

#[OpenApi(tag = "Tag::Media")]
impl MediaApi {
    /// Read a picture or video.
    ///
    /// Needs no key: the name cannot be guessed. A file that is still being fetched is waited for, within a limit. One
    /// range of bytes may be asked for. Links of the old gateway (`/images/users-…`, slashes for dashes) work as well.
    #[oai(path = "/images/:name", method = "get", operation_id = "retrieve_media")]
    async fn retrieve(
        &self,
        state: Data<&AppState>,
        request: &Request,
        name: Path<String>,
    ) -> Result<MediaFile, ApiError> {
        serve::serve(shop(&state), &name.0, &Method::GET, request.headers()).await
    }

    /// Read what there is to know about a picture or video.
    #[oai(path = "/images/:name", method = "head", operation_id = "retrieve_media_head")]
    async fn head(&self, state: Data<&AppState>, request: &Request, name: Path<String>) -> Result<MediaFile, ApiError> {
        serve::serve(shop(&state), &name.0, &Method::HEAD, request.headers()).await
    }
}

/// Serves a file that the caller has found and that belongs to the client that asks: nobody in between may keep it.
///
/// # Errors
/// Its bytes cannot be had.
pub(crate) async fn send(state: &AppState, asset: asset::Model, request: &Request) -> Result<Response, ApiError> {
    let file = serve::send(shop(state), asset, request.method(), request.headers()).await?;
    let mut response = file.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

/// The row of a known file once its bytes are here: they are fetched again if they were evicted.
///
/// # Errors
/// Its bytes cannot be had.
pub(crate) async fn stored(state: &AppState, asset: asset::Model) -> Result<asset::Model, ApiError> {
    serve::stored(shop(state), asset).await
}

fn shop(state: &AppState) -> Shop<'_> {
    Shop { library: &state.media, fetcher: &*state.fetcher, waits: &state.media_waits }
}
