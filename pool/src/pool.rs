//! The pool as the rest of the house sees it.

use std::sync::Arc;
use std::time::Duration;

use grok2api_config::{SettingsHandle, Vault};
use secrecy::SecretString;

use crate::lease::Lease;
use crate::outcome::{Blame, Outcome};
use crate::room::{Room, Turned};
use crate::state::{Policy, PoolState};
use crate::want::{Caller, ReserveError, Want};

/// Accounts, ready to be reserved.
pub struct Pool {
    state: Arc<dyn PoolState>,
    vault: Arc<Vault>,
    settings: SettingsHandle,
    room: Arc<Room>,
}

/// Why a reservation failed for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// No account can be had, also after waiting.
    #[error(transparent)]
    Reserve(#[from] ReserveError),
    /// Too many requests wait for an account already, or more than can be served in time.
    #[error("too many requests are waiting for an account")]
    Overloaded {
        /// When to come back.
        retry_after: Duration,
    },
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
        let room = Room::new(Arc::clone(&state), settings.clone());
        Self { state, vault, settings, room }
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
    pub async fn reserve(&self, want: &Want<'_>, caller: Caller) -> Result<Lease, PoolError> {
        let (policy, patience, most, sticky) = {
            let settings = self.settings.load();
            let pool = &settings.pool;
            (Policy::from(pool), Duration::from_millis(pool.wait_ms), pool.max_waiting, pool.sticky_secs)
        };
        let conversation = caller.conversation.filter(|_| sticky > 0);
        let prefer = match conversation {
            Some(conversation) => self.state.pinned(conversation).await,
            None => want.prefer,
        };
        let want = Want { prefer, ..*want };
        let lease = self.take(&want, caller, policy, patience, most).await?;
        if let Some(conversation) = conversation {
            self.state.pin(conversation, lease.account(), Duration::from_secs(sticky));
        }
        self.open(lease)
    }

    async fn take(
        &self,
        want: &Want<'_>,
        caller: Caller,
        policy: Policy,
        patience: Duration,
        most: usize,
    ) -> Result<Lease, PoolError> {
        // Nobody is overtaken who waits for the same.
        if patience.is_zero() || !self.room.is_before(want, caller.class) {
            match self.state.reserve(want, policy).await {
                Ok(grant) => return Ok(Lease::new(Arc::clone(&self.state), grant, SecretString::default())),
                Err(ReserveError::Busy) if !patience.is_zero() => {}
                Err(refusal) => return Err(refusal.into()),
            }
        }
        self.room.wait(want, caller, patience, most).await.map_err(|turned| match turned {
            Turned::Away { retry_after } => PoolError::Overloaded { retry_after },
            Turned::TimeIsUp => ReserveError::Busy.into(),
            Turned::Refused(refusal) => refusal.into(),
        })
    }

    /// How many requests wait for an account.
    pub fn waiting(&self) -> usize {
        self.room.waiting()
    }

    /// The secret of one account, for what costs nothing of it: fetching a file that only this account may have.
    ///
    /// `None` when the pool does not know the account, or (with a log line) when no key at hand opens it.
    pub fn credential(&self, account: crate::AccountId) -> Option<SecretString> {
        let (seed, _) = self.state.inspect(account)?;
        open_credential(&self.vault, account, &seed.sealed)
    }

    fn open(&self, lease: Lease) -> Result<Lease, PoolError> {
        let account = lease.account();
        if let Some(credential) = open_credential(&self.vault, account, lease.sealed()) {
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
