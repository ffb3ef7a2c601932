//! `GET {assets}/{path}`: a generated file, as a stream of its bytes (protocol page "grok-web-media" §2).

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use grok2api_config::{GrokSettings, Settings};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ORIGIN, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Body as _;
use reqwest::{Method, Request, Response};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::clients::{Clients, send_error};
use super::endpoints::{BuildError, is_plain, join};
use super::grok_web::GrokWeb;
use super::headers::Headers;
use super::proxy::is_local_proxy;
use crate::asset::{AssetKind, AssetPath};
use crate::classify::classify_http;
use crate::error::{ErrorKind, UpstreamError};

/// Longest silence before the head and between two pieces.
const IDLE: Duration = Duration::from_secs(30);
/// Longest download of a picture.
const PICTURE_TOTAL: Duration = Duration::from_secs(30);
/// Longest download of a video.
const VIDEO_TOTAL: Duration = Duration::from_secs(300);
/// As much of a refusal's text as the classification looks at.
const REFUSAL_BYTES: usize = 4 * 1024;
/// How long we wait for the text of a refusal: the status is known, the text only refines it.
const REFUSAL_DEADLINE: Duration = Duration::from_secs(5);
/// Longest wait that a `Retry-After` header can ask of us.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(7 * 24);

/// How long a download may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DownloadLimits {
    /// Longest silence, before the head and between two pieces. Default 30 s.
    pub idle: Duration,
    /// For the whole. Default 30 s for a picture and 300 s for a video.
    pub total: Duration,
}

impl DownloadLimits {
    /// The usual limits for a file of this kind.
    pub fn for_kind(kind: AssetKind) -> Self {
        let total = match kind {
            AssetKind::Image => PICTURE_TOTAL,
            AssetKind::Video => VIDEO_TOTAL,
        };
        Self { idle: IDLE, total }
    }
}

/// The configured asset host and the way to it.
pub(super) struct AssetHost {
    base: Url,
    /// Plain http: the host is this machine.
    plain: bool,
    headers: Headers,
    clients: Clients,
}

/// A file on its way: status 200 and no HTML page. Dropping it cancels the request.
pub struct Download {
    body: Option<reqwest::Body>,
    declared_bytes: Option<u64>,
    received_bytes: u64,
    content_type: Option<String>,
    idle: Duration,
    ends_at: Instant,
}

impl GrokWeb {
    /// Asks for a generated file with the credential of the account that made it; returns when its head is there.
    ///
    /// Goes through `grok.cache_proxy_url` when that is set, else through `grok.proxy_url`. The limits are those of
    /// [`DownloadLimits::for_kind`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] for a 404, which a new file may answer for a second or two; any other status but 200 and
    /// any HTML page as classified (a redirect is not followed); no connection; nothing in time; a credential that
    /// cannot be sent.
    pub async fn download(
        &self,
        credential: &SecretString,
        path: &AssetPath,
        settings: &Settings,
    ) -> Result<Download, UpstreamError> {
        self.download_within(DownloadLimits::for_kind(path.kind()), credential, path, settings).await
    }

    /// As [`GrokWeb::download`], with limits of one's own.
    ///
    /// # Errors
    ///
    /// As [`GrokWeb::download`].
    #[tracing::instrument(name = "upstream.download", level = "debug", skip_all, fields(kind = ?path.kind()))]
    pub async fn download_within(
        &self,
        limits: DownloadLimits,
        credential: &SecretString,
        path: &AssetPath,
        settings: &Settings,
    ) -> Result<Download, UpstreamError> {
        let ends_at = Instant::now() + limits.total;
        let head_at = ends_at.min(Instant::now() + limits.idle);
        match timeout_at(head_at, self.asset_host().get(credential, path, &settings.grok)).await {
            Ok(response) => accept(response?, limits.idle, ends_at).await,
            Err(_) => Err(UpstreamError::new(ErrorKind::Timeout, "the asset host did not answer in time")),
        }
    }
}

impl AssetHost {
    /// # Errors
    /// The address is not https, and not plain http to this machine.
    pub(super) fn new(base: &Url, headers: Headers, clients: Clients) -> Result<Self, BuildError> {
        let plain = is_plain(base).map_err(BuildError::AssetsUrl)?;
        Ok(Self { base: base.clone(), plain, headers, clients })
    }

    /// Sends one request, to this host and no other: the path is one, and redirects are not followed (C7).
    async fn get(
        &self,
        credential: &SecretString,
        path: &AssetPath,
        settings: &GrokSettings,
    ) -> Result<Response, UpstreamError> {
        let proxy_url = match settings.cache_proxy_url.expose_secret() {
            "" => &settings.proxy_url,
            _ => &settings.cache_proxy_url,
        };
        if self.plain && !proxy_url.expose_secret().is_empty() && !is_local_proxy(proxy_url) {
            let message = "a plain http asset host cannot be reached through a proxy on another machine";
            return Err(UpstreamError::new(ErrorKind::Unreachable, message));
        }
        let mut request = Request::new(Method::GET, self.url(path));
        *request.headers_mut() = self.headers(credential, settings)?;
        let client = self.clients.client(proxy_url).await?;
        client.execute(request).await.map_err(|error| send_error(&error))
    }

    fn url(&self, path: &AssetPath) -> Url {
        let mut url = join(&self.base, path.as_str());
        url.set_query(path.query());
        url
    }

    /// Those of a call, less what speaks of a body or of a page that asks. Coded files could not be measured.
    fn headers(&self, credential: &SecretString, settings: &GrokSettings) -> Result<HeaderMap, UpstreamError> {
        let mut headers = self.headers.for_attempt(credential, settings)?;
        headers.remove(CONTENT_TYPE);
        headers.remove(ORIGIN);
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        Ok(headers)
    }
}

/// Takes a response whose status and type can be those of a file; makes an error of any other.
async fn accept(response: Response, idle: Duration, ends_at: Instant) -> Result<Download, UpstreamError> {
    let headers = response.headers();
    let content_type = text(headers, &CONTENT_TYPE).map(str::to_owned);
    if response.status() != StatusCode::OK {
        return Err(refusal(response, content_type.unwrap_or_default()).await);
    }
    let is_html = content_type
        .as_deref()
        .and_then(|name| name.get(..9))
        .is_some_and(|start| start.eq_ignore_ascii_case("text/html"));
    if is_html {
        return Err(UpstreamError::new(
            ErrorKind::NotStream,
            "the asset host answered with a page in place of the file",
        ));
    }
    if text(headers, &CONTENT_ENCODING).is_some_and(|coding| !matches!(coding.trim(), "" | "identity")) {
        return Err(UpstreamError::new(
            ErrorKind::Error,
            "the asset host sent the file in a coding that was not asked for",
        ));
    }
    let declared_bytes = text(headers, &CONTENT_LENGTH).and_then(|length| length.parse().ok());
    Ok(Download { body: Some(response.into()), declared_bytes, received_bytes: 0, content_type, idle, ends_at })
}

async fn refusal(response: Response, content_type: String) -> UpstreamError {
    let status = response.status();
    let seconds = text(response.headers(), &RETRY_AFTER).and_then(|seconds| seconds.trim().parse().ok());
    let retry_after = seconds.map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    let told = beginning(response.into()).await;
    let error = classify_http(status.as_u16(), &content_type, &told, retry_after);
    // 404 says nothing about an account or a call, only about the file; a body that blames the account goes first.
    if status == StatusCode::NOT_FOUND && error.kind == ErrorKind::Error {
        return UpstreamError { kind: ErrorKind::NotFound, ..error };
    }
    error
}

/// As much of the text as comes in time; a broken body ends it as well as an end.
async fn beginning(mut body: reqwest::Body) -> BytesMut {
    let deadline = Instant::now() + REFUSAL_DEADLINE;
    let mut told = BytesMut::new();
    while told.len() < REFUSAL_BYTES {
        match timeout_at(deadline, next_data(&mut body)).await {
            Ok(Some(Ok(piece))) => told.extend_from_slice(&piece[..piece.len().min(REFUSAL_BYTES - told.len())]),
            Ok(Some(Err(_)) | None) | Err(_) => break,
        }
    }
    told
}

fn text<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The next data of a body; trailers are left out, so are empty pieces.
async fn next_data(body: &mut reqwest::Body) -> Option<reqwest::Result<Bytes>> {
    loop {
        match std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await? {
            Ok(frame) => match frame.into_data() {
                Ok(data) if !data.is_empty() => return Some(Ok(data)),
                Ok(_) | Err(_) => {}
            },
            Err(error) => return Some(Err(error)),
        }
    }
}

impl Download {
    /// The length that the asset host announced, in bytes; `None` when it did not.
    pub fn declared_bytes(&self) -> Option<u64> {
        self.declared_bytes
    }

    /// Bytes handed out so far.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// The type that the asset host names. Not to be trusted: the file's signature decides.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Waits for the next piece, never an empty one; `None` at the end of the whole file. Nothing is buffered beyond it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Interrupted`] when the connection ends before the file does, [`ErrorKind::Timeout`] when nothing
    /// comes for too long or the whole takes too long. Nothing follows an error.
    pub async fn next_piece(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        let Some(body) = &mut self.body else { return Ok(None) };
        let deadline = self.ends_at.min(Instant::now() + self.idle);
        let piece = timeout_at(deadline, next_data(body)).await;
        if let Ok(Some(Ok(piece))) = piece {
            self.received_bytes = self.received_bytes.saturating_add(piece.len() as u64);
            // A file whose pieces are always ready never waits, and must end all the same.
            if Instant::now() < self.ends_at {
                return Ok(Some(piece));
            }
            return Err(self.end(ErrorKind::Timeout, "the asset host did not send the whole file in time"));
        }
        match piece {
            Ok(Some(_)) => {
                Err(self.end(ErrorKind::Interrupted, "the asset host ended the file before it was complete"))
            }
            Err(_) if deadline == self.ends_at => {
                Err(self.end(ErrorKind::Timeout, "the asset host did not send the whole file in time"))
            }
            Err(_) => Err(self.end(ErrorKind::Timeout, "the asset host fell silent in the middle of the file")),
            Ok(None) => {
                self.body = None;
                Ok(None)
            }
        }
    }

    /// Lets go of the connection.
    fn end(&mut self, kind: ErrorKind, message: &'static str) -> UpstreamError {
        self.body = None;
        UpstreamError::new(kind, message)
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("declared_bytes", &self.declared_bytes)
            .field("received_bytes", &self.received_bytes)
            .finish_non_exhaustive()
    }
}
