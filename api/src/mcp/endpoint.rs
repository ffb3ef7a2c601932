//! The HTTP side: who may ask, and the messages that go to the protocol's library and back.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Body, Endpoint, IntoResponse, Request, Response, Result};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::json;

use super::call::Caller;
use super::tools::Tools;
use crate::auth;
use crate::body;
use crate::error::ApiError;
use crate::state::AppState;

/// Silence after which a comment keeps a stream alive.
const PING_AFTER: Duration = Duration::from_secs(15);

/// `/mcp`.
pub(crate) struct McpEndpoint {
    state: AppState,
    service: StreamableHttpService<Tools, NeverSessionManager>,
}

impl McpEndpoint {
    /// Tools call `inner`, which is the client API.
    pub(crate) fn new(state: AppState, inner: BoxEndpoint<'static, Response>) -> Self {
        let tools = Tools::new(state.clone(), Arc::new(inner));
        // Whoever asks has a key, which no page can send without being allowed to: names of hosts prove nothing more.
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_sse_keep_alive(Some(PING_AFTER))
            .with_sse_retry(None)
            .with_max_request_body_bytes(state.body_limits.max_bytes)
            .with_cancellation_token(state.cut_off.clone())
            .disable_allowed_hosts();
        let sessions = Arc::new(NeverSessionManager::default());
        Self { state, service: StreamableHttpService::new(move || Ok(tools.clone()), sessions, config) }
    }

    async fn serve(&self, mut request: Request) -> Result<Response> {
        if let Err(error) = auth::check(&request, &self.state) {
            return Ok(unauthorized(&error));
        }
        let caller = Caller::of(&request);
        let limits = self.state.body_limits;
        let bytes = body::read(request.take_body(), limits.max_bytes, limits).await?;
        let mut plain = poem::http::Request::new(Full::new(bytes));
        *plain.method_mut() = request.method().clone();
        *plain.uri_mut() = request.uri().clone();
        *plain.headers_mut() = request.headers().clone();
        plain.extensions_mut().insert(caller);
        let (head, body) = self.service.handle(plain).await.into_parts();
        let mut response = Response::builder().status(head.status).body(Body::from_bytes_stream(pieces(body)));
        *response.headers_mut() = head.headers;
        let is_stream = |value: &HeaderValue| value.as_bytes().starts_with(b"text/event-stream");
        if response.headers().get(header::CONTENT_TYPE).is_some_and(is_stream) {
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
            headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        }
        Ok(response)
    }
}

impl Endpoint for McpEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        self.serve(request).await
    }
}

/// The data of a body, as it comes.
fn pieces<B>(body: B) -> impl futures_util::Stream<Item = std::io::Result<bytes::Bytes>> + Send + 'static
where
    B: http_body::Body<Data = bytes::Bytes, Error = std::convert::Infallible> + Send + Unpin + 'static,
{
    futures_util::stream::unfold(body, |mut body| async move {
        loop {
            let Ok(frame) = body.frame().await?;
            if let Ok(data) = frame.into_data() {
                return Some((Ok(data), body));
            }
        }
    })
}

/// 401 as the protocol's clients, and those of the old gateway, know it.
fn unauthorized(error: &ApiError) -> Response {
    let body = json!({"error": "invalid_token", "error_description": "Authentication required"});
    let challenge = r#"Bearer error="invalid_token", error_description="Authentication required""#;
    let mut response = Response::builder()
        .status(StatusCode::UNAUTHORIZED)
        .content_type("application/json")
        .header(header::WWW_AUTHENTICATE, challenge)
        .body(body.to_string());
    if error.status != StatusCode::UNAUTHORIZED {
        response.set_status(error.status);
    }
    response.into_response()
}
