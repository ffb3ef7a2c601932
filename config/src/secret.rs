//! How secrets look to people: as good as not at all.

use secrecy::{ExposeSecret, SecretString};

/// What stands in place of a secret; a form that posts it back means "unchanged".
pub const MASK: &str = "********";

/// Shortest secret whose end is shown: below that four characters would tell too much.
const MIN_BYTES_TO_HINT: usize = 16;

/// The last four characters of a long secret; empty for a short one (C4).
pub fn hint(secret: &str) -> &str {
    let shown = secret.char_indices().rev().nth(3).map_or(secret, |(start, _)| &secret[start..]);
    if secret.len() >= MIN_BYTES_TO_HINT { shown } else { "" }
}

/// A secret as it may be shown: empty when it is not set, else the mask and the [`hint`].
pub fn redact(secret: &SecretString) -> String {
    redact_text(secret.expose_secret())
}

pub(crate) fn redact_text(secret: &str) -> String {
    if secret.is_empty() { String::new() } else { format!("{MASK}{}", hint(secret)) }
}

/// Bytes in hexadecimal, lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c4_at_most_the_last_four_characters_are_shown() {
        assert_eq!(redact(&SecretString::from("0123456789abcdef")), "********cdef");
        assert_eq!(redact(&SecretString::from("0123456789abcde")), "********");
        assert_eq!(redact(&SecretString::from("0123456789äöüß")), "********äöüß");
        assert_eq!(redact(&SecretString::from("")), "");
    }
}
