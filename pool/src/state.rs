//! The live state of the pool, as a trait: memory here, shared stores elsewhere, one contract for all.

use std::time::Duration;

use async_trait::async_trait;
use grok2api_config::{PoolSettings, Strategy};

use crate::account::{AccountId, AccountSeed, Status};
use crate::outcome::{Aftermath, Outcome, Reading};
use crate::want::{BudgetIx, Grant, ReserveError, Want};

/// The rules of selection, taken from the settings of the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How accounts are ranked.
    pub strategy: Strategy,
    /// Calls that may run at once on one account; at least 1.
    pub max_in_flight: u32,
}

impl From<&PoolSettings> for Policy {
    fn from(settings: &PoolSettings) -> Self {
        Self { strategy: settings.strategy, max_in_flight: settings.max_in_flight.max(1) }
    }
}

/// How many accounts are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// In service.
    pub active: usize,
    /// Out of service for a while.
    pub cooling: usize,
    /// Condemned.
    pub expired: usize,
    /// Switched off.
    pub disabled: usize,
    /// Of all of them, those of the Super tier.
    pub paying: usize,
    /// Calls of this process running now.
    pub in_flight: usize,
}

impl Census {
    /// All accounts, whatever their state.
    pub fn total(&self) -> usize {
        self.active + self.cooling + self.expired + self.disabled
    }
}

/// Live state of the pool. Every method is one atomic step.
#[async_trait]
pub trait PoolState: Send + Sync {
    /// Takes the best account for `want` under `policy`, charging its budget and one of its running slots.
    ///
    /// # Errors
    /// [`ReserveError`] when no account can be had now; nothing has changed then.
    async fn reserve(&self, want: &Want<'_>, policy: Policy) -> Result<Grant, ReserveError>;

    /// Ends a grant. A grant of an account that has since been removed or replaced changes nothing.
    fn settle(&self, grant: &Grant, outcome: &Outcome) -> Aftermath;

    /// Takes over what the upstream reports about a budget.
    fn record_reading(&self, account: AccountId, budget: BudgetIx, reading: Reading);

    /// Takes over the result of a test of the credential: `true` puts a suspect or condemned account back into service,
    /// `false` counts as a refusal.
    fn record_test(&self, account: AccountId, accepted: bool, reason: &str) -> Aftermath;

    /// Adds an account, or replaces what is known about it while keeping its running calls.
    fn upsert(&self, seed: AccountSeed);

    /// Takes an account out; its running calls end normally.
    fn remove(&self, account: AccountId);

    /// Ids of all accounts.
    fn ids(&self) -> Vec<AccountId>;

    /// The state of one account, for tests and displays.
    fn inspect(&self, account: AccountId) -> Option<(AccountSeed, u32)>;

    /// Takes up to `limit` accounts whose state changed since they were last taken.
    fn take_dirty(&self, limit: usize) -> Vec<AccountSeed>;

    /// Takes back changes that could not be written, so that they are taken again later.
    fn keep_dirty(&self, changes: &[AccountSeed]);

    /// Counts by state.
    fn census(&self) -> Census;

    /// Completes when a slot becomes free after this call.
    fn released(&self) -> tokio::sync::futures::Notified<'_>;

    /// The account that served a conversation last, if it is still remembered.
    async fn pinned(&self, conversation: u64) -> Option<AccountId>;

    /// Remembers the account that serves a conversation, for as long as `keep`.
    fn pin(&self, conversation: u64, account: AccountId, keep: Duration);

    /// Completes when everything that was done before this call is known wherever the state is kept, or cannot be made so.
    async fn told(&self) {}

    /// Takes no further part: what this process still holds is held no more.
    async fn leave(&self) {}

    /// Whether other processes see the same state.
    fn is_shared(&self) -> bool {
        false
    }

    /// Status of an account, if it is known.
    fn status(&self, account: AccountId) -> Option<Status> {
        self.inspect(account).map(|(seed, _)| seed.status)
    }
}
