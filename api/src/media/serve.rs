//! Finding the file, waiting for it if need be, and sending the part that is asked for.

use std::sync::Arc;
use std::time::Duration;

use grok2api_entity::asset::{self, State};
use grok2api_media::{Library, MediaError, is_public_name};
use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::{Body, IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{
    MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::conditions::{Validators, text};
use super::range::{Wanted, wanted};
use crate::asset_fetcher::AssetFetcher;
use crate::error::ApiError;

/// Requests that wait at the same time; more are told at once that the file is not here (I7).
const MAX_WAITING: usize = 1024;
/// When a well-formed name that nobody knows is looked for again: another process may be about to commit it.
const LOOKS_AFTER: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(300), Duration::from_millis(600)];
/// Names are random and bytes never change, so a cache may keep them.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=86400, immutable");
/// A file runs and embeds nothing, whatever it is taken for (M16). The browser's own page around a video that is opened
/// by its address loads the video from here and styles it.
const POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; sandbox");

/// How requests wait for files that are not here yet.
#[derive(Debug, Clone)]
pub struct MediaWaits {
    wait: Duration,
    places: Arc<Semaphore>,
}

impl MediaWaits {
    /// Each request waits at most that long.
    pub fn new(wait: Duration) -> Self {
        Self { wait, places: Arc::new(Semaphore::new(MAX_WAITING)) }
    }

    /// Leaves room for that many waiting requests.
    #[cfg(test)]
    pub(super) fn with_places(wait: Duration, places: usize) -> Self {
        Self { wait, places: Arc::new(Semaphore::new(places)) }
    }
}

/// What serving files needs.
#[derive(Clone, Copy)]
pub(super) struct Shop<'a> {
    pub(super) library: &'a Library,
    pub(super) fetcher: &'a dyn AssetFetcher,
    pub(super) waits: &'a MediaWaits,
}

/// A picture or video, or a part of it.
pub(crate) struct MediaFile(pub(super) Response);

impl IntoResponse for MediaFile {
    fn into_response(self) -> Response {
        self.0
    }
}

/// Answers a request for a file.
pub(super) async fn serve(
    shop: Shop<'_>,
    name: &str,
    method: &Method,
    headers: &HeaderMap,
) -> Result<MediaFile, ApiError> {
    let asset = find(shop, name).await?.ok_or_else(not_found)?;
    send(shop, asset, method, headers).await
}

/// Answers a request for a file that is found already.
pub(super) async fn send(
    shop: Shop<'_>,
    asset: asset::Model,
    method: &Method,
    headers: &HeaderMap,
) -> Result<MediaFile, ApiError> {
    let id = asset.id;
    if let Some(answer) = answer(shop.library, &stored(shop, asset).await?, method, headers).await? {
        return Ok(answer);
    }
    // The file was lost, or evicted a moment ago: it is fetched again, once.
    let asset = shop.library.get(id).await.map_err(|error| failed(&error))?.ok_or_else(not_found)?;
    answer(shop.library, &stored(shop, asset).await?, method, headers).await?.ok_or_else(not_found)
}

async fn find(shop: Shop<'_>, name: &str) -> Result<Option<asset::Model>, ApiError> {
    let find = async || shop.library.find(name).await.map_err(|error| failed(&error));
    let mut found = find().await?;
    if found.is_some() || !is_public_name(name) || shop.waits.wait.is_zero() {
        return Ok(found);
    }
    let Ok(_place) = shop.waits.places.try_acquire() else { return Ok(None) };
    for pause in LOOKS_AFTER {
        tokio::time::sleep(pause).await;
        found = find().await?;
        if found.is_some() {
            break;
        }
    }
    Ok(found)
}

/// The row once its bytes are here; has them fetched and waits if they are not.
pub(super) async fn stored(shop: Shop<'_>, asset: asset::Model) -> Result<asset::Model, ApiError> {
    match asset.state {
        State::Stored => return Ok(asset),
        State::Failed => return Err(not_found()),
        State::Pending | State::Evicted => {}
    }
    let Ok(_place) = shop.waits.places.try_acquire() else { return Err(not_found()) };
    let deadline = Instant::now() + shop.waits.wait;
    match tokio::time::timeout_at(deadline, shop.fetcher.request(&asset)).await {
        Ok(Ok(())) => {}
        // Whoever made the asset known has it fetched in any case.
        Ok(Err(_)) if asset.state == State::Pending => {}
        Ok(Err(error)) => {
            tracing::warn!(%error, "a file that was evicted cannot be asked for");
            return Err(unavailable());
        }
        Err(_) => return Err(not_found()),
    }
    let stored = shop.library.wait_stored(asset.id, deadline).await;
    stored.map_err(|error| failed(&error))?.ok_or_else(not_found)
}

/// The answer for a stored asset; `None` when its bytes turn out to be missing.
async fn answer(
    library: &Library,
    asset: &asset::Model,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Option<MediaFile>, ApiError> {
    let validators = Validators::of(asset);
    library.touch(asset.id);
    if validators.is_known(headers) {
        return Ok(Some(finish(&validators, StatusCode::NOT_MODIFIED, Response::default())));
    }
    let length = u64::try_from(asset.bytes).unwrap_or_default();
    // Ranges are defined for GET alone (RFC 9110 §14.2).
    let is_partial = *method == Method::GET && validators.allow_range(headers);
    let wanted = if is_partial { wanted(text(headers, header::RANGE), length) } else { Wanted::All };
    let (status, range) = match wanted {
        Wanted::All => (StatusCode::OK, 0..length),
        Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Wanted::Nothing => {
            let mut response = ApiError::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "invalid_request_error",
                "range_not_satisfiable",
                format!("The file has {length} bytes."),
            )
            .into_response();
            set(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{length}"));
            return Ok(Some(finish(&validators, StatusCode::RANGE_NOT_SATISFIABLE, response)));
        }
    };
    let mut response = Response::default();
    let out = response.headers_mut();
    set(out, header::CONTENT_TYPE, asset.content_type.as_deref().unwrap_or("application/octet-stream"));
    set(out, header::CONTENT_LENGTH, &(range.end - range.start).to_string());
    out.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
    if status == StatusCode::PARTIAL_CONTENT {
        set(out, header::CONTENT_RANGE, &format!("bytes {}-{}/{length}", range.start, range.end - 1));
    }
    if *method != Method::HEAD {
        let Some(bytes) = library.open(asset, Some(range)).await.map_err(|error| failed(&error))? else {
            return Ok(None);
        };
        response.set_body(Body::from_bytes_stream(bytes_of(bytes)));
    }
    Ok(Some(finish(&validators, status, response)))
}

/// A store that fails in the middle ends the connection, so that the client notices.
fn bytes_of(
    bytes: grok2api_media::ByteStream,
) -> impl futures_util::Stream<Item = std::io::Result<bytes::Bytes>> + Send + 'static {
    futures_util::TryStreamExt::map_err(bytes, |error| {
        tracing::warn!(%error, "a stored file could not be read to its end");
        std::io::Error::other(error)
    })
}

/// Adds what all answers about a stored file say.
fn finish(validators: &Validators, status: StatusCode, mut response: Response) -> MediaFile {
    response.set_status(status);
    let headers = response.headers_mut();
    if status != StatusCode::RANGE_NOT_SATISFIABLE {
        set(headers, header::ETAG, &validators.etag);
        set(headers, header::LAST_MODIFIED, &validators.last_modified);
        headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("accept-ranges, content-length, content-range, etag, x-request-id"),
    );
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    MediaFile(response)
}

fn set(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// As the old gateway answered.
fn not_found() -> ApiError {
    let mut error = ApiError::new(StatusCode::NOT_FOUND, "invalid_request_error", "not_found", "File not found");
    error.body.code = None;
    error
}

fn failed(error: &MediaError) -> ApiError {
    tracing::error!(%error, "a picture or video cannot be served");
    unavailable()
}

fn unavailable() -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "api_error",
        "media_unavailable",
        "The file cannot be read right now.",
    )
    .after(Duration::from_secs(5))
}

impl ApiResponse for MediaFile {
    fn meta() -> MetaResponses {
        let content = || {
            ["image/jpeg", "image/png", "image/webp", "image/gif", "video/mp4", "video/webm"]
                .map(|content_type| {
                    let schema = MetaSchema { format: Some("binary"), ..MetaSchema::new("string") };
                    MetaMediaType { content_type, schema: MetaSchemaRef::Inline(Box::new(schema)) }
                })
                .into()
        };
        let response = |status, description, content, headers| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content,
            headers,
        };
        let etag = || described("ETag", "Hash of the bytes.");
        let part = || described("Content-Range", "Which bytes of how many.");
        MetaResponses {
            responses: vec![
                response(200, "The file.", content(), vec![etag()]),
                response(206, "The range of bytes that was asked for.", content(), vec![etag(), part()]),
                response(304, "The client has these bytes already.", Vec::new(), vec![etag()]),
                response(416, "The file has no such bytes.", Vec::new(), vec![part()]),
            ],
        }
    }

    fn register(_registry: &mut Registry) {}
}

fn described(name: &str, description: &str) -> MetaHeader {
    MetaHeader {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        required: false,
        deprecated: false,
        schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new("string"))),
    }
}
