//! `[pool]`: how accounts are chosen.

use serde_json::json;

use super::Settings;
use crate::spec::{Refusal, Shape, Spec, accept};

/// `[pool]`: how accounts are chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSettings {
    /// Which of the fitting accounts is taken. Default `most_remaining`.
    pub strategy: Strategy,
    /// Most requests one account serves at the same time. Default 2; 1 to 1000.
    pub max_in_flight: u32,
    /// Longest wait for an account to become free, in milliseconds. Default 5000; 0 to 600 000.
    pub wait_ms: u64,
    /// Most requests that wait for an account at the same time. Default 1000; 0 to 1 000 000.
    pub max_waiting: usize,
    /// Most accounts one request tries. Default 3; 1 to 10.
    pub max_attempts: u32,
    /// How long a conversation stays with its account after its last request, in seconds. Default 3600; 0 to 604 800, 0
    /// for never.
    pub sticky_secs: u64,
}

/// Which of the fitting accounts is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// Lowest sufficient tier, then free slots, then the largest fraction left.
    MostRemaining,
    /// Each in its turn.
    RoundRobin,
    /// The one used least so far.
    LeastUsed,
    /// The same one until it is used up.
    FillFirst,
    /// The one whose budget is renewed soonest.
    ResetAware,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            strategy: Strategy::MostRemaining,
            max_in_flight: 2,
            wait_ms: 5000,
            max_waiting: 1000,
            max_attempts: 3,
            sticky_secs: 3600,
        }
    }
}

impl Strategy {
    const NAMES: &'static [&'static str] =
        &["most_remaining", "round_robin", "least_used", "fill_first", "reset_aware"];

    /// The strategy of that name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "most_remaining" => Some(Self::MostRemaining),
            "round_robin" => Some(Self::RoundRobin),
            "least_used" => Some(Self::LeastUsed),
            "fill_first" => Some(Self::FillFirst),
            "reset_aware" => Some(Self::ResetAware),
            _ => None,
        }
    }

    /// The name as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MostRemaining => "most_remaining",
            Self::RoundRobin => "round_robin",
            Self::LeastUsed => "least_used",
            Self::FillFirst => "fill_first",
            Self::ResetAware => "reset_aware",
        }
    }
}

pub(super) const SPECS: &[Spec<Settings>] = &[
    Spec {
        key: "pool.strategy",
        doc: "Which of the fitting accounts is taken.",
        shape: Shape::Choice(Strategy::NAMES),
        secret: false,
        read: |settings| json!(settings.pool.strategy.as_str()),
        write: |settings, value| {
            settings.pool.strategy = Strategy::parse(accept::text(value)?).ok_or(Refusal::NotOneOf(Strategy::NAMES))?;
            Ok(())
        },
    },
    Spec {
        key: "pool.max_in_flight",
        doc: "Most requests one account serves at the same time (1 to 1000).",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.pool.max_in_flight),
        write: |settings, value| accept::whole(value, 1, 1000).map(|most| settings.pool.max_in_flight = most),
    },
    Spec {
        key: "pool.wait_ms",
        doc: "Longest wait for an account to become free, in milliseconds (0 to 600000).",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.pool.wait_ms),
        write: |settings, value| accept::whole(value, 0, 600_000).map(|ms| settings.pool.wait_ms = ms),
    },
    Spec {
        key: "pool.max_waiting",
        doc: "Most requests that wait for an account at the same time (0 to 1000000).",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.pool.max_waiting),
        write: |settings, value| accept::whole(value, 0, 1_000_000).map(|most| settings.pool.max_waiting = most),
    },
    Spec {
        key: "pool.max_attempts",
        doc: "Most accounts one request tries (1 to 10).",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.pool.max_attempts),
        write: |settings, value| accept::whole(value, 1, 10).map(|most| settings.pool.max_attempts = most),
    },
    Spec {
        key: "pool.sticky_secs",
        doc: "How long a conversation stays with its account after its last request, in seconds (0 to 604800).",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.pool.sticky_secs),
        write: |settings, value| accept::whole(value, 0, 604_800).map(|secs| settings.pool.sticky_secs = secs),
    },
];
