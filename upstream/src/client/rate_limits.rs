//! `POST /rest/rate-limits` (protocol page "grok-web-quota" §1).

use serde::Serialize;

use crate::error::{ErrorKind, UpstreamError};
use crate::quota::RateLimits;

/// Largest answer about limits, in bytes; a real one has a few hundred.
pub(super) const MAX_ANSWER_BYTES: u64 = 64 * 1024;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    request_kind: &'static str,
    model_name: &'a str,
}

/// Writes the body of the question about one budget.
pub(super) fn request_body(rate_limit_model: &str) -> Result<Vec<u8>, UpstreamError> {
    serde_json::to_vec(&Body { request_kind: "DEFAULT", model_name: rate_limit_model })
        .map_err(|_| UpstreamError::new(ErrorKind::InvalidRequest, "the model's name cannot be sent"))
}

/// Reads the answer.
pub(super) fn read(answer: &[u8]) -> Result<RateLimits, UpstreamError> {
    RateLimits::from_json(answer)
        .map_err(|_| UpstreamError::new(ErrorKind::NotStream, "the upstream's answer about limits cannot be read"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn the_question_names_kind_and_model() {
        let body = request_body("grok-4-mini-thinking-tahoe").unwrap();
        assert_eq!(body, br#"{"requestKind":"DEFAULT","modelName":"grok-4-mini-thinking-tahoe"}"#);
    }
}
