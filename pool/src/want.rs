//! What a request asks of the pool, and what it gets.

use std::sync::Arc;
use std::time::Duration;

use grok2api_config::Tier;

use crate::account::AccountId;

/// Position of a budget in the model table's list of budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BudgetIx(pub u8);

/// A wish for one account.
#[derive(Debug, Clone, Copy)]
pub struct Want<'a> {
    /// Budget the call draws on.
    pub budget: BudgetIx,
    /// Units the call costs.
    pub cost: u32,
    /// Lowest tier that may serve it; Basic accounts are taken before Super ones.
    pub tier: Tier,
    /// Accounts that were tried already for this request.
    pub exclude: &'a [AccountId],
    /// The account to take if it can serve, whatever the strategy says.
    pub prefer: Option<AccountId>,
}

/// Who asks. Only those who wait are told apart by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Caller {
    /// What is served first.
    pub class: Class,
    /// The client key, as a number: keys take turns.
    pub key: u64,
    /// The conversation, as a number: it stays with its account while that can serve.
    pub conversation: Option<u64>,
}

/// What is served first when accounts are scarce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Class {
    /// Somebody waits in front of a screen.
    #[default]
    Live,
    /// A job, which can wait.
    Job,
}

/// One running call on one account. Must be settled exactly once; [`crate::Lease`] sees to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The account.
    pub account: AccountId,
    /// Where the account stands in the pool.
    pub slot: u32,
    /// Tells an account from a later one in the same place, so that a late settlement cannot touch a stranger.
    pub generation: u32,
    /// Budget that was charged.
    pub budget: BudgetIx,
    /// Units that were charged.
    pub cost: u32,
    /// Sealed credential.
    pub sealed: Arc<str>,
}

/// Why there is no account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReserveError {
    /// No account in service can serve this model.
    #[error("no account in the pool can serve this model")]
    Empty,
    /// Every account that could serve it has used up its budget or is cooling down.
    #[error("every account that can serve this model is limited")]
    Limited {
        /// Time until the first of them is expected back.
        retry_after: Duration,
    },
    /// Every account that could serve it runs as many requests as it may.
    #[error("every account that can serve this model is busy")]
    Busy,
}
