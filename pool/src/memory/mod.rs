//! The pool's live state in the memory of one process.

mod index;
mod lane;
pub(crate) mod settle;
pub(crate) mod share;
pub(crate) mod slot;
pub(crate) mod table;
mod transition;

use std::time::Duration;

use async_trait::async_trait;
use grok2api_config::{ModelTable, Tier};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::account::{AccountId, AccountSeed};
use crate::clock::Clock;
use crate::memory::table::Table;
use crate::outcome::{Aftermath, Outcome, Reading};
use crate::state::{Census, Policy, PoolState};
use crate::sticky::Sticky;
use crate::want::{BudgetIx, Grant, ReserveError, Want};

/// Live state behind one short-held lock. A reservation costs the same whatever the size of the pool.
#[derive(Debug)]
pub struct MemoryPool {
    table: Mutex<Table>,
    released: Notify,
    sticky: Sticky,
    clock: Clock,
}

impl MemoryPool {
    /// An empty pool for the budgets and costs of `models`.
    pub fn new(models: &ModelTable, policy: Policy, clock: Clock) -> Self {
        Self {
            table: Mutex::new(Table::new(models, policy)),
            released: Notify::new(),
            sticky: Sticky::default(),
            clock,
        }
    }
}

#[async_trait]
impl PoolState for MemoryPool {
    async fn reserve(&self, want: &Want<'_>, policy: Policy) -> Result<Grant, ReserveError> {
        let now_ms = self.clock.now_ms();
        let mut table = self.table.lock();
        table.set_policy(policy);
        let mut refusal = ReserveError::Empty;
        for tier in tiers_from(want.tier) {
            table.revive_due(want.budget, tier, now_ms);
            match table.reserve(want, tier, now_ms) {
                Ok(grant) => return Ok(grant),
                Err(error) => refusal = milder(refusal, error),
            }
        }
        Err(refusal)
    }

    fn settle(&self, grant: &Grant, outcome: &Outcome) -> Aftermath {
        let aftermath = self.table.lock().settle(grant, outcome, self.clock.now_ms());
        self.released.notify_waiters();
        aftermath
    }

    fn record_reading(&self, account: AccountId, budget: BudgetIx, reading: Reading) {
        self.table.lock().record_reading(account, budget, reading, self.clock.now_ms());
        self.released.notify_waiters();
    }

    fn record_test(&self, account: AccountId, accepted: bool, reason: &str) -> Aftermath {
        let aftermath = self.table.lock().record_test(account, accepted, reason, self.clock.now_ms());
        self.released.notify_waiters();
        aftermath
    }

    fn upsert(&self, seed: AccountSeed) {
        self.table.lock().upsert(seed, self.clock.now_ms());
        self.released.notify_waiters();
    }

    fn remove(&self, account: AccountId) {
        self.table.lock().remove(account);
    }

    fn ids(&self) -> Vec<AccountId> {
        self.table.lock().ids()
    }

    fn inspect(&self, account: AccountId) -> Option<(AccountSeed, u32)> {
        self.table.lock().inspect(account, self.clock.now_ms())
    }

    fn take_dirty(&self, limit: usize) -> Vec<AccountSeed> {
        self.table.lock().take_dirty(limit)
    }

    fn keep_dirty(&self, changes: &[AccountSeed]) {
        self.table.lock().keep_dirty(changes);
    }

    fn census(&self) -> Census {
        self.table.lock().census()
    }

    async fn pinned(&self, conversation: u64) -> Option<AccountId> {
        self.sticky.get(conversation, self.clock.now_ms())
    }

    fn pin(&self, conversation: u64, account: AccountId, keep: Duration) {
        self.sticky.set(conversation, account, until(self.clock.now_ms(), keep));
    }

    fn released(&self) -> tokio::sync::futures::Notified<'_> {
        self.released.notified()
    }
}

/// Unix milliseconds after `keep`.
pub(crate) fn until(now_ms: i64, keep: Duration) -> i64 {
    now_ms.saturating_add(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX))
}

/// Tiers that may serve a model, the lowest first.
pub(crate) fn tiers_from(lowest: Tier) -> impl Iterator<Item = Tier> {
    [Tier::Basic, Tier::Super].into_iter().filter(move |tier| *tier >= lowest)
}

/// The refusal that promises the client more: waiting for a slot, then for a budget, then nothing.
pub(crate) fn milder(one: ReserveError, other: ReserveError) -> ReserveError {
    match (one, other) {
        (ReserveError::Busy, _) | (_, ReserveError::Busy) => ReserveError::Busy,
        (ReserveError::Limited { retry_after: a }, ReserveError::Limited { retry_after: b }) => {
            ReserveError::Limited { retry_after: a.min(b) }
        }
        (limited @ ReserveError::Limited { .. }, ReserveError::Empty)
        | (ReserveError::Empty, limited @ ReserveError::Limited { .. }) => limited,
        (ReserveError::Empty, ReserveError::Empty) => ReserveError::Empty,
    }
}
