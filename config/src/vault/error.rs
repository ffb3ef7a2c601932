//! Why a secret cannot be sealed or opened, or a master key not be used.

use std::path::PathBuf;

/// Why a secret cannot be sealed or opened, or a master key not be used. Never holds a key or a secret.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The key is too weak.
    #[error(
        "{key} is too weak: give at least 32 random characters, for example from `openssl rand -base64 32`, \
         or none, and a key file is made in the data directory"
    )]
    WeakKey {
        /// `secret_key`, `secret_keys_old`, or the key file.
        key: String,
    },
    /// The key file cannot be read or written.
    #[error("cannot {action} {}: check that the directory belongs to the user who runs this program", .path.display())]
    KeyFile {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The stored secrets were sealed with another key (F56).
    #[error(
        "the stored secrets were sealed with key {theirs}, but the key given is {ours}: restore the former key as \
         GROK2API_SECRET_KEY or as secret.key in the data directory, or add it to secret_keys_old"
    )]
    WrongKey {
        /// Id of the key we have.
        ours: String,
        /// Id of the key that is needed.
        theirs: String,
    },
    /// There are stored secrets, but no key at all (F56).
    #[error(
        "there are stored secrets but no master key: restore {}, or give the former key as GROK2API_SECRET_KEY",
        .path.display()
    )]
    MissingKey {
        /// Where the key file would be.
        path: PathBuf,
    },
    /// The blob was sealed with a key we do not have.
    #[error("sealed with key {key_id}, which is not among the keys given: add it to secret_keys_old")]
    UnknownKey {
        /// Id of the key that is needed.
        key_id: String,
    },
    /// The text is no sealed secret.
    #[error("not a sealed secret, or cut off")]
    Malformed,
    /// The blob was changed, or belongs to another place.
    #[error("the sealed secret was changed or belongs to another row")]
    Refused,
    /// The system gave no random bytes.
    #[error("the system gives no random numbers")]
    NoRandom(#[source] getrandom::Error),
}
