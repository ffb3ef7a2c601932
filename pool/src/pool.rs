//! The pool as the rest of the house sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use grok2api_config::{SettingsHandle, Vault};
use secrecy::SecretString;
use tokio::time::Instant;

use crate::lease::Lease;
use crate::outcome::{Blame, Outcome};
use crate::state::{Policy, PoolState};
use crate::want::{Grant, ReserveError, Want};

/// Accounts, ready to be reserved.
pub struct Pool {
    state: Arc<dyn PoolState>,
    vault: Arc<Vault>,
    settings: SettingsHandle,
    waiting: AtomicUsize,
}

/// Why a reservation failed for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// No account can be had, also after waiting.
    #[error(transparent)]
    Reserve(#[from] ReserveError),
    /// Too many requests wait for an account already.
    #[error("too many requests are waiting for an account")]
    Overloaded,
    /// The account's secret cannot be opened with the keys at hand. The row is left as it is.
    #[error("the secret of account {account} cannot be opened")]
    Sealed {
        /// The account, for the log and for excluding it from the next try.
        account: crate::AccountId,
    },
}

impl Pool {
    /// A pool over `state`, whose secrets `vault` opens.
    pub fn new(state: Arc<dyn PoolState>, vault: Arc<Vault>, settings: SettingsHandle) -> Self {
        Self { state, vault, settings, waiting: AtomicUsize::new(0) }
    }

    /// The live state, for readings, tests and displays.
    pub fn state(&self) -> &Arc<dyn PoolState> {
        &self.state
    }

    /// The vault that opens this pool's secrets.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// Takes the best account for `want`, waiting a bounded time while all that fit are busy.
    ///
    /// # Errors
    /// [`PoolError`]: nothing has changed then.
    pub async fn reserve(&self, want: &Want<'_>) -> Result<Lease, PoolError> {
        let (policy, patience, max_waiting) = {
            let settings = self.settings.load();
            let pool = &settings.pool;
            (Policy::from(pool), Duration::from_millis(pool.wait_ms), pool.max_waiting)
        };
        match self.state.reserve(want, policy).await {
            Ok(grant) => self.open(grant),
            Err(ReserveError::Busy) if !patience.is_zero() => {
                let grant = self.wait_for(want, patience, max_waiting).await?;
                self.open(grant)
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    async fn wait_for(&self, want: &Want<'_>, patience: Duration, max_waiting: usize) -> Result<Grant, PoolError> {
        let Some(_place) = Place::take(&self.waiting, max_waiting) else { return Err(PoolError::Overloaded) };
        let deadline = Instant::now() + patience;
        loop {
            let mut released = std::pin::pin!(self.state.released());
            released.as_mut().enable();
            // The rules may change while a request waits.
            let policy = Policy::from(&self.settings.load().pool);
            match self.state.reserve(want, policy).await {
                Err(ReserveError::Busy) => {}
                Err(refusal) => return Err(refusal.into()),
                Ok(grant) => return Ok(grant),
            }
            if tokio::time::timeout_at(deadline, released).await.is_err() {
                return Err(ReserveError::Busy.into());
            }
        }
    }

    /// The secret of one account, for what costs nothing of it: fetching a file that only this account may have.
    ///
    /// `None` when the pool does not know the account, or (with a log line) when no key at hand opens it.
    pub fn credential(&self, account: crate::AccountId) -> Option<SecretString> {
        let (seed, _) = self.state.inspect(account)?;
        open_credential(&self.vault, account, &seed.sealed)
    }

    fn open(&self, grant: Grant) -> Result<Lease, PoolError> {
        let account = grant.account;
        let sealed = Arc::clone(&grant.sealed);
        let lease = Lease::new(Arc::clone(&self.state), grant, SecretString::default());
        if let Some(credential) = open_credential(&self.vault, account, &sealed) {
            return Ok(lease.with_credential(credential));
        }
        // Rested, or it would be the fullest account of all and be tried first for ever.
        let reason = "the secret cannot be opened".to_owned();
        lease.settle(&Outcome::Failed { blame: Blame::NoAccess, spent: false, reason });
        Err(PoolError::Sealed { account })
    }
}

/// Opens an account's secret; `None` (and a log line) when no key at hand fits.
pub fn open_credential(vault: &Vault, account: crate::AccountId, sealed: &str) -> Option<SecretString> {
    match vault.open("account", &account.to_string(), "secret", sealed) {
        Ok(plain) => match std::str::from_utf8(&plain) {
            Ok(text) => Some(SecretString::from(text)),
            Err(_) => None,
        },
        Err(error) => {
            tracing::error!(account_id = %account, %error, "an account's secret cannot be opened; the row is left as it is");
            None
        }
    }
}

/// One place in the waiting room.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, max: usize) -> Option<Self> {
        let taken = waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| (now < max).then_some(now + 1));
        taken.is_ok().then_some(Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
