//! Checks for texts that end up in HTTP headers.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::Value;

use super::Refusal;
use super::accept::text;
use crate::client_key::{MAX_KEY_BYTES, MIN_KEY_BYTES};

/// Longest value of a header we send.
const MAX_HEADER_BYTES: usize = 8192;

/// Shortest token of the operator.
const MIN_ADMIN_BYTES: usize = 16;
/// Shortest password of an administrator, in characters (A2).
const MIN_PASSWORD_CHARS: usize = 12;

/// Headers that we set ourselves and that would break a call if they were doubled.
const OWN_HEADERS: &[&str] = &[
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "transfer-encoding",
];

/// A bearer token: 8 to 256 visible ASCII characters, or empty for none.
pub(crate) fn client_key(value: &Value) -> Result<SecretString, Refusal> {
    let key = text(value)?.trim();
    let fits = (MIN_KEY_BYTES..=MAX_KEY_BYTES).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if fits || key.is_empty() {
        Ok(SecretString::from(key))
    } else {
        Err(Refusal::Expected("8 to 256 visible ASCII characters without blanks, or empty"))
    }
}

/// The operator's bearer token: 16 to 256 visible ASCII characters, or empty for none.
pub(crate) fn admin_token(value: &Value) -> Result<SecretString, Refusal> {
    let token = text(value)?.trim();
    let fits =
        (MIN_ADMIN_BYTES..=MAX_KEY_BYTES).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
    if fits || token.is_empty() {
        Ok(SecretString::from(token))
    } else {
        Err(Refusal::Expected("16 to 256 visible ASCII characters without blanks, or empty"))
    }
}

/// The name of an administrator.
pub(crate) fn admin_name(value: &Value) -> Result<String, Refusal> {
    let name = text(value)?.trim();
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'@'));
    if fits {
        Ok(name.to_owned())
    } else {
        Err(Refusal::Expected("1 to 64 letters, digits, dots, dashes, underscores and at signs"))
    }
}

/// The password of an administrator, or empty for none. Blanks at its ends belong to it, but for the end of a line.
pub(crate) fn admin_password(value: &Value) -> Result<SecretString, Refusal> {
    let password = text(value)?.trim_end_matches(['\r', '\n']);
    let fits = password.chars().count() >= MIN_PASSWORD_CHARS && password.len() <= MAX_KEY_BYTES;
    if fits || password.is_empty() {
        Ok(SecretString::from(password))
    } else {
        Err(Refusal::Expected("a password of at least 12 characters and at most 256 bytes, or empty"))
    }
}

/// The value of the cookie `name`; `name=` before it is taken off.
pub(crate) fn cookie_value(value: &Value, name: &str) -> Result<SecretString, Refusal> {
    let text = text(value)?.trim().trim_end_matches(';').trim_end();
    let bare = text.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')).unwrap_or(text);
    let fits = bare.len() <= MAX_HEADER_BYTES
        && bare.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b';' | b',' | b'"' | b'\\'));
    if fits { Ok(SecretString::from(bare)) } else { Err(Refusal::Expected("the value of one cookie, or empty")) }
}

/// A header's value that is a secret; empty for none.
pub(crate) fn header_value(value: &Value) -> Result<SecretString, Refusal> {
    let text = text(value)?.trim();
    if is_header_value(text) {
        Ok(SecretString::from(text))
    } else {
        Err(Refusal::Expected("visible ASCII characters"))
    }
}

/// A header's value that is shown; not empty.
pub(crate) fn header_text(value: &Value) -> Result<String, Refusal> {
    let text = text(value)?.trim();
    if is_header_value(text) && !text.is_empty() {
        Ok(text.to_owned())
    } else {
        Err(Refusal::Expected("visible ASCII characters"))
    }
}

/// Names and values of headers; names come out in lower case.
pub(crate) fn headers(value: &Value) -> Result<BTreeMap<String, String>, Refusal> {
    let refusal = Refusal::Expected(
        "a table of header names and texts, without cookie, authorization and other headers the gateway sets itself",
    );
    let entries = value.as_object().ok_or(refusal)?;
    let mut headers = BTreeMap::new();
    for (name, value) in entries {
        let name = name.to_ascii_lowercase();
        let text = value.as_str().map(str::trim).filter(|text| is_header_value(text)).ok_or(refusal)?;
        if !is_header_name(&name) || OWN_HEADERS.contains(&name.as_str()) {
            return Err(refusal);
        }
        headers.insert(name, text.to_owned());
    }
    Ok(headers)
}

fn is_header_value(text: &str) -> bool {
    text.len() <= MAX_HEADER_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cookie_comes_with_or_without_its_name() {
        for given in ["cf_clearance=abc.1-x", "abc.1-x", " cf_clearance=abc.1-x; "] {
            assert_eq!(cookie_value(&json!(given), "cf_clearance").unwrap().expose_secret(), "abc.1-x");
        }
        for bad in ["a; sso=other", "a\r\nx: y", "ü"] {
            assert!(cookie_value(&json!(bad), "cf_clearance").is_err(), "{bad}");
        }
    }

    #[test]
    fn k6_a_client_key_has_8_to_256_visible_characters() {
        assert!(client_key(&json!("12345678")).is_ok());
        assert_eq!(client_key(&json!("")).unwrap().expose_secret(), "");
        for bad in ["1234567".to_owned(), "x".repeat(257), "with blank inside".to_owned(), "schlüssel".to_owned()] {
            assert!(client_key(&json!(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn extra_headers_cannot_smuggle_a_second_credential() {
        assert_eq!(
            headers(&json!({"Accept-Language": "en"})).unwrap(),
            BTreeMap::from([("accept-language".to_owned(), "en".to_owned())])
        );
        for bad in [json!({"Cookie": "sso=x"}), json!({"x y": "1"}), json!({"x": "a\nb"}), json!({"x": 1}), json!("x")]
        {
            assert!(headers(&bad).is_err(), "{bad}");
        }
    }
}
