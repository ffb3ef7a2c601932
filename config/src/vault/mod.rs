//! Sealing of stored secrets with a master key that is never stored beside them (C1–C3, C9).

mod error;
mod key_file;
mod master_key;
mod seal;

use secrecy::SecretString;
use zeroize::Zeroizing;

pub use error::VaultError;
use master_key::MasterKey;

use crate::StartUp;

/// Where the check value stands; its own place is part of what is sealed.
const CHECK_PLACE: [&str; 3] = ["meta", "vault_check", "value"];
const CHECK_TEXT: &[u8] = b"grok2api";

/// Seals secrets before they are stored and opens them again.
///
/// A blob is bound to the table, row and column it was made for: moved elsewhere it does not open.
#[derive(Debug)]
pub struct Vault {
    current: MasterKey,
    former: Vec<MasterKey>,
}

impl Vault {
    /// The vault of these keys; new blobs are sealed with `current`, old ones open with any.
    ///
    /// # Errors
    /// When a key is too short or an example.
    pub fn new(current: &SecretString, former: &[SecretString]) -> Result<Self, VaultError> {
        let former = former.iter().map(|key| MasterKey::new(key, "secret_keys_old")).collect::<Result<_, _>>()?;
        Ok(Self { current: MasterKey::new(current, "secret_key")?, former })
    }

    /// The vault of the configured key or of the file `secret.key`; `None` when there is neither.
    ///
    /// # Errors
    /// When the file cannot be read, or a key is too short or an example.
    pub fn load(startup: &StartUp) -> Result<Option<Self>, VaultError> {
        let key = match &startup.secret_key {
            Some(key) => Some(key.clone()),
            None => key_file::read(&startup.data_dir)?,
        };
        key.map(|key| Self::new(&key, &startup.secret_keys_old)).transpose()
    }

    /// As [`Self::load`], but makes the file (and `data_dir`) when there is no key yet.
    ///
    /// Only for a place where nothing is sealed yet: a new key opens nothing.
    ///
    /// # Errors
    /// As [`Self::load`], and when the file cannot be written.
    pub fn load_or_create(startup: &StartUp) -> Result<Self, VaultError> {
        match Self::load(startup)? {
            Some(vault) => Ok(vault),
            None => Self::new(&key_file::create(&startup.data_dir)?, &startup.secret_keys_old),
        }
    }

    /// Seals `plain` for one place: `v1:`, the key's id, and base64 of nonce and cipher text.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn seal(&self, table: &str, row: &str, column: &str, plain: &[u8]) -> Result<String, VaultError> {
        seal::seal(&self.current, [table, row, column], plain)
    }

    /// Opens what [`Self::seal`] made for the same place.
    ///
    /// # Errors
    /// When the blob is damaged, from another place, or sealed with a key we do not have. Says nothing about the
    /// row's worth: a caller must not overwrite or disable it for that (C9).
    pub fn open(&self, table: &str, row: &str, column: &str, blob: &str) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let sealed = seal::Sealed::parse(blob)?;
        let key = self.keys().find(|key| key.id() == sealed.key_id);
        let key = key.ok_or_else(|| VaultError::UnknownKey { key_id: sealed.key_id.to_owned() })?;
        sealed.open(key, [table, row, column])
    }

    /// Whether `blob` is sealed with the current key, so that a rotation has nothing to do with it.
    pub fn is_current(&self, blob: &str) -> bool {
        seal::Sealed::parse(blob).is_ok_and(|sealed| sealed.key_id == self.current.id())
    }

    /// A keyed hash that recognises a secret without telling it: 64 hexadecimal characters.
    pub fn fingerprint(&self, secret: &[u8]) -> String {
        self.current.fingerprint(secret)
    }

    /// The fingerprints of a secret under every live key, the current one first: rows older than a rotation keep theirs.
    pub fn fingerprints(&self, secret: &[u8]) -> Vec<String> {
        self.keys().map(|key| key.fingerprint(secret)).collect()
    }

    /// The fingerprint of a secret under the oldest live key: it stays the same when the master key is changed, for as
    /// long as the former one is listed.
    pub fn lasting_fingerprint(&self, secret: &[u8]) -> String {
        self.former.last().unwrap_or(&self.current).fingerprint(secret)
    }

    /// The id of the current key: 8 hexadecimal characters, no secret.
    pub fn key_id(&self) -> &str {
        self.current.id()
    }

    /// A value to store once, by which a later start finds out whether it has the right key.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn check_value(&self) -> Result<String, VaultError> {
        let [table, row, column] = CHECK_PLACE;
        self.seal(table, row, column, CHECK_TEXT)
    }

    /// Compares with a stored [`Self::check_value`] (F56).
    ///
    /// # Errors
    /// [`VaultError::WrongKey`] when the stored secrets were sealed with another key.
    pub fn verify(&self, check_value: &str) -> Result<(), VaultError> {
        let [table, row, column] = CHECK_PLACE;
        match self.open(table, row, column, check_value) {
            Ok(_) => Ok(()),
            Err(VaultError::UnknownKey { key_id }) => {
                Err(VaultError::WrongKey { ours: self.key_id().to_owned(), theirs: key_id })
            }
            Err(other) => Err(other),
        }
    }

    fn keys(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.current).chain(&self.former)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    const OLD: &str = "Zm9vYmFyYmF6cXV4LW9sZC1rZXktMTIzNDU2Nzg5MA";
    const NEW: &str = "bmV3LWtleS0wOTg3NjU0MzIxLXF1eC1iYXotYmFyIQ";

    fn vault(current: &str, former: &[&str]) -> Vault {
        let former: Vec<SecretString> = former.iter().map(|key| SecretString::from(*key)).collect();
        Vault::new(&SecretString::from(current), &former).unwrap()
    }

    #[test]
    fn c1_a_blob_opens_only_in_its_own_place() {
        let vault = vault(OLD, &[]);
        let blob = vault.seal("account", "1", "secret", b"canary").unwrap();
        assert!(blob.starts_with(&format!("v1:{}:", vault.key_id())) && !blob.contains("canary"));
        assert_eq!(vault.open("account", "1", "secret", &blob).unwrap().as_slice(), b"canary");
        for [table, row, column] in [
            ["setting", "1", "secret"],
            ["account", "2", "secret"],
            ["account", "1", "note"],
            ["accoun", "t1", "secret"],
        ] {
            assert!(matches!(vault.open(table, row, column, &blob), Err(VaultError::Refused)));
        }
    }

    #[test]
    fn c1_the_same_secret_is_never_sealed_alike_and_damage_is_noticed() {
        let vault = vault(OLD, &[]);
        let blob = vault.seal("t", "r", "c", b"secret").unwrap();
        assert_ne!(blob, vault.seal("t", "r", "c", b"secret").unwrap());
        for cut in 0..blob.len() {
            assert!(vault.open("t", "r", "c", &blob[..cut]).is_err(), "{cut}");
        }
        for wrong in ["", "v2:00000000:AAAA", "v1:", "v1:0:!", "secret"] {
            assert!(matches!(vault.open("t", "r", "c", wrong), Err(VaultError::Malformed)), "{wrong}");
        }
    }

    #[test]
    fn f56_a_wrong_key_is_refused_with_both_ids() {
        let check = vault(OLD, &[]).check_value().unwrap();
        assert!(vault(OLD, &[]).verify(&check).is_ok());
        let error = vault(NEW, &[]).verify(&check).unwrap_err();
        assert!(matches!(&error, VaultError::WrongKey { ours, theirs } if ours != theirs));
        assert!(error.to_string().contains("secret_keys_old"));
    }

    #[test]
    fn c3_after_a_rotation_both_keys_are_readable_and_new_blobs_use_the_new_one() {
        let before = vault(OLD, &[]);
        let blob = before.seal("t", "r", "c", b"secret").unwrap();
        let after = vault(NEW, &[OLD]);
        assert_eq!(after.open("t", "r", "c", &blob).unwrap().as_slice(), b"secret");
        assert!(after.verify(&before.check_value().unwrap()).is_ok());
        assert!(!after.is_current(&blob));
        assert!(after.is_current(&after.seal("t", "r", "c", b"secret").unwrap()));
        assert_eq!(after.fingerprints(b"x"), [vault(NEW, &[]).fingerprint(b"x"), before.fingerprint(b"x")]);
        assert_eq!(after.lasting_fingerprint(b"x"), before.lasting_fingerprint(b"x"));
        assert_ne!(after.lasting_fingerprint(b"x"), vault(NEW, &[]).lasting_fingerprint(b"x"));
    }

    #[test]
    fn c2_subkeys_differ_and_fingerprints_are_stable() {
        let vault = vault(OLD, &[]);
        assert_eq!(vault.fingerprint(b"token"), vault.fingerprint(b"token"));
        assert_ne!(vault.fingerprint(b"token"), vault.fingerprint(b"token2"));
        assert_eq!(vault.fingerprint(b"token").len(), 64);
        assert!(!vault.fingerprint(b"token").starts_with(vault.key_id()));
    }

    #[test]
    fn c5_a_vault_shows_no_key() {
        let shown = format!("{:?}", vault(NEW, &[OLD]));
        assert!(!shown.contains(NEW) && !shown.contains(OLD) && shown.contains("MasterKey"));
    }
}
