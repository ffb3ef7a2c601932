//! A master key and what is derived from it.

use std::collections::BTreeSet;
use std::fmt;

use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::VaultError;
use crate::secret::hex;

/// Shortest master key, in bytes.
const MIN_BYTES: usize = 32;
/// Fewest different bytes in a master key.
const MIN_DISTINCT: usize = 10;
/// Words that only examples contain, in lower case.
const EXAMPLE_WORDS: &[&str] = &[
    "changeme",
    "change-me",
    "change_me",
    "example",
    "replace",
    "your-",
    "your_",
    "yoursecret",
    "password",
    "xxxx",
    "0123456789abcdef",
];

/// A master key as the subkeys derived from it, one for each purpose (C2).
pub(super) struct MasterKey {
    id: String,
    cipher: XChaCha20Poly1305,
    fingerprint: Zeroizing<[u8; 64]>,
}

impl MasterKey {
    /// Derives the subkeys; `origin` names the key in errors.
    pub(super) fn new(key: &SecretString, origin: &str) -> Result<Self, VaultError> {
        let text = key.expose_secret().trim();
        if is_weak(text) {
            return Err(VaultError::WeakKey { key: origin.to_owned() });
        }
        let derive = Hkdf::<Sha256>::new(None, text.as_bytes());
        let cipher_key = subkey::<32>(&derive, b"grok2api/v1/seal");
        Ok(Self {
            id: hex(&subkey::<32>(&derive, b"grok2api/v1/key-id")[..4]),
            cipher: XChaCha20Poly1305::new((&*cipher_key).into()),
            fingerprint: subkey(&derive, b"grok2api/v1/fingerprint"),
        })
    }

    /// 8 hexadecimal characters that tell keys apart.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn cipher(&self) -> &XChaCha20Poly1305 {
        &self.cipher
    }

    /// HMAC-SHA-256 of `secret`, in hexadecimal.
    pub(super) fn fingerprint(&self, secret: &[u8]) -> String {
        let mut mac = <Hmac<Sha256> as KeyInit>::new((&*self.fingerprint).into());
        mac.update(secret);
        hex(&mac.finalize().into_bytes())
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("id", &self.id).finish_non_exhaustive()
    }
}

fn subkey<const N: usize>(derive: &Hkdf<Sha256>, label: &[u8]) -> Zeroizing<[u8; N]> {
    let mut key = Zeroizing::new([0_u8; N]);
    match derive.expand(label, key.as_mut_slice()) {
        Ok(()) => key,
        Err(hkdf::InvalidLength) => unreachable!("{N} bytes are within HKDF's limit of 8160"),
    }
}

fn is_weak(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    key.len() < MIN_BYTES
        || key.bytes().collect::<BTreeSet<u8>>().len() < MIN_DISTINCT
        || EXAMPLE_WORDS.iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c2_short_and_example_keys_are_refused() {
        for weak in [
            "",
            "short",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "changeme-changeme-changeme-12345678",
            "your-very-long-random-secret-key-goes-here",
            "0123456789abcdef0123456789abcdef",
        ] {
            assert!(is_weak(weak), "{weak}");
        }
        assert!(!is_weak("4d2f0c7b9a1e8356d0f1c2b3a4958677"));
        assert!(!is_weak("q8Jf0Zr3pXv7LkTn5WcYb2Hd9MsEa4GuRi6"));
    }
}
