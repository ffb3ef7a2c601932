//! Repeating a request safely: the `Idempotency-Key` header and what a second request under one key gets (J13, F16).

use grok2api_entity::generation;
use grok2api_queue::{Accepted, RepeatKey};
use poem::http::{HeaderName, HeaderValue, StatusCode};
use poem::{Request, RequestBody, Response, Result};
use poem_openapi::registry::{MetaParamIn, MetaSchema, MetaSchemaRef};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::ApiError;

/// Longest key, in characters.
const MAX_KEY: usize = 255;
/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The key under which a client may repeat its request; `None` when it sent none.
#[derive(Debug, Clone)]
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl IdempotencyKey {
    /// With what the request says, for the queue. `body` is everything that makes one request another.
    pub(crate) fn with(&self, endpoint: &'static str, body: &impl Serialize) -> Option<RepeatKey> {
        let key = self.0.clone()?;
        // By its hash: not every database tells capital letters from small ones.
        Some(RepeatKey { key: digest(&key), endpoint, body_hash: body_hash(endpoint, body) })
    }

    fn read(request: &Request) -> Result<Self, ApiError> {
        let mut sent = request.headers().get_all("idempotency-key").iter();
        let Some(first) = sent.next() else { return Ok(Self(None)) };
        let visible = first.as_bytes().iter().all(|byte| (0x21..=0x7e).contains(byte));
        match first.to_str() {
            Ok(key) if visible && (1..=MAX_KEY).contains(&key.len()) && sent.all(|other| other == first) => {
                Ok(Self(Some(key.to_owned())))
            }
            _ => Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                "invalid_request_error",
                "invalid_idempotency_key",
                "The header 'Idempotency-Key' must be one key of 1 to 255 visible characters.",
            )),
        }
    }
}

impl<'a> ApiExtractor<'a> for IdempotencyKey {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    type ParamType = Option<String>;
    type ParamRawType = String;

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        let schema = MetaSchema { min_length: Some(1), max_length: Some(MAX_KEY), ..MetaSchema::new("string") };
        Some(MetaSchemaRef::Inline(Box::new(schema)))
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        Ok(Self::read(request)?)
    }
}

/// One hash for one request, in hexadecimal: over its endpoint and its members in their fixed order, so that neither the
/// order nor the spacing of what was sent matters.
fn body_hash(endpoint: &str, body: &impl Serialize) -> String {
    let mut digest = Sha256::new();
    digest.update(endpoint.as_bytes());
    digest.update([0]);
    digest.update(serde_json::to_vec(body).unwrap_or_default());
    hex(&digest.finalize())
}

/// SHA-256 in hexadecimal: stands for a text that may be long, or must be compared exactly.
pub(crate) fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing into a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A request that is on record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OnRecord {
    pub(crate) row: generation::Model,
    /// Whether an earlier request with the same key and body made it.
    pub(crate) replayed: bool,
}

impl OnRecord {
    /// Sorts out what the queue says.
    ///
    /// # Errors
    /// The key was used for another request, or for one whose result is gone.
    pub(crate) fn of(accepted: Accepted) -> Result<Self, ApiError> {
        match accepted {
            Accepted::New(row) => Ok(Self { row, replayed: false }),
            Accepted::Repeated(row) if row.deleted_at.is_none() => Ok(Self { row, replayed: true }),
            Accepted::Repeated(_) | Accepted::Gone => Err(refused(
                StatusCode::CONFLICT,
                "idempotency_result_gone",
                "This 'Idempotency-Key' was used for a request whose result is gone. Use another key.",
            )),
            Accepted::OtherBody => Err(refused(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "This 'Idempotency-Key' was used for another request. Use another key, or send the same request.",
            )),
        }
    }

    /// Marks the answer of a repeated request.
    pub(crate) fn mark(&self, mut response: Response) -> Response {
        if self.replayed {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// 409 for a request whose first sending is still being worked on.
pub(crate) fn in_flight() -> ApiError {
    refused(
        StatusCode::CONFLICT,
        "idempotency_in_flight",
        "A request with this 'Idempotency-Key' is still being worked on. Ask again later.",
    )
    .after(std::time::Duration::from_secs(2))
}

fn refused(status: StatusCode, code: &'static str, message: &str) -> ApiError {
    ApiError::new(status, "invalid_request_error", code, message)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn sent(values: &[&[u8]]) -> Result<Option<String>, String> {
        let mut request = Request::builder();
        for value in values {
            request = request.header("Idempotency-Key", HeaderValue::from_bytes(value).unwrap());
        }
        IdempotencyKey::read(&request.finish()).map(|key| key.0).map_err(|error| error.body.code.unwrap())
    }

    #[test]
    fn j13_a_key_has_1_to_255_visible_characters() {
        assert_eq!(sent(&[]), Ok(None));
        assert_eq!(sent(&[b"a-key:1"]), Ok(Some("a-key:1".to_owned())));
        assert_eq!(sent(&[b"same", b"same"]), Ok(Some("same".to_owned())));
        assert!(sent(&[&[b'x'; 255]]).is_ok());
        for bad in [&b""[..], b"two words", b"tab\t", "sch\u{f6}n".as_bytes(), &[b'x'; 256]] {
            assert_eq!(sent(&[bad]), Err("invalid_idempotency_key".to_owned()), "{bad:?}");
        }
        assert_eq!(sent(&[b"one", b"other"]), Err("invalid_idempotency_key".to_owned()));
    }

    #[derive(Serialize)]
    struct Body<'a> {
        prompt: &'a str,
        n: u8,
        size: Option<&'a str>,
    }

    #[test]
    fn f16_one_request_has_one_hash_and_another_has_another() {
        let body = |prompt, n, size| body_hash("/v1/images/generations", &Body { prompt, n, size });
        let first = body("a kite", 1, None);
        assert_eq!(first.len(), 64);
        assert_eq!(first, body("a kite", 1, None));
        for other in [body("a kite ", 1, None), body("a kite", 2, None), body("a kite", 1, Some("auto"))] {
            assert_ne!(first, other);
        }
        assert_ne!(first, body_hash("/v1/videos", &Body { prompt: "a kite", n: 1, size: None }));
    }

    #[test]
    fn f16_another_body_is_422_and_a_lost_result_409() {
        let status = |accepted| OnRecord::of(accepted).unwrap_err().status.as_u16();
        assert_eq!(status(Accepted::OtherBody), 422);
        assert_eq!(status(Accepted::Gone), 409);
        assert_eq!((in_flight().status.as_u16(), in_flight().retry_after.is_some()), (409, true));
    }
}
