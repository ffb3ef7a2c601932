//! The outermost endpoint: paths in all spellings, request ids, errors in one shape, what browsers are told, figures.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use grok2api_gateway::id;
use poem::http::header::{self, HeaderName};
use poem::http::{HeaderValue, Method, StatusCode, Uri};
use poem::{Endpoint, IntoResponse, Request, Response, Result};
use tokio::time::Instant;
use tracing::Instrument;

use crate::browser::{Audience, Cors};
use crate::error::ApiError;
use crate::routes::Routes;
use crate::server::Refused;
use crate::state::AppState;
use crate::{body, client_address, refused};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-client-request-id");

/// How a request came.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    /// Its id, as in its `x-request-id` header.
    id: String,
    /// Its path's template, from a closed list.
    pub(crate) route: metrics::SharedString,
    /// When it came.
    pub(crate) began: Instant,
}

impl Arrival {
    /// A call of `route` that is a part of this request.
    pub(crate) fn within(&self, route: &'static str, began: Instant) -> Self {
        Self { id: self.id.clone(), route: metrics::SharedString::const_str(route), began }
    }
}

/// The id the edge gave to this request.
pub(crate) fn request_id(request: &Request) -> String {
    request.data::<Arrival>().map(|arrival| arrival.id.clone()).unwrap_or_default()
}

/// Wraps the router.
pub(crate) struct Edge<E> {
    inner: E,
    routes: Arc<Routes>,
    state: AppState,
}

impl<E> Edge<E> {
    pub(crate) fn new(inner: E, routes: Arc<Routes>, state: AppState) -> Self {
        Self { inner, routes, state }
    }
}

impl<E: Endpoint> Endpoint for Edge<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let began = Instant::now();
        drop_ambiguous(&mut request);
        client_address::note(&mut request, &self.state.trusted_proxies);
        if let Some(uri) = plain_path(request.uri()) {
            *request.uri_mut() = uri;
        }
        let id = incoming_id(&request).unwrap_or_else(id::request_id);
        let client_id = request.headers().get(CLIENT_REQUEST_ID).filter(|value| value.len() <= 256).cloned();
        let audience = Audience::of(request.uri().path());
        let is_https = client_address::is_https(&request);
        let cors = Cors::of(&request, audience);
        let route = self.routes.label(request.uri().path());
        request.set_data(Arrival { id: id.clone(), route: route.clone(), began });
        let method = request.method().clone();
        let mut response = if let Some(refused) = self.refused(&request) {
            refused
        } else if let Some(answer) = cors.as_ref().and_then(Cors::preflight) {
            answer
        } else {
            self.routed(request, &id).await
        };
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&id) {
            headers.insert(REQUEST_ID, value);
        }
        if let Some(value) = client_id {
            headers.insert(CLIENT_REQUEST_ID, value);
        }
        audience.protect(headers, is_https);
        if cors.is_some() {
            Cors::open(headers);
        }
        record(&method, route, response.status(), began);
        Ok(response)
    }
}

impl<E: Endpoint> Edge<E> {
    /// The answer to what no path takes.
    fn refused(&self, request: &Request) -> Option<Response> {
        if let Some(refused) = request.data::<Refused>() {
            return Some(refused.into_response());
        }
        let error = if self.state.loop_mark.is_in(request.headers()) {
            let message = "This request has passed this gateway before: upstream.base_url leads back to it.";
            ApiError::new(StatusCode::LOOP_DETECTED, "api_error", "loop_detected", message)
        } else {
            body::check_encoding(request.headers()).err()?
        };
        Some(refused::recorded(request, &self.state, error).into_response())
    }

    async fn routed(&self, request: Request, id: &str) -> Response {
        let path = request.uri().path().to_owned();
        let method = request.method().clone();
        let span = tracing::info_span!("http", request_id = id);
        let called = AssertUnwindSafe(self.inner.call(request)).catch_unwind().instrument(span).await;
        match called {
            Ok(Ok(output)) => output.into_response(),
            Ok(Err(error)) if error.is_from_response() => error.into_response(),
            Ok(Err(error)) => self.enveloped(&error, &path, &method, id),
            Err(_panic) => {
                tracing::error!(request_id = id, "a handler panicked");
                ApiError::internal().into_response()
            }
        }
    }

    /// Gives the router's own errors the shape of all others.
    fn enveloped(&self, error: &poem::Error, path: &str, method: &Method, id: &str) -> Response {
        const INVALID: &str = "invalid_request_error";
        let status = error.status();
        let answer = match status {
            StatusCode::NOT_FOUND => {
                let shown: String = path.chars().take(200).collect();
                let mut answer =
                    ApiError::new(status, INVALID, "", format!("Invalid URL ({method} {shown}). See /docs."));
                answer.body.code = None;
                answer
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                let allow = self.routes.allowed(path);
                let message = format!("Not allowed to {method} on this path; it takes {allow}.");
                let mut response = ApiError::new(status, INVALID, "method_not_allowed", message).into_response();
                if let Ok(value) = HeaderValue::from_str(&allow) {
                    response.headers_mut().insert(header::ALLOW, value);
                }
                return response;
            }
            status if status.is_client_error() => ApiError::new(status, INVALID, "invalid_request", error.to_string()),
            _ => {
                tracing::error!(request_id = id, error = %error, "a request failed inside");
                ApiError::internal()
            }
        };
        answer.into_response()
    }
}

/// The path as the router knows it, when the client spelled it otherwise: doubled slashes, a missing or doubled `/v1`.
fn plain_path(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let needs_prefix = ["/chat/completions", "/models"]
        .iter()
        .any(|known| path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    let doubled = path.contains("//");
    let twice = path.starts_with("/v1/v1/");
    let slash_ended = path.len() > 1 && path.ends_with('/');
    // Links of the old gateway: slashes and dashes are one character in the names of files.
    let slashed = path.strip_prefix("/images/").is_some_and(|name| name.contains('/'));
    if !(needs_prefix || doubled || twice || slash_ended || slashed) {
        return None;
    }
    let mut plain = String::with_capacity(path.len() + 4);
    for piece in path.split('/').filter(|piece| !piece.is_empty()) {
        plain.push('/');
        plain.push_str(piece);
    }
    while let Some(rest) = plain.strip_prefix("/v1/v1/") {
        plain = format!("/v1/{rest}");
    }
    if let Some(name) = plain.strip_prefix("/images/") {
        plain = format!("/images/{}", name.replace('/', "-"));
    }
    if plain.is_empty() {
        plain.push('/');
    }
    if plain == "/models" || plain.starts_with("/models/") || plain == "/chat/completions" {
        plain.insert_str(0, "/v1");
    }
    if let Some(query) = uri.query() {
        plain.push('?');
        plain.push_str(query);
    }
    plain.parse().ok()
}

/// Takes away fields with an underscore in their names: other programs on the way take it for the dash that it is not
/// (H9).
fn drop_ambiguous(request: &mut Request) {
    let is_ambiguous = |name: &HeaderName| name.as_str().contains('_');
    if !request.headers().keys().any(is_ambiguous) {
        return;
    }
    let names: Vec<HeaderName> = request.headers().keys().filter(|name| is_ambiguous(name)).cloned().collect();
    for name in names {
        request.headers_mut().remove(name);
    }
}

/// A request id of the client's, if it is fit for logs and headers.
fn incoming_id(request: &Request) -> Option<String> {
    let id = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let fits = (1..=128).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'));
    fits.then(|| id.to_owned())
}

fn record(method: &Method, route: metrics::SharedString, status: StatusCode, began: Instant) {
    let method = match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::HEAD => "HEAD",
        _ => "other",
    };
    metrics::histogram!(
        "http_server_request_duration_seconds",
        "http_request_method" => method,
        "http_route" => route,
        "http_response_status_code" => status_label(status)
    )
    .record(began.elapsed().as_secs_f64());
}

fn status_label(status: StatusCode) -> String {
    status.as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(path: &str) -> Option<String> {
        let uri: Uri = path.parse().ok()?;
        plain_path(&uri).map(|uri| uri.to_string())
    }

    #[test]
    fn h9_names_with_an_underscore_are_dropped() {
        let mut request = Request::builder().header("x_forwarded_for", "1.1.1.1").header("x-kept", "a").finish();
        drop_ambiguous(&mut request);
        let names: Vec<&str> = request.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["x-kept"]);
    }

    #[test]
    fn clients_that_spell_the_base_url_otherwise_find_their_way() {
        assert_eq!(plain("/v1/chat/completions"), None);
        assert_eq!(plain("//v1//models?a=b").as_deref(), Some("/v1/models?a=b"));
        assert_eq!(plain("/chat/completions").as_deref(), Some("/v1/chat/completions"));
        assert_eq!(plain("/models/grok-4-fast").as_deref(), Some("/v1/models/grok-4-fast"));
        assert_eq!(plain("/v1/v1/models").as_deref(), Some("/v1/models"));
        assert_eq!(plain("/v1/models/").as_deref(), Some("/v1/models"));
        assert_eq!(plain("/modelsx"), None);
        assert_eq!(plain("/images/users/a-b/image.jpg").as_deref(), Some("/images/users-a-b-image.jpg"));
        assert_eq!(plain("/images/users-a-b-image.jpg"), None);
        assert_eq!(plain("/images/../v1/models").as_deref(), Some("/images/..-v1-models"));
    }
}
