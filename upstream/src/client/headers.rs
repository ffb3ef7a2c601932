//! The headers of a call: what never changes is put together once, the rest for each attempt.

use grok2api_config::{GrokSettings, UpstreamConfig};
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, ORIGIN, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::endpoints::BuildError;
use crate::credential::is_cookie_value;
use crate::error::{AccountEffect, ErrorKind, UpstreamError};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-xai-request-id");
const STATSIG_ID: HeaderName = HeaderName::from_static("x-statsig-id");

/// Codings that [`super::inflate`] reads.
const CODINGS: &str = "gzip, br, zstd";

/// Headers that an operator may not set: they belong to the connection, to the account, or promise what we cannot read.
const OURS: [HeaderName; 9] =
    [ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// The headers that all calls share.
#[derive(Clone)]
pub(super) struct Headers {
    base: HeaderMap,
    fixed_request_id: bool,
    fixed_statsig_id: bool,
}

impl Headers {
    /// Puts together what never changes, the operator's own headers over ours.
    pub(super) fn new(config: &UpstreamConfig, origin: &HeaderValue) -> Result<Self, BuildError> {
        let mut base = HeaderMap::with_capacity(16);
        base.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        base.insert(ACCEPT, HeaderValue::from_static("*/*"));
        base.insert(ACCEPT_ENCODING, HeaderValue::from_static(CODINGS));
        base.insert(ORIGIN, origin.clone());
        base.insert(USER_AGENT, value("user-agent", &config.user_agent)?);
        for (name, text) in &config.extra_headers {
            let parsed = HeaderName::try_from(name.as_str())
                .map_err(|_| BuildError::Header { name: name.clone(), reason: "is not a header name" })?;
            if OURS.contains(&parsed) {
                return Err(BuildError::Header { name: name.clone(), reason: "is set by the gateway itself" });
            }
            let mut value = value(name, text)?;
            // What operators pass through is often a secret of theirs.
            value.set_sensitive(true);
            base.insert(parsed, value);
        }
        let fixed_request_id = base.contains_key(REQUEST_ID);
        let fixed_statsig_id = base.contains_key(STATSIG_ID);
        Ok(Self { base, fixed_request_id, fixed_statsig_id })
    }

    /// All headers of one attempt.
    pub(super) fn for_attempt(
        &self,
        credential: &SecretString,
        settings: &GrokSettings,
    ) -> Result<HeaderMap, UpstreamError> {
        let mut headers = self.base.clone();
        headers.insert(COOKIE, cookie(credential, &settings.cf_clearance)?);
        if !self.fixed_request_id {
            let mut buffer = Uuid::encode_buffer();
            let id = Uuid::new_v4().hyphenated().encode_lower(&mut buffer);
            if let Ok(value) = HeaderValue::from_str(id) {
                headers.insert(REQUEST_ID, value);
            }
        }
        let statsig_id = settings.x_statsig_id.expose_secret();
        if !self.fixed_statsig_id && !statsig_id.is_empty() {
            let mut value = HeaderValue::from_str(statsig_id).map_err(|_| {
                UpstreamError::new(ErrorKind::Blocked, "the setting grok.x_statsig_id cannot be sent as a header")
            })?;
            value.set_sensitive(true);
            headers.insert(STATSIG_ID, value);
        }
        Ok(headers)
    }
}

/// The `Cookie` header, order and separators as the seed wrote them.
fn cookie(credential: &SecretString, clearance: &SecretString) -> Result<HeaderValue, UpstreamError> {
    let token = credential.expose_secret();
    if token.is_empty() || !is_cookie_value(token) {
        let mut error = UpstreamError::new(ErrorKind::AccountInvalid, "the account's credential cannot be sent");
        error.account = AccountEffect::InvalidNow;
        return Err(error);
    }
    let clearance = clearance.expose_secret();
    let clearance = clearance.strip_prefix("cf_clearance=").unwrap_or(clearance);
    if !is_cookie_value(clearance) {
        return Err(UpstreamError::new(ErrorKind::Blocked, "the setting grok.cf_clearance cannot be sent as a cookie"));
    }
    let mut text = String::with_capacity(2 * token.len() + clearance.len() + 32);
    for part in ["sso-rw=", token, ";sso=", token] {
        text.push_str(part);
    }
    if !clearance.is_empty() {
        text.push_str(";cf_clearance=");
        text.push_str(clearance);
    }
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| UpstreamError::new(ErrorKind::AccountInvalid, "the account's credential cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn value(name: &str, text: &str) -> Result<HeaderValue, BuildError> {
    HeaderValue::from_str(text)
        .map_err(|_| BuildError::Header { name: name.to_owned(), reason: "has a value that cannot be sent" })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use std::collections::BTreeMap;

    fn headers(extra: &[(&str, &str)]) -> Result<Headers, BuildError> {
        let extra_headers: BTreeMap<_, _> =
            extra.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect();
        let config = UpstreamConfig { extra_headers, ..UpstreamConfig::default() };
        Headers::new(&config, &HeaderValue::from_static("https://grok.com"))
    }

    fn settings(clearance: &str, statsig_id: &str) -> GrokSettings {
        GrokSettings { cf_clearance: clearance.into(), x_statsig_id: statsig_id.into(), ..GrokSettings::default() }
    }

    fn attempt(settings: &GrokSettings) -> HeaderMap {
        headers(&[]).unwrap().for_attempt(&"tok".into(), settings).unwrap()
    }

    #[test]
    fn the_cookie_is_written_as_the_seed_wrote_it() {
        assert_eq!(attempt(&settings("", ""))[COOKIE], "sso-rw=tok;sso=tok");
        assert_eq!(attempt(&settings("clear", ""))[COOKIE], "sso-rw=tok;sso=tok;cf_clearance=clear");
        assert_eq!(attempt(&settings("cf_clearance=clear", ""))[COOKIE], "sso-rw=tok;sso=tok;cf_clearance=clear");
    }

    #[test]
    fn only_what_is_set_is_passed_through() {
        let sent = attempt(&settings("", ""));
        assert!(!sent.contains_key(STATSIG_ID));
        let mut names: Vec<_> = sent.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let all = ["accept", "accept-encoding", "content-type", "cookie", "origin", "user-agent", "x-xai-request-id"];
        assert_eq!(names, all);
        assert_eq!(attempt(&settings("", "sid"))[STATSIG_ID], "sid");
        assert_eq!(sent[ACCEPT_ENCODING], "gzip, br, zstd");
        assert_eq!(sent[ORIGIN], "https://grok.com");
    }

    #[test]
    fn each_attempt_has_an_id_of_its_own_unless_the_operator_fixed_it() {
        let one = attempt(&settings("", ""));
        assert_ne!(one[REQUEST_ID], attempt(&settings("", ""))[REQUEST_ID]);
        assert!(Uuid::parse_str(one[REQUEST_ID].to_str().unwrap()).is_ok());
        let fixed = headers(&[("x-xai-request-id", "mine"), ("x-statsig-id", "ours"), ("origin", "https://o.example")])
            .unwrap();
        let sent = fixed.for_attempt(&"tok".into(), &settings("", "sid")).unwrap();
        assert_eq!(sent[REQUEST_ID], "mine");
        assert_eq!(sent[STATSIG_ID], "ours");
        assert_eq!(sent[ORIGIN], "https://o.example");
    }

    #[test]
    fn c5_secrets_are_marked_and_stay_out_of_debug_output_and_errors() {
        let sent = headers(&[("x-own", "canary-extra")]).unwrap();
        let sent = sent.for_attempt(&"canary-token".into(), &settings("canary-clearance", "canary-statsig")).unwrap();
        assert!(sent[COOKIE].is_sensitive());
        assert!(!format!("{sent:?}").contains("canary"));
        let shared = headers(&[]).unwrap();
        for token in ["canary token", "canary;x=y", "canary\r\nx: y", "canaryü", ""] {
            let error = shared.for_attempt(&token.into(), &settings("", "")).unwrap_err();
            assert_eq!((error.kind, error.account), (ErrorKind::AccountInvalid, AccountEffect::InvalidNow));
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
        for bad in [settings("canary;sso=x", ""), settings("", "canary\n")] {
            let error = shared.for_attempt(&"tok".into(), &bad).unwrap_err();
            assert_eq!((error.kind, error.account), (ErrorKind::Blocked, AccountEffect::None));
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
    }

    #[test]
    fn c7_the_account_and_the_connection_are_not_the_operators_to_set() {
        for name in ["cookie", "Cookie", "host", "content-length", "transfer-encoding", "accept-encoding", "a b"] {
            assert!(headers(&[(name, "x")]).is_err(), "{name}");
        }
        let error = headers(&[("x-own", "canary\u{1}")]).err().unwrap();
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}
