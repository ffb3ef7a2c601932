//! The form of a sealed secret: `v1:<key id>:<base64 of nonce and cipher text>`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{Aead, Payload};
use zeroize::Zeroizing;

use super::VaultError;
use super::master_key::MasterKey;

const VERSION: &str = "v1";
const NONCE_BYTES: usize = 24;

/// Seals `plain` for `place` (table, row, column) with a fresh random nonce.
pub(super) fn seal(key: &MasterKey, place: [&str; 3], plain: &[u8]) -> Result<String, VaultError> {
    use chacha20poly1305::aead::Error as TooLong;

    let mut nonce = [0_u8; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(VaultError::NoRandom)?;
    let payload = Payload { msg: plain, aad: &associated(place) };
    let cipher_text = key.cipher().encrypt(&XNonce::from(nonce), payload).map_err(|TooLong| VaultError::Refused)?;
    let body = [nonce.as_slice(), &cipher_text].concat();
    Ok(format!("{VERSION}:{}:{}", key.id(), URL_SAFE_NO_PAD.encode(body)))
}

/// A sealed secret taken apart.
pub(super) struct Sealed<'a> {
    /// Which key opens it.
    pub(super) key_id: &'a str,
    body: Vec<u8>,
}

impl<'a> Sealed<'a> {
    /// Takes `blob` apart without opening it.
    pub(super) fn parse(blob: &'a str) -> Result<Self, VaultError> {
        let mut parts = blob.splitn(3, ':');
        let (Some(VERSION), Some(key_id), Some(body)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VaultError::Malformed);
        };
        let body = URL_SAFE_NO_PAD.decode(body).map_err(|_| VaultError::Malformed)?;
        if body.len() < NONCE_BYTES { Err(VaultError::Malformed) } else { Ok(Self { key_id, body }) }
    }

    /// Opens it for `place`.
    pub(super) fn open(&self, key: &MasterKey, place: [&str; 3]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (nonce, cipher_text) = self.body.split_first_chunk::<NONCE_BYTES>().ok_or(VaultError::Malformed)?;
        let payload = Payload { msg: cipher_text, aad: &associated(place) };
        let plain = key.cipher().decrypt(&XNonce::from(*nonce), payload).map_err(|_| VaultError::Refused)?;
        Ok(Zeroizing::new(plain))
    }
}

/// The place as bytes; lengths keep `("ab", "c")` and `("a", "bc")` apart.
fn associated(place: [&str; 3]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in place {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}
