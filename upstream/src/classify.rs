//! What an upstream's refusal means (protocol page "grok-web" §6.2), for HTTP answers and for error lines alike.

use std::time::Duration;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::client_message::client_message;
use crate::codec::lenient::{self, Number, Present, Text};
use crate::error::{AccountEffect, Delivery, ErrorKind, UpstreamError};

/// How much of a body is looked at for tell-tale words.
const LOOKED_AT_BYTES: usize = 4 * 1024;

/// Words that name the credential as invalid or the user as blocked.
const INVALID_NOW: [&str; 9] = [
    "blocked-user",
    "account suspended",
    "token revoked",
    "token expired",
    "session not found",
    "failed to look up session id",
    "invalid-credentials",
    "bad-credentials",
    "email-domain-rejected",
];
/// Words that name a limit.
const LIMITED: [&str; 3] = ["too many requests", "rate limit", "usage limit"];
/// Words that name the egress address or the pass-through values as the trouble.
const ANTI_BOT: [&str; 3] = ["anti-bot", "anti bot", "antibot"];
/// Words that name the content as the trouble.
const MODERATED: [&str; 4] = ["content moderated", "content was moderated", "content-moderated", "content policy"];

/// gRPC status numbers that the upstream uses.
mod code {
    pub(super) const INVALID_ARGUMENT: i64 = 3;
    pub(super) const PERMISSION_DENIED: i64 = 7;
    pub(super) const RESOURCE_EXHAUSTED: i64 = 8;
    pub(super) const UNAUTHENTICATED: i64 = 16;
}

/// Reads an HTTP answer of the chat call that is no stream: a status other than 200, or a page in place of a stream.
///
/// Of `body`, the first 4 KiB are searched for tell-tale words; nothing is passed on but the message of a JSON error.
pub fn classify_http(status: u16, content_type: &str, body: &[u8], retry_after: Option<Duration>) -> UpstreamError {
    if (200..300).contains(&status) {
        return UpstreamError::new(ErrorKind::NotStream, NOT_A_STREAM);
    }
    let looked_at = String::from_utf8_lossy(&body[..body.len().min(LOOKED_AT_BYTES)]).to_lowercase();
    let page = is_page(content_type, &looked_at);
    let error = if page { ErrorObject::default() } else { ErrorObject::of_body(body) };
    let error = Signs { status: Some(status), words: looked_at, page, error }.classify();
    UpstreamError { retry_after, ..error }
}

/// Reads an error in a stream: a line of its own, a member of an event, or one of `modelResponse`.
pub(crate) fn classify_line(error: ErrorObject<'_>) -> UpstreamError {
    let message = error.message.as_str();
    let words = message[..message.floor_char_boundary(LOOKED_AT_BYTES)].to_lowercase();
    Signs { status: None, words, page: false, error }.classify()
}

/// Text for a success status without a stream.
pub(crate) const NOT_A_STREAM: &str = "upstream answered with something that is no stream of events";

/// All that tells one refusal from another.
struct Signs<'a> {
    /// `None` for an error line.
    status: Option<u16>,
    /// In lower case.
    words: String,
    /// The body is an HTML page.
    page: bool,
    error: ErrorObject<'a>,
}

impl Signs<'_> {
    fn classify(&self) -> UpstreamError {
        let (kind, account) = self.kind();
        let message = match (kind, account) {
            (ErrorKind::Blocked, AccountEffect::None) => None,
            (_, _) => client_message(self.error.message.as_str()),
        };
        let message = message.unwrap_or_else(|| self.default_message(kind, account));
        let delivery = self.status.map_or(Delivery::Answered, Delivery::of_status);
        UpstreamError { kind, account, message, upstream_code: self.error.code.0, retry_after: None, delivery }
    }

    /// The rows of §6.2 in their order, save that a cause given by name outranks a mere status.
    fn kind(&self) -> (ErrorKind, AccountEffect) {
        let may_name_credential = self.status.is_none_or(|status| matches!(status, 400 | 401 | 403));
        let forbidden = self.is(403, code::PERMISSION_DENIED);
        if may_name_credential && self.says(&INVALID_NOW) {
            (ErrorKind::AccountInvalid, AccountEffect::InvalidNow)
        } else if self.is(401, code::UNAUTHENTICATED) {
            (ErrorKind::AccountInvalid, AccountEffect::Count401)
        } else if self.is(429, code::RESOURCE_EXHAUSTED) || self.names(Cause::Limit) || self.says(&LIMITED) {
            (ErrorKind::RateLimited, AccountEffect::CoolForModel)
        } else if self.says(&["heavy usage"]) {
            (ErrorKind::Overloaded, AccountEffect::None)
        } else if self.names(Cause::Moderated) {
            (ErrorKind::ContentModerated, AccountEffect::None)
        } else if self.names(Cause::NoModel) {
            (ErrorKind::ModelUnavailable, AccountEffect::NoModelAccess)
        } else if self.names(Cause::Request) {
            (ErrorKind::InvalidRequest, AccountEffect::None)
        } else if (self.page && matches!(self.status, Some(403 | 503))) || (forbidden && self.says(&ANTI_BOT)) {
            (ErrorKind::Blocked, AccountEffect::None)
        } else if forbidden && self.says(&MODERATED) {
            (ErrorKind::ContentModerated, AccountEffect::None)
        } else if forbidden {
            (ErrorKind::Blocked, AccountEffect::Strike)
        } else if self.is(400, code::INVALID_ARGUMENT) {
            (ErrorKind::InvalidRequest, AccountEffect::None)
        } else {
            (ErrorKind::Error, AccountEffect::None)
        }
    }

    fn is(&self, status: u16, code: i64) -> bool {
        self.status == Some(status) || self.error.code.0 == Some(code)
    }

    fn names(&self, cause: Cause) -> bool {
        self.error.cause == Some(cause)
    }

    fn says(&self, any_of: &[&str]) -> bool {
        any_of.iter().any(|words| self.words.contains(words))
    }

    fn default_message(&self, kind: ErrorKind, account: AccountEffect) -> String {
        match kind {
            ErrorKind::AccountInvalid => "upstream refused the account's credential".to_owned(),
            ErrorKind::RateLimited => "upstream limits the account for this model".to_owned(),
            ErrorKind::Overloaded => "upstream is under heavy usage".to_owned(),
            ErrorKind::Blocked if account == AccountEffect::None => {
                "upstream refuses this gateway's network address: check the proxy and clearance settings".to_owned()
            }
            ErrorKind::Blocked => "upstream refused the request".to_owned(),
            ErrorKind::InvalidRequest => "upstream cannot carry out this request".to_owned(),
            ErrorKind::ContentModerated => "upstream refused the content".to_owned(),
            ErrorKind::ModelUnavailable => "upstream does not offer this model to the account".to_owned(),
            ErrorKind::Error
            | ErrorKind::NotFound
            | ErrorKind::Unreachable
            | ErrorKind::Timeout
            | ErrorKind::Empty
            | ErrorKind::NotStream
            | ErrorKind::Interrupted => match self.status {
                Some(status) => format!("upstream answered with HTTP status {status}"),
                None => "upstream reported an error".to_owned(),
            },
        }
    }
}

fn is_page(content_type: &str, looked_at: &str) -> bool {
    let start = looked_at.trim_start();
    content_type.to_ascii_lowercase().contains("text/html")
        || start.starts_with("<!doctype html")
        || start.starts_with("<html")
}

/// What a named cause of an error amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A limit of the account.
    Limit,
    /// The request is too large or cannot be read.
    Request,
    /// The content.
    Moderated,
    /// The model.
    NoModel,
}

impl Cause {
    fn named(name: &str) -> Option<Self> {
        match name {
            "globalRateLimit" | "usagePoolExhausted" | "usageLimitReached" | "concurrencyLimit" => Some(Self::Limit),
            "userPromptTooLong"
            | "beyondContextLength"
            | "attachmentImageTooLarge"
            | "attachmentFileTooLarge"
            | "attachmentTooManyPages"
            | "attachmentLoadFailed" => Some(Self::Request),
            "contentModerated" | "attachmentModerated" => Some(Self::Moderated),
            "modelNotAvailable" => Some(Self::NoModel),
            _ => None,
        }
    }
}

/// An error as the upstream writes it: an object with a message, a number or a named cause, or a plain string.
#[derive(Debug, Default)]
pub(crate) struct ErrorObject<'a> {
    /// There is an error at all: not null, not false, no empty string or list.
    pub(crate) present: bool,
    message: Text<'a>,
    code: Number,
    cause: Option<Cause>,
}

lenient::lenient_object! {
    /// The body of an HTTP error. The error can also be the body itself.
    struct ErrorBody<'a> {
        "error" => error: ErrorObject<'a>,
        "message" => message: Text<'a>,
        "code" => code: Number,
    }
}

impl<'a> ErrorObject<'a> {
    /// The error in the body of an HTTP answer; an empty one if the body is no JSON.
    fn of_body(body: &'a [u8]) -> Self {
        let body: ErrorBody<'a> = serde_json::from_slice(body).unwrap_or_default();
        if body.error.present {
            return body.error;
        }
        Self { present: true, message: body.message, code: body.code, cause: None }
    }
}

impl<'de> Deserialize<'de> for ErrorObject<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ErrorVisitor)
    }
}

struct ErrorVisitor;

impl<'de> Visitor<'de> for ErrorVisitor {
    type Value = ErrorObject<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an error")
    }

    fn visit_borrowed_str<E>(self, message: &'de str) -> Result<Self::Value, E> {
        Ok(ErrorObject { present: !message.is_empty(), message: Text::from(message), ..ErrorObject::default() })
    }

    fn visit_str<E>(self, message: &str) -> Result<Self::Value, E> {
        Ok(ErrorObject {
            present: !message.is_empty(),
            message: Text::from(message.to_owned()),
            ..ErrorObject::default()
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut error = ErrorObject { present: true, ..ErrorObject::default() };
        while let Some(key) = object.next_key::<Text<'de>>()? {
            match key.as_str() {
                "message" => error.message = object.next_value()?,
                "code" => error.code = object.next_value()?,
                name => {
                    let cause = Cause::named(name);
                    if object.next_value::<Present>()?.0 {
                        error.cause = error.cause.or(cause);
                    }
                }
            }
        }
        Ok(error)
    }

    fn visit_bool<E>(self, present: bool) -> Result<Self::Value, E> {
        Ok(ErrorObject { present, ..ErrorObject::default() })
    }

    lenient::absent!(numbers, null, list);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a fixture that cannot be read is a failed test")]

    use super::*;
    use crate::error::Retry;

    fn line(json: &str) -> UpstreamError {
        classify_line(serde_json::from_str(json).unwrap())
    }

    #[derive(serde::Deserialize)]
    struct Cases {
        cases: Vec<Case>,
    }

    #[derive(serde::Deserialize)]
    struct Case {
        name: String,
        status: u16,
        content_type: String,
        body: String,
        kind: String,
        account: String,
        retry_other_account: bool,
        client_status: u16,
        client_code: String,
    }

    fn effect_name(effect: AccountEffect) -> &'static str {
        match effect {
            AccountEffect::None => "none",
            AccountEffect::Strike => "strike",
            AccountEffect::Count401 => "count_401",
            AccountEffect::CoolForModel => "cool_for_model",
            AccountEffect::InvalidNow => "invalid_now",
            AccountEffect::NoModelAccess => "no_model_access",
        }
    }

    #[test]
    fn http_errors_are_classified_as_the_fixture_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/http-errors.json");
        let cases: Cases = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for case in cases.cases {
            let error = classify_http(case.status, &case.content_type, case.body.as_bytes(), None);
            assert_eq!(error.kind.as_str(), case.kind, "{}", case.name);
            assert_eq!(effect_name(error.account), case.account, "{}", case.name);
            assert_eq!(error.retry() != Retry::No, case.retry_other_account, "{}", case.name);
            assert_eq!(error.kind.client_status(), case.client_status, "{}", case.name);
            assert_eq!(error.kind.client_code(), case.client_code, "{}", case.name);
            assert!(!error.message.is_empty() && !error.message.contains('<'), "{}: {}", case.name, error.message);
        }
    }

    #[test]
    fn error_lines_are_classified_by_code_words_and_cause() {
        use AccountEffect as A;
        use ErrorKind as K;
        for (json, kind, account) in [
            (r#"{"code":8,"message":"slow down"}"#, K::RateLimited, A::CoolForModel),
            (r#"{"message":"Usage Limit reached"}"#, K::RateLimited, A::CoolForModel),
            (r#"{"message":"x","concurrencyLimit":{}}"#, K::RateLimited, A::CoolForModel),
            (r#"{"code":16,"message":"Unauthenticated"}"#, K::AccountInvalid, A::Count401),
            (r#"{"code":16,"message":"Token revoked"}"#, K::AccountInvalid, A::InvalidNow),
            (r#""Session not found""#, K::AccountInvalid, A::InvalidNow),
            (r#""under HEAVY usage""#, K::Overloaded, A::None),
            (r#"{"code":7,"message":"anti-bot rules"}"#, K::Blocked, A::None),
            (r#"{"code":7,"message":"Content was moderated"}"#, K::ContentModerated, A::None),
            (r#"{"code":7}"#, K::Blocked, A::Strike),
            (r#"{"code":3,"message":"no"}"#, K::InvalidRequest, A::None),
            (r#"{"userPromptTooLong":{}}"#, K::InvalidRequest, A::None),
            (r#"{"attachmentImageTooLarge":{"maxSizeBytes":1}}"#, K::InvalidRequest, A::None),
            (r#"{"attachmentModerated":{}}"#, K::ContentModerated, A::None),
            (r#"{"modelNotAvailable":{}}"#, K::ModelUnavailable, A::NoModelAccess),
            (r#"{"contentModerated":null,"code":13}"#, K::Error, A::None),
            (r#"{"internalError":{}}"#, K::Error, A::None),
            ("{}", K::Error, A::None),
        ] {
            let error = line(json);
            assert_eq!((error.kind, error.account), (kind, account), "{json}");
        }
    }

    #[test]
    fn f42_a_refusal_of_the_content_never_counts_against_the_account() {
        let body = br#"{"error":{"code":7,"message":"Rejected by content policy","details":[]}}"#;
        let error = classify_http(403, "application/json", body, None);
        assert_eq!((error.kind, error.account), (ErrorKind::ContentModerated, AccountEffect::None));
    }

    #[test]
    fn f42_a_challenge_page_tells_the_operator_what_to_check() {
        let error = classify_http(403, "text/html", b"<html>sso=secret</html>", None);
        assert!(error.message.contains("proxy and clearance settings"), "{}", error.message);
    }

    #[test]
    fn f43_the_wait_that_the_upstream_asks_for_is_kept() {
        let wait = Some(Duration::from_secs(7));
        assert_eq!(classify_http(429, "", b"", wait).retry_after, wait);
    }

    #[test]
    fn bodies_of_other_shapes_are_read() {
        let flat = classify_http(400, "application/json", br#"{"code":8,"message":"flat"}"#, None);
        assert_eq!((flat.kind, flat.upstream_code, &*flat.message), (ErrorKind::RateLimited, Some(8), "flat"));
        let text = classify_http(400, "application/json", br#"{"error":"just text"}"#, None);
        assert_eq!((text.kind, &*text.message), (ErrorKind::InvalidRequest, "just text"));
        let plain = classify_http(502, "text/plain", b"Bad gateway \xff", None);
        assert_eq!((plain.kind, &*plain.message), (ErrorKind::Error, "upstream answered with HTTP status 502"));
    }

    #[test]
    fn what_is_no_error_is_not_taken_for_one() {
        for json in ["null", "false", "\"\"", "[]", "0"] {
            assert!(!serde_json::from_str::<ErrorObject<'_>>(json).unwrap().present, "{json}");
        }
        for json in ["{}", "true", "\"text\""] {
            assert!(serde_json::from_str::<ErrorObject<'_>>(json).unwrap().present, "{json}");
        }
    }
}
