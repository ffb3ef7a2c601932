//! What a client is told when work behind a request failed: one place for all kinds of work.

use std::time::Duration;

use grok2api_entity::failure::Code;
use grok2api_entity::generation;
use grok2api_entity::keeper::NotKept;
use grok2api_entity::trouble::{self, Trouble};
use grok2api_media::MediaError;
use grok2api_queue::QueueError;
use poem::http::StatusCode;

use crate::error::ApiError;

/// Status, `type` and waiting time of a failure. The `code` is the failure's own name.
fn shape(code: Code) -> (StatusCode, &'static str, Option<Duration>) {
    use StatusCode as S;
    const API: &str = "api_error";
    const INVALID: &str = "invalid_request_error";
    let after = |secs| Some(Duration::from_secs(secs));
    match code {
        Code::ContentPolicyViolation | Code::InvalidRequest => (S::BAD_REQUEST, INVALID, None),
        Code::AccountsLimited => (S::TOO_MANY_REQUESTS, "rate_limit_error", after(60)),
        Code::JobCrashed | Code::InternalError => (S::INTERNAL_SERVER_ERROR, "server_error", None),
        Code::UpstreamOutcomeUnknown
        | Code::UpstreamInterrupted
        | Code::UpstreamError
        | Code::NoImageGenerated
        | Code::NoVideoGenerated => (S::BAD_GATEWAY, API, None),
        Code::NoAvailableAccount | Code::StorageFull | Code::MediaUnavailable => {
            (S::SERVICE_UNAVAILABLE, API, after(30))
        }
        Code::AccountsBusy => (S::SERVICE_UNAVAILABLE, API, after(5)),
        Code::UpstreamTimeout | Code::Expired => (S::GATEWAY_TIMEOUT, API, None),
    }
}

/// A failure in the words of its record, or in ours when it has none.
pub(crate) fn error(code: Code, message: Option<&str>) -> ApiError {
    let (status, kind, retry_after) = shape(code);
    let message = message.filter(|text| !text.is_empty()).unwrap_or("The request could not be carried out.");
    let mut error = ApiError::new(status, kind, code.as_str(), message);
    error.retry_after = retry_after;
    error
}

/// Why a request that has come to its end gave nothing.
pub(crate) fn of_generation(row: &generation::Model) -> ApiError {
    if row.state == generation::State::Cancelled {
        // No status that makes a library ask again by itself.
        let message = "The request was cancelled.";
        return ApiError::new(StatusCode::BAD_REQUEST, "invalid_request_error", "cancelled", message);
    }
    let code = row.error_code.as_deref().and_then(Code::parse).unwrap_or(Code::MediaUnavailable);
    error(code, row.error_message.as_deref())
}

impl From<QueueError> for ApiError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Full { retry_after } => {
                let message = error.to_string();
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "api_error", "queue_full", message).after(retry_after)
            }
            QueueError::Write(cause) => inside(&cause),
            QueueError::Database(cause) => inside(&cause),
        }
    }
}

impl From<sea_orm::DbErr> for ApiError {
    fn from(error: sea_orm::DbErr) -> Self {
        inside(&error)
    }
}

impl From<NotKept> for ApiError {
    fn from(error: NotKept) -> Self {
        let because = error.0.to_string();
        tracing::warn!(because, "a change is made, and not mirrored yet");
        let message = "The change is made, but its copy in Redis is not: it is made as soon as Redis is back.";
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "api_error", "mirror_unavailable", message);
        error.after(Duration::from_secs(5))
    }
}

impl From<MediaError> for ApiError {
    fn from(error: MediaError) -> Self {
        let code = error.code();
        if code == Code::InternalError {
            return inside(&error);
        }
        tracing::warn!(error = %error, code = code.as_str(), "media cannot be kept or read");
        self::error(code, Some(&error.to_string()))
    }
}

/// 503 where the records cannot be reached or have no room (F35, F38), else 500; the cause is in the log alone.
fn inside(error: &(dyn std::error::Error + 'static)) -> ApiError {
    let mut causes = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        causes.push_str(": ");
        causes.push_str(&cause.to_string());
        source = cause.source();
    }
    match trouble::of(error) {
        Some(Trouble::Away) => {
            tracing::warn!(error = causes, "the database cannot be reached: a request was refused");
            let message = "The records cannot be reached. Try again later.";
            let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "api_error", "database_unavailable", message);
            error.after(Duration::from_secs(5))
        }
        Some(Trouble::Full) => {
            tracing::error!(error = causes, "the database's disk is full: a request was refused");
            self::error(Code::StorageFull, Some("There is no room left for the request's records."))
        }
        None => {
            tracing::error!(error = causes, "a request failed inside");
            ApiError::internal()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grok2api_entity::failure::CODES;

    #[test]
    fn j11_every_failure_has_a_status_and_keeps_its_name() {
        let status = |code| error(code, None).status.as_u16();
        let expected = |code| match code {
            Code::ContentPolicyViolation | Code::InvalidRequest => 400,
            Code::AccountsLimited => 429,
            Code::JobCrashed | Code::InternalError => 500,
            Code::UpstreamOutcomeUnknown
            | Code::UpstreamInterrupted
            | Code::UpstreamError
            | Code::NoImageGenerated
            | Code::NoVideoGenerated => 502,
            Code::NoAvailableAccount | Code::AccountsBusy | Code::StorageFull | Code::MediaUnavailable => 503,
            Code::UpstreamTimeout | Code::Expired => 504,
        };
        for code in CODES {
            assert_eq!(status(code), expected(code), "{}", code.as_str());
            assert_eq!(error(code, None).body.code.as_deref(), Some(code.as_str()));
        }
    }

    #[test]
    fn whoever_may_come_back_is_told_when() {
        for code in CODES {
            let error = error(code, Some("why"));
            let waits = matches!(error.status.as_u16(), 429 | 503);
            assert_eq!(error.retry_after.is_some(), waits, "{}", code.as_str());
            assert_eq!(error.body.message, "why");
        }
    }

    #[test]
    fn f67_a_full_queue_is_no_fault_of_the_server() {
        let error = ApiError::from(QueueError::Full { retry_after: Duration::from_secs(30) });
        assert_eq!((error.status, error.label), (StatusCode::SERVICE_UNAVAILABLE, "queue_full"));
        assert_eq!(error.retry_after, Some(Duration::from_secs(30)));
    }
}
