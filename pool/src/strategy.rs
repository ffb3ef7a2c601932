//! The five ways to rank accounts that could all serve a request.
//!
//! A rank is one number, the smallest wins; among equals the order of last use decides.

use grok2api_config::Strategy;

/// Which end of a list of equals is served first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The account that was used longest ago.
    LeastRecent,
    /// The account that was used last.
    MostRecent,
}

/// What a rank is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RankInput {
    pub(crate) free_slots: u32,
    pub(crate) remaining: i64,
    pub(crate) total: i64,
    pub(crate) reset_at_ms: Option<i64>,
    pub(crate) use_count: i64,
}

pub(crate) fn end(strategy: Strategy) -> End {
    match strategy {
        Strategy::FillFirst => End::MostRecent,
        Strategy::MostRemaining | Strategy::RoundRobin | Strategy::LeastUsed | Strategy::ResetAware => End::LeastRecent,
    }
}

pub(crate) fn rank(strategy: Strategy, of: RankInput) -> u64 {
    match strategy {
        Strategy::MostRemaining => most_remaining(of),
        Strategy::LeastUsed => u64::try_from(of.use_count).unwrap_or(0),
        Strategy::ResetAware => reset_aware(of),
        Strategy::RoundRobin | Strategy::FillFirst => 0,
    }
}

/// Most free slots first, then the largest fraction of the budget in steps of a tenth.
fn most_remaining(of: RankInput) -> u64 {
    let tenths = if of.total <= 0 { 10 } else { (of.remaining.max(0) * 10 / of.total).min(10) };
    let tenths = u64::try_from(tenths).unwrap_or(0);
    (u64::from(u32::MAX - of.free_slots) << 8) | (10 - tenths)
}

/// Budgets that are renewed soonest first, by the minute: what is not used by then is lost. A budget whose window has
/// not begun comes last.
fn reset_aware(of: RankInput) -> u64 {
    of.reset_at_ms.map_or(u64::MAX, |at| u64::try_from(at / 60_000).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: RankInput = RankInput { free_slots: 2, remaining: 80, total: 80, reset_at_ms: None, use_count: 0 };

    #[test]
    fn most_remaining_prefers_free_slots_then_budget_in_tenths() {
        let rank = |input| rank(Strategy::MostRemaining, input);
        assert!(rank(FULL) < rank(RankInput { free_slots: 1, ..FULL }));
        assert!(rank(FULL) < rank(RankInput { remaining: 71, ..FULL }));
        assert_eq!(rank(RankInput { remaining: 65, ..FULL }), rank(RankInput { remaining: 70, ..FULL }));
    }

    #[test]
    fn reset_aware_prefers_the_window_that_ends_first() {
        let rank = |input| rank(Strategy::ResetAware, input);
        let soon = RankInput { reset_at_ms: Some(60_000), ..FULL };
        let later = RankInput { reset_at_ms: Some(3_600_000), ..FULL };
        assert!(rank(soon) < rank(later) && rank(later) < rank(FULL));
    }
}
