//! What a client is told when something fails: one shape on every path.

use std::time::Duration;

use grok2api_gateway::GatewayError;
use grok2api_gateway::upstream::attachment::AttachmentError;
use grok2api_gateway::upstream::error::UpstreamError;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, Object};
use serde::Serialize;

/// `{"error": {…}}`, as OpenAI clients expect it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct ErrorEnvelope {
    /// What went wrong.
    pub error: ErrorBody,
}

/// The four members every error has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub struct ErrorBody {
    /// For people.
    pub message: String,
    /// `invalid_request_error`, `permission_error`, `rate_limit_error`, `api_error` or `server_error`.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub kind: String,
    /// The request member at fault, such as `messages[0].role`.
    #[oai(nullable)]
    pub param: Option<String>,
    /// For programs.
    #[oai(nullable)]
    pub code: Option<String>,
}

/// A failed request: status, body and, where waiting helps, how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// The body's inner object.
    pub body: Box<ErrorBody>,
    /// The code again, for logs and metrics: from a closed list.
    pub label: &'static str,
    /// Sent as `Retry-After`, rounded up to whole seconds.
    pub retry_after: Option<Duration>,
}

const INVALID: &str = "invalid_request_error";

impl ApiError {
    /// An error with the `type` and `code` given.
    pub fn new(status: StatusCode, kind: &str, code: &'static str, message: impl Into<String>) -> Self {
        let body = Box::new(ErrorBody {
            message: message.into(),
            kind: kind.to_owned(),
            param: None,
            code: Some(code.to_owned()),
        });
        Self { status, body, label: code, retry_after: None }
    }

    /// 400 for one member of the request.
    pub fn invalid(param: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::BAD_REQUEST, INVALID, code, message);
        error.body.param = Some(param.into());
        error
    }

    /// 500 that says nothing of what happened inside.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "server_error",
            "internal_error",
            "The server had an internal error. Quote the x-request-id header when you report it.",
        )
    }

    /// 401 for a missing or wrong key.
    pub fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, INVALID, "invalid_api_key", message)
    }

    /// 404 for an unknown model.
    pub fn unknown_model(model: &str) -> Self {
        let model = shown(model);
        let message = format!("The model `{model}` does not exist or is not offered by this gateway.");
        let mut error = Self::new(StatusCode::NOT_FOUND, INVALID, "model_not_found", message);
        error.body.param = Some("model".to_owned());
        error
    }

    /// 503 with a waiting time.
    fn unavailable(code: &'static str, message: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "api_error", code, message).after(retry_after)
    }

    pub(crate) fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same, about another member of the request.
    pub(crate) fn about(mut self, param: impl Into<String>) -> Self {
        self.body.param = Some(param.into());
        self
    }

    /// 404 for an object that is not there, or belongs to somebody else.
    pub(crate) fn not_found(what: &str, id: &str) -> Self {
        let message = format!("There is no {what} with the id '{}'.", shown(id));
        Self::new(StatusCode::NOT_FOUND, INVALID, "not_found", message)
    }

    /// The body as JSON text, for an event of a stream.
    pub fn to_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Envelope<'a> {
            error: &'a ErrorBody,
        }
        serde_json::to_vec(&Envelope { error: &self.body }).unwrap_or_default()
    }
}

/// Text of a client's that is quoted back: cut, and without control characters.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}

impl From<UpstreamError> for ApiError {
    fn from(error: UpstreamError) -> Self {
        let status = StatusCode::from_u16(error.kind.client_status()).unwrap_or(StatusCode::BAD_GATEWAY);
        let mut answer = Self::new(status, error.kind.client_type(), error.kind.client_code(), error.message);
        answer.retry_after = match status {
            StatusCode::TOO_MANY_REQUESTS => Some(error.retry_after.unwrap_or(Duration::from_secs(60))),
            StatusCode::SERVICE_UNAVAILABLE => Some(error.retry_after.unwrap_or(Duration::from_secs(10))),
            _ => None,
        };
        answer
    }
}

impl From<AttachmentError> for ApiError {
    fn from(error: AttachmentError) -> Self {
        Self::invalid("messages", error.code(), error.to_string())
    }
}

impl From<GatewayError> for ApiError {
    fn from(error: GatewayError) -> Self {
        use GatewayError as E;
        let message = error.to_string();
        match error {
            E::ModelNotFound { model } => Self::unknown_model(&model),
            E::Prompt(fault) => Self::invalid(fault.param(), fault.code(), message),
            E::Media(fault) => Self::invalid(fault.param(), fault.code(), message),
            E::Attachment(fault) => fault.into(),
            E::NoAccount | E::Sealed => Self::unavailable("no_available_account", message, Duration::from_secs(30)),
            E::AccountsLimited { retry_after } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", "upstream_rate_limited", message)
                    .after(retry_after)
            }
            E::Busy => Self::unavailable("no_available_account", message, Duration::from_secs(1)),
            E::Overloaded { retry_after } => Self::unavailable("server_overloaded", message, retry_after),
            E::Upstream(fault) => fault.into(),
            E::InvalidJson(_) => Self::new(StatusCode::BAD_GATEWAY, "api_error", "invalid_json_from_upstream", message),
            E::OutcomeUnknown(_) => {
                Self::new(StatusCode::BAD_GATEWAY, "api_error", "upstream_outcome_unknown", message)
            }
            E::Stopped | E::ShuttingDown => Self::unavailable("shutting_down", message, Duration::from_secs(5)),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response =
            Response::builder().status(self.status).content_type("application/json").body(self.to_json());
        if let Some(wait) = self.retry_after {
            let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs.max(1)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<ApiError> for poem::Error {
    fn from(error: ApiError) -> Self {
        Self::from_response(error.into_response())
    }
}

/// Statuses a described operation may fail with, and what they mean.
const FAILURES: [(u16, &str); 15] = [
    (400, "The request is not valid: `param` names the member at fault."),
    (401, "The API key is missing or wrong."),
    (403, "This is for others: a page of another site asks, or the password must be changed or given again first."),
    (404, "There is no such model, object or path."),
    (405, "The path does not take this method."),
    (408, "The request's body did not arrive in time."),
    (409, "The request does not fit how things stand: it is being worked on, or its object is not there yet."),
    (413, "The request's body is too large."),
    (415, "The request's body is of a type that is not taken."),
    (422, "The `Idempotency-Key` was used for another request."),
    (429, "A limit is reached: `Retry-After` says when to come back."),
    (500, "A fault of this server."),
    (502, "The upstream failed or refused."),
    (503, "Nobody can serve this now: `Retry-After` says when to come back."),
    (504, "The upstream did not answer in time."),
];

impl ApiResponse for ApiError {
    fn meta() -> MetaResponses {
        let responses = FAILURES
            .iter()
            .map(|(status, description)| MetaResponse {
                description,
                status: Some(*status),
                status_range: None,
                content: vec![MetaMediaType { content_type: "application/json", schema: ErrorEnvelope::schema_ref() }],
                headers: if matches!(status, 429 | 503) { vec![retry_after_header()] } else { Vec::new() },
            })
            .collect();
        MetaResponses { responses }
    }

    fn register(registry: &mut Registry) {
        ErrorEnvelope::register(registry);
    }
}

fn retry_after_header() -> MetaHeader {
    MetaHeader {
        name: "Retry-After".to_owned(),
        description: Some("Whole seconds to wait.".to_owned()),
        required: false,
        deprecated: false,
        schema: MetaSchemaRef::Inline(Box::new(u64::schema_ref().unwrap_inline().clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grok2api_gateway::upstream::error::ErrorKind;

    #[test]
    fn an_upstream_401_never_reaches_the_client_as_401() {
        let error = ApiError::from(UpstreamError::new(ErrorKind::AccountInvalid, "refused"));
        assert_eq!(error.status, StatusCode::BAD_GATEWAY);
        assert_eq!(error.body.code.as_deref(), Some("upstream_account_invalid"));
    }

    #[test]
    fn waiting_times_are_rounded_up_to_whole_seconds() {
        let error = ApiError::from(GatewayError::AccountsLimited { retry_after: Duration::from_millis(1200) });
        let response = error.into_response();
        assert_eq!(response.headers().get(header::RETRY_AFTER), Some(&HeaderValue::from_static("2")));
    }

    #[test]
    fn all_four_members_are_always_there() {
        let text = String::from_utf8(ApiError::internal().to_json()).unwrap_or_default();
        assert!(text.contains(r#""param":null"#) && text.contains(r#""code":"internal_error""#));
    }
}
