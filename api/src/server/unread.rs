//! Requests that hyper refuses before anybody sees them: the same error body as everywhere.

use bytes::Bytes;
use grok2api_gateway::id;
use poem::http::StatusCode;

use crate::error::ApiError;

/// Hyper's own answers have no more.
const MAX_BYTES: usize = 256;

/// What is written instead of `bytes`, if these are a refusal of hyper's own: one of its statuses and no body. Ours all
/// have an `x-request-id`.
pub(super) fn answer_instead_of(bytes: &[u8]) -> Option<Bytes> {
    if !bytes.starts_with(b"HTTP/1.1 4") || bytes.len() > MAX_BYTES || !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let is_ours = text.contains("x-request-id:") || !text.contains("content-length: 0\r\n");
    let error = if is_ours { None } else { refusal(text.get(9..12)?) };
    error.map(|error| whole(&error))
}

fn refusal(status: &str) -> Option<ApiError> {
    let (status, code, message) = match status {
        "400" => (StatusCode::BAD_REQUEST, "bad_request", "This is no valid HTTP/1.1 request."),
        "414" => (StatusCode::URI_TOO_LONG, "uri_too_long", "The request's address is too long."),
        "431" => (
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "headers_too_large",
            "The request's headers are too large: 32 KiB and 100 fields are taken.",
        ),
        _ => return None,
    };
    Some(ApiError::new(status, "invalid_request_error", code, message))
}

/// A whole answer that is its connection's last.
pub(super) fn whole(error: &ApiError) -> Bytes {
    let body = error.to_json();
    let retry_after = error.retry_after.map(|wait| format!("retry-after: {}\r\n", wait.as_secs().max(1)));
    let head = format!(
        "HTTP/1.1 {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\
         x-request-id: {}\r\nx-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\n\
         content-security-policy: {}\r\n{}\r\n",
        error.status,
        body.len(),
        id::request_id(),
        crate::browser::JSON_POLICY,
        retry_after.unwrap_or_default(),
    );
    let mut whole = head.into_bytes();
    whole.extend_from_slice(&body);
    whole.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_refusals_of_hypers_own_are_replaced() {
        let own = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let answer = answer_instead_of(own).unwrap_or_default();
        let text = String::from_utf8_lossy(&answer);
        assert!(text.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{text}");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        assert!(body.contains(r#""code":"headers_too_large""#) && head.contains(&body.len().to_string()), "{text}");
        for other in [
            &b"HTTP/1.1 404 Not Found\r\nx-request-id: a\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 400 Bad Request\r\nx-request-id: a\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            b"1f\r\ndata: HTTP/1.1 400\r\n\r\n",
        ] {
            assert_eq!(answer_instead_of(other), None);
        }
    }
}
