//! Who may use the operator's paths.

use poem::http::header;
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::error::ApiError;
use crate::state::AppState;

/// Longest token that is looked at, in bytes (K6).
const MAX_BYTES: usize = 256;

/// The operator, who presented the admin token. The key of a client is something else and opens nothing here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admin;

/// Checks the token of a request.
///
/// # Errors
/// 401 when no token is configured (closed by default), none was sent, or it is wrong.
fn check(request: &Request, token: Option<&SecretString>) -> Result<Admin, ApiError> {
    let Some(token) = token else {
        return Err(ApiError::unauthorized(
            "This gateway has no admin token, so its operator's paths are closed. Set server.admin_token (environment \
             variable GROK2API_SERVER__ADMIN_TOKEN) and start it again.",
        ));
    };
    let sent = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let sent = sent.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, sent)) = sent else {
        return Err(ApiError::unauthorized(
            "The operator's paths need the admin token. Send it as `Authorization: Bearer TOKEN`.",
        ));
    };
    // Digests of equal length are compared, so that timing tells nothing about the token.
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    let sent = sent.trim();
    if sent.len() <= MAX_BYTES && digest(sent) == digest(token.expose_secret()) {
        Ok(Admin)
    } else {
        Err(ApiError::unauthorized("Incorrect admin token provided."))
    }
}

impl<'a> ApiExtractor<'a> for Admin {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = MetaSecurityScheme {
            ty: "http",
            description: Some("The operator's token, `server.admin_token`."),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme("AdminToken", scheme);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec!["AdminToken"]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        let state = request.data::<AppState>().ok_or_else(ApiError::internal)?;
        Ok(check(request, state.admin_token.as_deref())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(sent: &[(&str, &str)], token: Option<&str>) -> Option<String> {
        let mut request = Request::builder();
        for (name, value) in sent {
            request = request.header(*name, *value);
        }
        let token = token.map(SecretString::from);
        check(&request.finish(), token.as_ref()).err().map(|error| error.body.message)
    }

    #[test]
    fn without_a_token_the_paths_are_closed_whatever_is_sent() {
        for sent in ["", "Bearer ", "Bearer canary-canary-12"] {
            let told = told(&[("authorization", sent)], None).unwrap_or_default();
            assert!(told.contains("GROK2API_SERVER__ADMIN_TOKEN") && !told.contains("canary"), "{told}");
        }
    }

    #[test]
    fn only_the_token_itself_opens_them_and_only_as_a_bearer() {
        let token = Some("canary-canary-12");
        assert_eq!(told(&[("authorization", "bearer canary-canary-12")], token), None);
        for sent in [
            ("authorization", "Bearer canary-canary-1"),
            ("authorization", "Bearer canary-canary-12x"),
            ("authorization", "Basic canary-canary-12"),
            ("authorization", "canary-canary-12"),
            ("x-api-key", "canary-canary-12"),
        ] {
            assert!(told(&[sent], token).is_some(), "{sent:?}");
        }
    }
}
