//! Who may use the client API.

use grok2api_config::SettingsHandle;
use poem::http::header;
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use crate::error::ApiError;
use crate::state::AppState;

/// Longest key that is looked at, in bytes (K6).
const MAX_KEY_BYTES: usize = 256;

/// A client that presented a valid key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientKey;

/// Checks the key of a request against the settings of the moment.
///
/// # Errors
/// 401 when no key is configured (closed by default), none was sent, two differing ones were sent, or it is wrong.
pub(crate) fn check(request: &Request, settings: &SettingsHandle) -> Result<ClientKey, ApiError> {
    let settings = settings.load();
    let expected = settings.grok.api_key.expose_secret();
    if expected.is_empty() {
        return Err(ApiError::unauthorized(
            "This gateway has no API key yet, so it lets nobody in. Its operator makes one with `grok2api key create`.",
        ));
    }
    let Some(sent) = presented(request)? else {
        return Err(ApiError::unauthorized(
            "You didn't provide an API key. Send it as `Authorization: Bearer YOUR_KEY`.",
        ));
    };
    // Digests of equal length are compared, so that timing tells nothing about the key.
    if sent.len() <= MAX_KEY_BYTES && Sha256::digest(sent.as_bytes()) == Sha256::digest(expected.as_bytes()) {
        Ok(ClientKey)
    } else {
        Err(ApiError::unauthorized("Incorrect API key provided."))
    }
}

/// The key a request carries in `Authorization` or `x-api-key`; never in its query.
fn presented(request: &Request) -> Result<Option<&str>, ApiError> {
    let bearer = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let api_key = request.headers().get("x-api-key").and_then(|value| value.to_str().ok()).map(str::trim);
    match (bearer.filter(|key| !key.is_empty()), api_key.filter(|key| !key.is_empty())) {
        (Some(one), Some(other)) if one != other => {
            Err(ApiError::unauthorized("Two different API keys were sent, in Authorization and in x-api-key."))
        }
        (one, other) => Ok(one.or(other)),
    }
}

impl<'a> ApiExtractor<'a> for ClientKey {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = |ty, name, key_in, scheme, description| MetaSecurityScheme {
            ty,
            description: Some(description),
            name,
            key_in,
            scheme,
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        registry
            .create_security_scheme("ClientKey", scheme("http", None, None, Some("bearer"), "The gateway's API key."));
        registry.create_security_scheme(
            "ClientKeyHeader",
            scheme("apiKey", Some("x-api-key"), Some("header"), None, "The same key, as some clients send it."),
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        vec!["ClientKey", "ClientKeyHeader"]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        let state = request.data::<AppState>().ok_or_else(ApiError::internal)?;
        Ok(check(request, state.gateway.settings())?)
    }
}
