//! JSON request bodies: capped, timed, parsed straight into their type.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use poem::http::{HeaderMap, StatusCode, header};
use poem::{Body, Request, RequestBody, Result};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::multipart::{broken, too_large, too_slow};
use crate::pace::{Pace, TooSlow};
use crate::state::{AppState, BodyLimits};

/// A JSON body of type `T`. Poem-openapi's own goes through a `Value` and reads without a cap.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub T);

impl<'a, T: DeserializeOwned + Type> ApiExtractor<'a> for JsonBody<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    const PARAM_IS_REQUIRED: bool = true;
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = vec![MetaMediaType { content_type: "application/json", schema: T::schema_ref() }];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        let state = request.data::<AppState>().ok_or_else(ApiError::internal)?;
        let taken = take(request, body, state.body_limits).await;
        taken.map(Self).map_err(|error| crate::refused::recorded(request, state, error).into())
    }
}

async fn take<T: DeserializeOwned>(
    request: &Request,
    body: &mut RequestBody,
    limits: BodyLimits,
) -> Result<T, ApiError> {
    check_headers(request)?;
    let body = body.take().map_err(|_| ApiError::internal())?;
    let max_bytes = limits.max_bytes_on(request.uri().path());
    parse(&read(body, max_bytes, limits).await?)
}

/// Refuses bodies that would have to be inflated first, on every path (H3).
pub(crate) fn check_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
    let codings = headers.get_all(header::CONTENT_ENCODING);
    if codings.into_iter().all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        Ok(())
    } else {
        Err(unsupported("Compressed request bodies are not accepted."))
    }
}

fn unsupported(message: &str) -> ApiError {
    ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request_error", "unsupported_media_type", message)
}

fn check_headers(request: &Request) -> Result<(), ApiError> {
    let Some(content_type) = request.headers().get(header::CONTENT_TYPE) else {
        return Err(unsupported("Send the body as JSON, with the header `Content-Type: application/json`."));
    };
    let essence = content_type.to_str().unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if is_json {
        Ok(())
    } else {
        Err(unsupported("Send the body as JSON, with the header `Content-Type: application/json`."))
    }
}

/// Reads a body of at most `max_bytes`, counting what arrives and not what was announced.
pub(crate) async fn read(body: Body, max_bytes: usize, limits: BodyLimits) -> Result<Bytes, ApiError> {
    let mut stream = body.into_bytes_stream();
    let mut pace = Pace::new(limits);
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(piece) = pace.wait(stream.next()).await.map_err(|TooSlow| too_slow())? {
        let piece = piece.map_err(|_| broken())?;
        pace.count(piece.len());
        if first.len().max(all.len()) + piece.len() > max_bytes {
            return Err(too_large(max_bytes));
        }
        if first.is_empty() && all.is_empty() {
            // Most bodies come in one piece, which is not copied.
            first = piece;
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&std::mem::take(&mut first));
        }
        all.extend_from_slice(&piece);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// Parses; only a body that fails is parsed again to find out which member is at fault.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let error = match serde_json::from_slice::<T>(bytes) {
        Ok(parsed) => return Ok(parsed),
        Err(error) => error,
    };
    if !error.is_data() {
        let mut answer = ApiError::new(
            StatusCode::BAD_REQUEST,
            "invalid_request_error",
            "invalid_json",
            format!("The body is not valid JSON: {error}."),
        );
        if bytes.iter().all(u8::is_ascii_whitespace) {
            "The body is empty; send a JSON object.".clone_into(&mut answer.body.message);
        }
        return Err(answer);
    }
    let deserializer = &mut serde_json::Deserializer::from_slice(bytes);
    let (param, message) = match serde_path_to_error::deserialize::<_, T>(deserializer) {
        Err(error) => (error.path().to_string(), error.inner().to_string()),
        Ok(_) => (".".to_owned(), error.to_string()),
    };
    Err(data_error(&param, &message))
}

/// 400 for what serde says about the member at `path`.
pub(crate) fn data_error(path: &str, message: &str) -> ApiError {
    let message = message.split(" at line ").next().unwrap_or(message);
    if let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        let param = if path == "." { field.to_owned() } else { format!("{path}.{field}") };
        let text = format!("Missing required parameter: '{param}'.");
        return ApiError::invalid(param, "missing_required_parameter", text);
    }
    // serde quotes what it met, which may be the whole body.
    let message: String = message.chars().take(300).collect();
    let param = if path == "." { String::new() } else { path.chars().take(200).collect() };
    let text = if param.is_empty() {
        format!("The body is not what this endpoint expects: {message}.")
    } else {
        format!("Invalid value for '{param}': {message}.")
    };
    let mut error = ApiError::invalid(param.clone(), "invalid_value", text);
    if param.is_empty() {
        error.body.param = None;
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Sample {
        #[expect(dead_code, reason = "only its type matters here")]
        model: String,
        #[expect(dead_code, reason = "only its type matters here")]
        messages: Vec<Inner>,
    }

    #[derive(Debug, serde::Deserialize)]
    struct Inner {
        #[expect(dead_code, reason = "only its type matters here")]
        role: String,
    }

    fn fault(body: &str) -> (Option<String>, String) {
        let Err(error) = parse::<Sample>(body.as_bytes()) else { return (None, String::new()) };
        (error.body.param, error.body.code.unwrap_or_default())
    }

    #[test]
    fn a_bad_body_names_the_member_at_fault() {
        assert_eq!(fault("{"), (None, "invalid_json".into()));
        assert_eq!(fault(""), (None, "invalid_json".into()));
        assert_eq!(fault("[]").1, "invalid_value");
        assert_eq!(fault(r#"{"model":"m"}"#), (Some("messages".into()), "missing_required_parameter".into()));
        assert_eq!(
            fault(r#"{"model":"m","messages":[{"role":"user"},{}]}"#),
            (Some("messages[1].role".into()), "missing_required_parameter".into())
        );
        assert_eq!(fault(r#"{"model":1,"messages":[]}"#), (Some("model".into()), "invalid_value".into()));
    }
}
