//! Keys that clients send: made here, recognised by their form (K1).

use secrecy::SecretString;

/// Longest key that is looked at, in bytes (K6).
pub const MAX_KEY_BYTES: usize = 256;
/// Shortest key an operator may choose, in bytes.
pub const MIN_KEY_BYTES: usize = 8;

const PREFIX: &str = "g2a_";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 27 characters of 62 hold 160.7 random bits.
const RANDOM_CHARS: usize = 27;
/// 6 characters of 62 hold any CRC-32.
const CHECK_CHARS: usize = 6;

/// What a key looks like; says nothing about whether it is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// Made by [`generate`].
    Ours,
    /// Begins like one of ours, but a character is wrong or missing.
    Damaged,
    /// Chosen by an operator.
    Chosen,
}

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandom(#[source] getrandom::Error);

/// A new key: `g2a_`, 160 random bits and a check sum, 37 characters in all.
///
/// # Errors
/// When the system gives no random numbers.
pub fn generate() -> Result<SecretString, NoRandom> {
    let mut key = String::with_capacity(PREFIX.len() + RANDOM_CHARS + CHECK_CHARS);
    key.push_str(PREFIX);
    let mut pool = [0_u8; 64];
    while key.len() < PREFIX.len() + RANDOM_CHARS {
        getrandom::fill(&mut pool).map_err(NoRandom)?;
        // 248 is the largest multiple of 62 a byte can hold: what lies above would favour some characters.
        for byte in pool.iter().filter(|byte| **byte < 248) {
            if key.len() < PREFIX.len() + RANDOM_CHARS {
                key.push(char::from(ALPHABET[usize::from(byte % 62)]));
            }
        }
    }
    key.push_str(&check_sum(&key));
    Ok(SecretString::from(key))
}

/// What `key` looks like, so that a slip can be told from a wrong key without a look at the stored ones.
pub fn form(key: &str) -> KeyForm {
    if !key.starts_with(PREFIX) {
        return KeyForm::Chosen;
    }
    let whole = key.is_ascii() && key.len() == PREFIX.len() + RANDOM_CHARS + CHECK_CHARS;
    match key.split_at_checked(PREFIX.len() + RANDOM_CHARS) {
        Some((body, sum)) if whole && check_sum(body) == sum => KeyForm::Ours,
        Some(_) | None => KeyForm::Damaged,
    }
}

fn check_sum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = [b'0'; CHECK_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::collections::BTreeSet;

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn k1_a_key_has_a_prefix_160_random_bits_and_a_check_sum() {
        let keys: BTreeSet<String> = (0..200).map(|_| generate().unwrap().expose_secret().to_owned()).collect();
        assert_eq!(keys.len(), 200);
        for key in keys {
            assert_eq!(key.len(), 37);
            assert!(key.starts_with("g2a_") && key[4..].bytes().all(|byte| byte.is_ascii_alphanumeric()));
            assert_eq!(form(&key), KeyForm::Ours);
        }
    }

    #[test]
    fn k1_one_wrong_character_is_noticed() {
        let key = generate().unwrap().expose_secret().to_owned();
        for place in 4..key.len() {
            let mut damaged = key.clone().into_bytes();
            damaged[place] = if damaged[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(form(&String::from_utf8(damaged).unwrap()), KeyForm::Damaged);
        }
        assert_eq!(form(&key[..36]), KeyForm::Damaged);
        assert_eq!(form("g2a_"), KeyForm::Damaged);
        assert_eq!(form("g2a_ä2345678901234567890123456789012"), KeyForm::Damaged);
        assert_eq!(form("my own key"), KeyForm::Chosen);
    }
}
