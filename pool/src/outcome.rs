//! How a call ended, as far as the account is concerned.

use std::time::Duration;

/// The end of one call on one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream served it: the budget is spent and earlier refusals are forgotten.
    Success,
    /// The client left, or we stopped for a reason of our own.
    Abandoned {
        /// Whether the upstream had accepted the call, so that it counts.
        spent: bool,
    },
    /// The upstream refused or broke off.
    Failed {
        /// What this says about the account.
        blame: Blame,
        /// Whether the upstream had accepted the call, so that it counts.
        spent: bool,
        /// Short cause for the operator, e.g. `429: Too many requests`.
        reason: String,
    },
}

impl Outcome {
    /// Whether the upstream had accepted the call, so that it counts.
    pub fn is_spent(&self) -> bool {
        match self {
            Self::Success => true,
            Self::Abandoned { spent } | Self::Failed { spent, .. } => *spent,
        }
    }
}

/// What a failure says about the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// Nothing: the network, the egress address or the request is at fault.
    None,
    /// The credential was refused. The second refusal in a row condemns the account; the first asks for a test.
    Refused,
    /// The budget is used up or the account is throttled.
    Limited {
        /// How long the upstream asks to wait, when it said so.
        retry_after: Option<Duration>,
    },
    /// The account has no access to this model's budget.
    NoAccess,
}

/// What should happen after a settlement, outside the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Aftermath {
    /// The account's credential was refused once: ask the upstream about it now, as the second opinion.
    pub verify: bool,
    /// The budget's true state is unknown: read it.
    pub read_quota: bool,
    /// The account was condemned just now.
    pub expired: bool,
}

/// A budget as the upstream reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Units left.
    pub remaining: i64,
    /// Units in a full window, if known.
    pub total: Option<i64>,
    /// Length of the window.
    pub window: Option<Duration>,
    /// Time until the next call is possible, if the upstream told us.
    pub wait: Option<Duration>,
}
