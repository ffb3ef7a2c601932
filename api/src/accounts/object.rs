//! Accounts as the operator sees them: without their credentials.

use grok2api_entity::account::{Loaded, Standing, Status, decode_tags};
use grok2api_entity::account_budget::{self, Source};
use grok2api_gateway::pool::enrol::tier_of;
use grok2api_gateway::pool::handle::handle;
use poem_openapi::Object;
use serde::Serialize;

/// An account of the pool. Its credential is never shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct Account {
    /// Its id.
    pub id: String,
    /// `account`
    pub object: &'static str,
    /// What it is called where the old gateway wanted a token.
    pub handle: String,
    /// Last four characters of its credential, or nothing.
    pub hint: String,
    /// `sso` or `ssoSuper`.
    pub token_type: &'static str,
    /// `active`, `cooling` (refused once), `expired` (refused for good) or `disabled` (switched off).
    pub status: &'static str,
    /// Why it may not be used, for people.
    #[oai(nullable)]
    pub status_reason: Option<String>,
    /// When a cooling account may be used again, in Unix milliseconds.
    #[oai(nullable)]
    pub status_until_ms: Option<i64>,
    /// `unused` (in service, nothing is known of its budgets yet), `active` (something left), `limited` (nothing left, or it
    /// rests) or `invalid` (refused, or switched off).
    pub standing: &'static str,
    /// Labels.
    pub tags: Vec<String>,
    /// Free text.
    pub note: String,
    /// How often it was used.
    pub use_count: i64,
    /// Failures in a row.
    pub failed_count: i32,
    /// When it failed last, in Unix milliseconds.
    #[oai(nullable)]
    pub last_failure_at_ms: Option<i64>,
    /// How it failed last, for people.
    #[oai(nullable)]
    pub last_failure_reason: Option<String>,
    /// When it was used last, in Unix milliseconds.
    #[oai(nullable)]
    pub last_used_at_ms: Option<i64>,
    /// When the upstream was last asked whether its credential works, in Unix milliseconds; null for never.
    #[oai(nullable)]
    pub tested_at_ms: Option<i64>,
    /// When it came, in Unix milliseconds.
    pub created_at_ms: i64,
    /// Calls that run on it now, as this process knows; 0 where it does not.
    pub in_flight: u32,
    /// What it may still do.
    pub budgets: Vec<Budget>,
}

/// What an account may still do with some models.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct Budget {
    /// The upstream's name of the model it belongs to.
    pub name: String,
    /// What is counted: `tokens` or `calls`.
    pub unit: String,
    /// Units left now: all of them once the window is over.
    pub remaining: i64,
    /// Units of a full budget.
    pub total: i64,
    /// Length of the window after which it is full again, in seconds.
    pub window_secs: i64,
    /// When these numbers were true, in Unix milliseconds.
    pub read_at_ms: i64,
    /// When it is full again at the latest, in Unix milliseconds; null when that is not known.
    #[oai(nullable)]
    pub reset_at_ms: Option<i64>,
    /// Until when it rests, in Unix milliseconds.
    #[oai(nullable)]
    pub cooling_until_ms: Option<i64>,
    /// `measured` (the upstream said so) or `estimated`.
    pub source: &'static str,
}

impl Account {
    /// The account of a row as it stands at `now` (Unix milliseconds), with so many running calls.
    pub(super) fn new(row: Loaded, in_flight: u32, now: i64) -> Self {
        let Loaded { account, budgets } = row;
        let is_cooling = account.status == Status::Cooling;
        Self {
            id: account.id.to_string(),
            object: "account",
            handle: handle(account.id, &account.hint),
            token_type: tier_of(account.kind).token_type(),
            status: account.status.as_str(),
            status_until_ms: account.status_until.filter(|_| is_cooling),
            status_reason: account.status_reason,
            standing: Standing::of(account.status, account.status_until, &budgets, now).as_str(),
            tags: decode_tags(&account.tags),
            note: account.note,
            use_count: account.use_count,
            failed_count: account.failed_count,
            last_failure_at_ms: account.last_failure_at,
            last_failure_reason: account.last_failure_reason,
            last_used_at_ms: account.last_used_at,
            tested_at_ms: (account.tested_at > 0).then_some(account.tested_at),
            created_at_ms: account.created_at,
            hint: account.hint,
            in_flight,
            budgets: budgets.into_iter().map(|budget| Budget::new(budget, now)).collect(),
        }
    }
}

impl Budget {
    fn new(row: account_budget::Model, now: i64) -> Self {
        Self {
            remaining: row.left(now),
            reset_at_ms: row.reset_at.filter(|at| *at > now),
            cooling_until_ms: row.cooling_until.filter(|at| *at > now),
            name: row.budget,
            unit: row.unit,
            total: row.total,
            window_secs: row.window_secs,
            read_at_ms: row.read_at,
            source: match row.source {
                Source::Measured => "measured",
                Source::Estimated => "estimated",
            },
        }
    }
}
