//! Tokens of sessions: what one looks like, and what is kept of it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grok2api_config::Vault;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

/// Random bytes of a token: 192 bits (A7).
const RANDOM: usize = 24;
/// Bytes by which a token is known to be one of ours, so that others cost no look into the database (A1).
const CHECK: usize = 8;
/// Characters of a token.
pub(crate) const CHARS: usize = 43;

/// A new token.
///
/// # Errors
/// The system gives no random numbers.
pub(crate) fn generate(vault: &Vault) -> Result<SecretString, getrandom::Error> {
    let mut bytes = [0_u8; RANDOM + CHECK];
    getrandom::fill(&mut bytes[..RANDOM])?;
    let check = check_bytes(vault, &bytes[..RANDOM]);
    bytes[RANDOM..].copy_from_slice(&check);
    Ok(SecretString::from(URL_SAFE_NO_PAD.encode(bytes)))
}

/// Whether the text is a token that was made here, at whatever time.
pub(crate) fn is_ours(vault: &Vault, text: &str) -> bool {
    if text.len() != CHARS {
        return false;
    }
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(text) else { return false };
    bytes.len() == RANDOM + CHECK && is_same(&bytes[RANDOM..], &check_bytes(vault, &bytes[..RANDOM]))
}

/// Whether both are the same. Digests of equal length are compared, so that timing tells nothing.
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    Sha256::digest(one) == Sha256::digest(other)
}

/// What is stored of a token, and looked for: 64 hexadecimal characters.
pub(crate) fn hash(vault: &Vault, token: &str) -> String {
    keyed(vault, "session", token.as_bytes())
}

/// What a browser must say besides its cookie when it changes something (B6).
pub(crate) fn csrf(vault: &Vault, token: &str) -> String {
    keyed(vault, "csrf", token.as_bytes())
}

/// A keyed hash for one use alone: 64 hexadecimal characters.
pub(crate) fn keyed(vault: &Vault, usage: &str, data: &[u8]) -> String {
    let mut text = Vec::with_capacity(usage.len() + 1 + data.len());
    text.extend_from_slice(usage.as_bytes());
    text.push(0);
    text.extend_from_slice(data);
    vault.lasting_fingerprint(&text)
}

fn check_bytes(vault: &Vault, random: &[u8]) -> [u8; CHECK] {
    let print = keyed(vault, "token", random);
    let mut bytes = [0; CHECK];
    for (byte, digits) in bytes.iter_mut().zip(print.as_bytes().chunks(2)) {
        *byte = std::str::from_utf8(digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok()).unwrap_or(0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a1_only_tokens_made_with_this_key_are_looked_up() {
        let vault = |key: &str| Vault::new(&SecretString::from(key), &[]).unwrap();
        let (ours, other) =
            (vault("q8Jf0Zr3pXv7LkTn5WcYb2Hd9MsEa4GuRi6"), vault("bmV3LWtleS0wOTg3NjU0MzIxLXF1eC1iYXotYmFyIQ"));
        let token = generate(&ours).unwrap();
        let token = token.expose_secret();
        assert_eq!(token.len(), CHARS);
        assert!(is_ours(&ours, token) && !is_ours(&other, token));
        let last = if token.ends_with('A') { "E" } else { "A" };
        for wrong in
            ["", "short", &"A".repeat(43), &format!("{}{last}", &token[..42]), &format!("{token}A"), &"é".repeat(22)]
        {
            assert!(!is_ours(&ours, wrong), "{wrong}");
        }
    }

    #[test]
    fn a7_what_is_stored_is_neither_the_token_nor_what_a_browser_says_besides() {
        let vault = Vault::new(&SecretString::from("q8Jf0Zr3pXv7LkTn5WcYb2Hd9MsEa4GuRi6"), &[]).unwrap();
        let token = generate(&vault).unwrap();
        let token = token.expose_secret();
        assert_eq!(hash(&vault, token).len(), 64);
        assert_ne!(hash(&vault, token), csrf(&vault, token));
    }
}
