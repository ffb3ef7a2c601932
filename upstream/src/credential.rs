//! The pasted secret of an account, brought into the one form that may stand in a cookie.

use secrecy::SecretString;

/// Longest credential we take, in bytes. Browsers refuse longer cookies.
const MAX_BYTES: usize = 4096;

/// Why a pasted text cannot be a credential. Never holds the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Nothing is left after trimming.
    #[error("the token is empty")]
    Empty,
    /// Longer than a cookie can be.
    #[error("the token is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// Holds a character that cannot stand in a cookie value.
    #[error("the token contains a space, a comma, a semicolon or another character that no cookie can hold")]
    ForbiddenCharacter,
}

/// Takes the bare token out of what a person pasted.
///
/// Accepts the bare value, `sso=<value>`, a whole cookie string, and any of them in quotes or between spaces
/// (protocol page "grok-web" §2).
///
/// # Errors
///
/// [`CredentialError`] when the rest is empty, too long, or holds control characters, spaces, `;`, `,` or anything
/// outside ASCII.
pub fn normalize_token(pasted: &str) -> Result<SecretString, CredentialError> {
    let bare = strip_quotes(pasted);
    let value = match cookie_value(bare, "sso=").or_else(|| cookie_value(bare, "sso-rw=")) {
        Some(found) => strip_quotes(found),
        None => bare,
    };
    if value.is_empty() {
        return Err(CredentialError::Empty);
    }
    if value.len() > MAX_BYTES {
        return Err(CredentialError::TooLong);
    }
    if !is_cookie_value(value) {
        return Err(CredentialError::ForbiddenCharacter);
    }
    Ok(SecretString::from(value))
}

/// Whether the text can be written into a cookie without changing what the cookie header says.
pub(crate) fn is_cookie_value(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';' && byte != b',')
}

/// What stands between `name=` and the next `;`. The name must not be the tail of a longer one.
fn cookie_value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let start = text.match_indices(name).map(|(at, _)| at).find(|&at| {
        !text[..at].ends_with(|before: char| before.is_ascii_alphanumeric() || before == '_' || before == '-')
    })?;
    text[start + name.len()..].split(';').next()
}

fn strip_quotes(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '\u{feff}' | '\u{201c}' | '\u{201d}')
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use secrecy::ExposeSecret;

    #[track_caller]
    fn taken(pasted: &str, expected: &str) {
        assert_eq!(normalize_token(pasted).unwrap().expose_secret(), expected, "{pasted:?}");
    }

    #[test]
    fn every_usual_way_of_pasting_gives_the_bare_value() {
        taken("eyJ0.eyJz.c2ln", "eyJ0.eyJz.c2ln");
        taken("  eyJ0.eyJz.c2ln\r\n", "eyJ0.eyJz.c2ln");
        taken("sso=abc", "abc");
        taken("sso = abc".replace(" = ", "=").as_str(), "abc");
        taken("\"sso=abc\"", "abc");
        taken("sso=\"abc\";", "abc");
        taken("'abc'", "abc");
        taken("\u{201c}abc\u{201d}", "abc");
        taken("\u{feff}abc", "abc");
        taken("Cookie: sso-rw=one; sso=two; cf_clearance=three", "two");
        taken("sso-rw=one;sso=two", "two");
        taken("sso-rw=one", "one");
        taken("theme=dark; sso=two ; x=1", "two");
        taken("alpha.fault-429:7", "alpha.fault-429:7");
    }

    #[test]
    fn what_could_forge_a_cookie_or_a_header_is_refused() {
        for pasted in ["a b", "a,b", "a;b", "a\r\nX: y", "a\0b", "a\tb", "ключ", "notsso=1; b", "sso=a b;c"] {
            assert_eq!(normalize_token(pasted).unwrap_err(), CredentialError::ForbiddenCharacter, "{pasted:?}");
        }
        for pasted in ["", "   ", "sso=", "sso=;x=1", "\"\""] {
            assert_eq!(normalize_token(pasted).unwrap_err(), CredentialError::Empty, "{pasted:?}");
        }
        assert_eq!(normalize_token(&"a".repeat(4097)).unwrap_err(), CredentialError::TooLong);
    }

    #[test]
    fn c5_neither_the_value_nor_the_error_shows_the_secret() {
        let kept = normalize_token("sso=canary-7").unwrap();
        assert!(!format!("{kept:?}").contains("canary"));
        let refused = normalize_token("canary 8").unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("canary"));
    }
}
