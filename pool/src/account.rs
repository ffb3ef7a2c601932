//! What the pool knows about an account.

use std::sync::Arc;

use grok2api_config::Tier;
use uuid::Uuid;

/// Row id of an account.
pub type AccountId = Uuid;

/// Whether an account may be used, apart from its budgets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// In service.
    Active,
    /// Out of service for a while: its credential was refused once and awaits a second opinion.
    Cooling {
        /// Unix milliseconds at which it may be tried again.
        until_ms: i64,
        /// Why, in a few words.
        reason: String,
    },
    /// Its credential was refused and the refusal was confirmed. Only an operator or a successful test revives it.
    Expired {
        /// Why, in a few words.
        reason: String,
    },
    /// Switched off by the operator.
    Disabled,
}

/// An account as it enters the pool: from the database, or in tests from thin air.
#[derive(Debug, Clone)]
pub struct AccountSeed {
    /// Row id.
    pub id: AccountId,
    /// Tier of the subscription behind it.
    pub tier: Tier,
    /// Sealed credential, as stored.
    pub sealed: Arc<str>,
    /// Status at the time of loading.
    pub status: Status,
    /// Refusals in a row with no success between.
    pub refusals: u8,
    /// Failures of any kind in a row.
    pub failed_count: i32,
    /// The latest failure: Unix milliseconds and a few words.
    pub last_failure: Option<(i64, String)>,
    /// Calls made so far.
    pub use_count: i64,
    /// Of these, calls that are not yet written to the database.
    pub unsaved_uses: i64,
    /// Unix milliseconds of the last call.
    pub last_used_ms: Option<i64>,
    /// Known budgets; a missing one counts as full.
    pub budgets: Vec<BudgetSeed>,
}

/// What is left of one budget of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetSeed {
    /// Upstream's name of the budget (`rate_limit_model`).
    pub budget: String,
    /// Units left: cost units or calls, as the upstream counts.
    pub remaining: i64,
    /// Units in a full window.
    pub total: i64,
    /// Length of the window in seconds.
    pub window_secs: i64,
    /// Unix milliseconds of the last reading or estimate.
    pub read_at_ms: i64,
    /// Unix milliseconds at which the budget is full again at the latest.
    pub reset_at_ms: Option<i64>,
    /// Unix milliseconds before which the budget must not be touched.
    pub cooling_until_ms: Option<i64>,
    /// Whether the upstream told us these numbers, or we counted down ourselves.
    pub measured: bool,
}

impl AccountSeed {
    /// A fresh account that was never used.
    pub fn fresh(id: AccountId, tier: Tier, sealed: &str) -> Self {
        Self {
            id,
            tier,
            sealed: sealed.into(),
            status: Status::Active,
            refusals: 0,
            failed_count: 0,
            last_failure: None,
            use_count: 0,
            unsaved_uses: 0,
            last_used_ms: None,
            budgets: Vec::new(),
        }
    }
}
