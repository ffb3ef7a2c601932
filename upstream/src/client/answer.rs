//! Whether a response is the answer that was asked for, decided before its first byte is used (F51).

use std::time::Duration;

use bytes::BytesMut;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::body::body_error;
use super::inflate::{BodyFault, BodyLimits, CappedBody};
use super::wire::WireBody;
use crate::classify::{ErrorObject, classify_http, classify_line};
use crate::codec::lenient::lenient_object;
use crate::error::UpstreamError;

/// How much of a refusal is read: what the classification looks at, many times over.
const REFUSAL_BYTES: usize = 64 * 1024;

/// How long we wait for the text of a refusal. The status is known, the text only refines it.
const REFUSAL_DEADLINE: Duration = Duration::from_secs(5);

/// Longest wait that a `Retry-After` header can ask of us.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(7 * 24);

/// Takes a response whose status and type are those of an answer; makes an error of any other.
pub(super) async fn accept(
    response: Response<WireBody>,
    limits: BodyLimits,
) -> Result<CappedBody<WireBody>, UpstreamError> {
    if response.status() == StatusCode::OK && !is_html(response.headers()) {
        return CappedBody::new(response, limits).map_err(body_error);
    }
    Err(refusal(response, limits).await)
}

/// Reads a whole short answer. A success status does not make a success: it may be an error all the same.
pub(super) async fn collect(mut body: CappedBody<WireBody>) -> Result<BytesMut, UpstreamError> {
    let mut collected = BytesMut::new();
    while let Some(piece) = body.next_piece().await {
        collected.extend_from_slice(&piece.map_err(body_error)?);
    }
    match serde_json::from_slice(&collected) {
        Ok(MayFail { error }) if error.present => Err(classify_line(error)),
        // What the answer must look like is for the call to say.
        Ok(_) | Err(_) => Ok(collected),
    }
}

lenient_object! {
    /// A short answer, as far as every call's is alike.
    struct MayFail<'a> {
        "error" => error: ErrorObject<'a>,
    }
}

async fn refusal(response: Response<WireBody>, limits: BodyLimits) -> UpstreamError {
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers());
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let content_type = content_type.to_owned();
    let text = match CappedBody::new(response, limits) {
        Ok(body) => beginning(body).await,
        Err(BodyFault::TooLarge | BodyFault::Undecodable | BodyFault::Cut) => BytesMut::new(),
    };
    classify_http(status, &content_type, &text, retry_after)
}

/// As much of the text as comes in time; a broken body ends it as well as an end.
async fn beginning(mut body: CappedBody<WireBody>) -> BytesMut {
    let deadline = Instant::now() + REFUSAL_DEADLINE;
    let mut text = BytesMut::new();
    while text.len() < REFUSAL_BYTES {
        match timeout_at(deadline, body.next_piece()).await {
            Ok(Some(Ok(piece))) => {
                let room = REFUSAL_BYTES - text.len();
                text.extend_from_slice(&piece[..piece.len().min(room)]);
            }
            Ok(Some(Err(_)) | None) | Err(_) => break,
        }
    }
    text
}

fn is_html(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return false };
    value.as_bytes().get(..9).is_some_and(|start| start.eq_ignore_ascii_case(b"text/html"))
}

/// The header's seconds. A date would have to be read against the upstream's clock, which we do not know.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}
