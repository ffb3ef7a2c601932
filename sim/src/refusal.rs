//! What does a refused call get instead of an answer?

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::body::SimBody;

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=UTF-8";
const CHALLENGE: &str = "<!DOCTYPE html><html><head><title>Just a moment...</title></head>\
    <body>Checking your connection. This page comes from the simulator.</body></html>";

/// Refusals as the upstream words them (protocol page "grok-web" §6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 400: an argument is wrong.
    Argument,
    /// 401 without a reason.
    Unauthenticated,
    /// 401 that names the credential as invalid.
    InvalidCredential,
    /// 403 without a reason.
    Denied,
    /// 403 with a challenge page.
    Challenge,
    /// 403 by an anti-bot rule.
    AntiBot,
    /// 403 for a blocked user.
    BlockedUser,
    /// 404.
    NotFound,
    /// 429.
    TooMany,
    /// 500.
    Internal,
    /// 502 in plain text.
    BadGateway,
    /// 503 because of heavy usage.
    HeavyUsage,
    /// 503 with a challenge page.
    ChallengeUnavailable,
    /// 200 with a challenge page.
    Challenge200,
}

impl Refusal {
    /// Every refusal with the name by which a fault asks for it.
    pub(crate) const NAMED: [(&'static str, Self); 14] = [
        ("400", Self::Argument),
        ("401", Self::Unauthenticated),
        ("401marker", Self::InvalidCredential),
        ("403", Self::Denied),
        ("403html", Self::Challenge),
        ("403bot", Self::AntiBot),
        ("403blocked", Self::BlockedUser),
        ("404", Self::NotFound),
        ("429", Self::TooMany),
        ("500", Self::Internal),
        ("502", Self::BadGateway),
        ("503", Self::HeavyUsage),
        ("503html", Self::ChallengeUnavailable),
        ("html200", Self::Challenge200),
    ];

    /// The response, with a `Retry-After` in seconds if one is given.
    pub(crate) fn response(self, retry_after: Option<u64>) -> Response<SimBody> {
        let (status, content_type, body) = self.parts();
        let mut response = respond(status, content_type, body);
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    fn parts(self) -> (u16, &'static str, Bytes) {
        match self {
            Self::Argument => (400, JSON, error_body(3, "Invalid model name")),
            Self::Unauthenticated => (401, JSON, error_body(16, "Unauthenticated")),
            Self::InvalidCredential => {
                (401, JSON, error_body(16, "Failed to look up session ID. [WKE=unauthenticated:invalid-credentials]"))
            }
            Self::Denied => (403, JSON, error_body(7, "Permission denied")),
            Self::Challenge => (403, HTML, Bytes::from_static(CHALLENGE.as_bytes())),
            Self::AntiBot => (403, JSON, error_body(7, "Request rejected by anti-bot rules.")),
            Self::BlockedUser => (403, JSON, error_body(7, "User is blocked [WKE=unauthorized:blocked-user]")),
            Self::NotFound => (404, JSON, error_body(5, "Not found")),
            Self::TooMany => (429, JSON, error_body(8, "Too many requests")),
            Self::Internal => (500, JSON, error_body(13, "An internal error occurred.")),
            Self::BadGateway => (502, "text/plain", Bytes::from_static(b"Bad gateway")),
            Self::HeavyUsage => (503, JSON, error_body(14, "Grok is under heavy usage right now")),
            Self::ChallengeUnavailable => (503, HTML, Bytes::from_static(CHALLENGE.as_bytes())),
            Self::Challenge200 => (200, HTML, Bytes::from_static(CHALLENGE.as_bytes())),
        }
    }
}

/// A response with a whole body.
pub(crate) fn respond(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Response<SimBody> {
    let mut response = Response::new(SimBody::Whole(Some(body.into())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A 400 that says what is wrong.
pub(crate) fn bad_request(message: &str) -> Response<SimBody> {
    respond(400, JSON, error_body(3, message))
}

/// The upstream's error object. `code` is a gRPC status number.
pub(crate) fn error_body(code: i64, message: &str) -> Bytes {
    serde_json::json!({"error": {"code": code, "message": message, "details": []}}).to_string().into()
}
