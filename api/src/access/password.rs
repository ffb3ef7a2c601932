//! Passwords: hashed with Argon2id, two at a time, beside the threads that answer (A4).

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

/// Shortest password, in characters (A2).
pub(crate) const MIN_CHARS: usize = 12;
/// Longest password, in bytes.
pub(crate) const MAX_BYTES: usize = 256;
/// KiB of memory, passes, and lanes of one hash.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);
/// Longest wait for one of the two places.
const PATIENCE: Duration = Duration::from_secs(5);

static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(2)));
/// The hash of a password that nobody has.
static NOBODYS: LazyLock<Option<String>> = LazyLock::new(|| hash_now(b"").ok());

/// Why a password was not hashed or compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Others are before it, for longer than it waits.
    #[error("too many passwords are being checked")]
    Busy,
    /// The system gives no random numbers or no memory, or the stored hash is damaged.
    #[error("the password cannot be hashed")]
    Failed,
}

/// Why a password is not fit to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Below twelve characters.
    #[error("the password has fewer than 12 characters")]
    Short,
    /// Above 256 bytes.
    #[error("the password has more than 256 bytes")]
    Long,
    /// One character over and over, or the name to log in with.
    #[error("the password is too easy to guess")]
    Guessable,
}

/// Whether a password is fit for somebody of that name.
///
/// # Errors
/// It is not.
pub(crate) fn check(password: &SecretString, name: &str) -> Result<(), Unfit> {
    let text = password.expose_secret();
    let mut letters = text.chars();
    let first = letters.next();
    if text.chars().count() < MIN_CHARS {
        Err(Unfit::Short)
    } else if text.len() > MAX_BYTES {
        Err(Unfit::Long)
    } else if letters.all(|letter| Some(letter) == first)
        || text.to_lowercase().replace(&name.to_lowercase(), "").len() < 4
    {
        Err(Unfit::Guessable)
    } else {
        Ok(())
    }
}

/// The password's hash: a PHC string.
///
/// # Errors
/// As [`PasswordError`].
pub(crate) async fn hash(password: SecretString) -> Result<String, PasswordError> {
    in_turn(move || hash_now(password.expose_secret().as_bytes())).await
}

/// Whether the password is that of the hash. Without a hash it is not, after the same time (A5).
///
/// # Errors
/// As [`PasswordError`].
pub(crate) async fn verify(password: SecretString, hash: Option<String>) -> Result<bool, PasswordError> {
    in_turn(move || {
        let is_somebodys = hash.is_some();
        let hash = hash.or_else(|| NOBODYS.clone()).ok_or(PasswordError::Failed)?;
        let hash = PasswordHash::new(&hash).map_err(|_| PasswordError::Failed)?;
        let fits = hasher()?.verify_password(password.expose_secret().as_bytes(), &hash).is_ok();
        Ok(fits && is_somebodys)
    })
    .await
}

async fn in_turn<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
) -> Result<T, PasswordError> {
    let place = tokio::time::timeout(PATIENCE, Arc::clone(&PLACES).acquire_owned()).await;
    let place = place.ok().and_then(Result::ok).ok_or(PasswordError::Busy)?;
    let worked = tokio::task::spawn_blocking(move || {
        // Kept by the work itself: who asked may be gone before it is done.
        let _place = place;
        work()
    });
    worked.await.map_err(|_| PasswordError::Failed)?
}

fn hash_now(password: &[u8]) -> Result<String, PasswordError> {
    let hash = hasher()?.hash_password(password).map_err(|_| PasswordError::Failed)?;
    Ok(hash.to_string())
}

fn hasher() -> Result<Argon2<'static>, PasswordError> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).map_err(|_| PasswordError::Failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[tokio::test]
    async fn a4_a_hash_is_argon2id_of_19_mib_and_two_passes_and_knows_its_password() {
        let hashed = hash(secret("correct horse battery")).await.unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert!(verify(secret("correct horse battery"), Some(hashed.clone())).await.unwrap());
        assert!(!verify(secret("correct horse batterz"), Some(hashed)).await.unwrap());
    }

    #[tokio::test]
    async fn a5_nobodys_password_is_hashed_too_and_never_right() {
        assert!(!verify(secret(""), None).await.unwrap());
        assert!(NOBODYS.is_some());
    }

    #[test]
    fn a2_short_and_guessable_passwords_are_refused() {
        for (password, fault) in [
            ("", Unfit::Short),
            ("admin", Unfit::Short),
            ("elevenchars", Unfit::Short),
            ("aaaaaaaaaaaaaaa", Unfit::Guessable),
            ("AdminAdmin123", Unfit::Guessable),
            (&"x1".repeat(129), Unfit::Long),
        ] {
            assert_eq!(check(&secret(password), "admin"), Err(fault), "{password}");
        }
        assert_eq!(check(&secret("twelve chars"), "admin"), Ok(()));
        assert_eq!(check(&secret("密码密码密码密码密码密码"), "admin"), Ok(()));
    }
}
