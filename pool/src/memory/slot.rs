//! One account in memory.

use std::sync::Arc;

use grok2api_config::{Strategy, Tier, UsualBudget};

use crate::account::{AccountId, AccountSeed, BudgetSeed, Status};
use crate::memory::index::Place;
use crate::strategy::{RankInput, rank};

#[derive(Debug, Clone)]
pub(crate) struct Budget {
    pub(crate) remaining: i64,
    pub(crate) total: i64,
    pub(crate) window_secs: i64,
    pub(crate) read_at_ms: i64,
    pub(crate) reset_at_ms: Option<i64>,
    pub(crate) cooling_until_ms: Option<i64>,
    pub(crate) measured: bool,
    /// Coolings in a row, for the growing pause.
    pub(crate) coolings: u8,
    /// Whether anything is known that is worth a row.
    pub(crate) known: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) id: AccountId,
    pub(crate) generation: u32,
    pub(crate) tier: Tier,
    pub(crate) sealed: Arc<str>,
    pub(crate) status: Status,
    pub(crate) refusals: u8,
    /// Running calls, of all processes that share the pool.
    pub(crate) in_flight: u32,
    /// Of these, the calls of this process.
    pub(crate) own: u32,
    /// Most running calls while this process has only a share of the pool.
    pub(crate) limit: Option<u32>,
    /// Number of the latest change of the shared state that is known here; 0 when it is not in there.
    pub(crate) version: u64,
    pub(crate) failed_count: i32,
    pub(crate) last_failure: Option<(i64, String)>,
    pub(crate) use_count: i64,
    pub(crate) unsaved_uses: i64,
    pub(crate) last_used_ms: Option<i64>,
    pub(crate) budgets: Box<[Budget]>,
    pub(crate) dirty: bool,
}

/// Whether a budget of an account can serve now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It can: its place in the ranking.
    Ready(Place),
    /// It could, but runs as many calls as it may; the number of cost steps its budget covers.
    Busy(u8),
    /// It cannot before this time (Unix milliseconds).
    Limited(i64),
    /// It is out of service.
    Out,
}

impl Budget {
    pub(crate) fn full(usual: UsualBudget) -> Self {
        Self {
            remaining: usual.total,
            total: usual.total,
            window_secs: usual.window_secs,
            read_at_ms: 0,
            reset_at_ms: None,
            cooling_until_ms: None,
            measured: false,
            coolings: 0,
            known: false,
        }
    }

    pub(crate) fn from_seed(seed: &BudgetSeed) -> Self {
        Self {
            remaining: seed.remaining,
            total: seed.total,
            window_secs: seed.window_secs,
            read_at_ms: seed.read_at_ms,
            reset_at_ms: seed.reset_at_ms,
            cooling_until_ms: seed.cooling_until_ms,
            measured: seed.measured,
            coolings: 0,
            known: true,
        }
    }

    pub(crate) fn to_seed(&self, name: &str) -> BudgetSeed {
        BudgetSeed {
            budget: name.to_owned(),
            remaining: self.remaining,
            total: self.total,
            window_secs: self.window_secs,
            read_at_ms: self.read_at_ms,
            reset_at_ms: self.reset_at_ms,
            cooling_until_ms: self.cooling_until_ms,
            measured: self.measured,
        }
    }

    /// Fills the budget again when its window has passed, and forgets a cooling that is over.
    /// Answers whether it was filled.
    pub(crate) fn roll(&mut self, now_ms: i64) -> bool {
        let is_over = self.reset_at_ms.is_some_and(|at| at <= now_ms);
        if is_over {
            self.reset_at_ms = None;
            self.remaining = self.total;
            self.read_at_ms = now_ms;
            self.measured = false;
        }
        if self.cooling_until_ms.is_some_and(|at| at <= now_ms) {
            self.cooling_until_ms = None;
        }
        is_over
    }

    pub(crate) fn charge(&mut self, cost: u32, now_ms: i64) {
        self.remaining = (self.remaining - i64::from(cost)).max(0);
        self.known = true;
        if self.reset_at_ms.is_none() {
            self.reset_at_ms = Some(now_ms + self.window_secs * 1000);
        }
        if self.read_at_ms == 0 {
            self.read_at_ms = now_ms;
        }
    }

    pub(crate) fn refund(&mut self, cost: u32) {
        self.remaining = (self.remaining + i64::from(cost)).min(self.total);
    }

    /// Number of the ascending `costs` that what is left still covers.
    fn level(&self, costs: &[u32]) -> u8 {
        let covered = costs.iter().take_while(|cost| i64::from(**cost) <= self.remaining).count();
        u8::try_from(covered).unwrap_or(u8::MAX)
    }
}

impl Slot {
    /// Takes over from an earlier record of the same account what goes on: its running calls and its place among changes.
    pub(crate) fn stay(&mut self, earlier: &Self) {
        self.generation = earlier.generation;
        self.in_flight = earlier.in_flight;
        self.own = earlier.own;
        self.limit = earlier.limit;
        self.version = earlier.version;
        self.dirty = earlier.dirty;
    }

    /// Ends a cooling that is over; true when it did.
    pub(crate) fn roll(&mut self, now_ms: i64) -> bool {
        let is_over = matches!(self.status, Status::Cooling { until_ms, .. } if until_ms <= now_ms);
        if is_over {
            self.status = Status::Active;
        }
        is_over
    }

    pub(crate) fn standing(&self, budget: usize, costs: &[u32], strategy: Strategy, max_in_flight: u32) -> Standing {
        let of = &self.budgets[budget];
        let account_until = match &self.status {
            Status::Active => None,
            Status::Cooling { until_ms, .. } => Some(*until_ms),
            Status::Expired { .. } | Status::Disabled => return Standing::Out,
        };
        let level = of.level(costs);
        let empty_until = (level == 0).then(|| of.reset_at_ms.unwrap_or(i64::MAX));
        if let Some(until) = account_until.into_iter().chain(of.cooling_until_ms).chain(empty_until).max() {
            return Standing::Limited(until);
        }
        let free_slots = self.limit.unwrap_or(max_in_flight).saturating_sub(self.in_flight);
        if free_slots == 0 {
            return Standing::Busy(level);
        }
        let input = RankInput {
            free_slots,
            remaining: of.remaining,
            total: of.total,
            reset_at_ms: of.reset_at_ms,
            use_count: self.use_count,
        };
        Standing::Ready(Place { level, rank: rank(strategy, input) })
    }

    pub(crate) fn to_seed(&self, names: &[String]) -> AccountSeed {
        AccountSeed {
            id: self.id,
            tier: self.tier,
            sealed: Arc::clone(&self.sealed),
            status: self.status.clone(),
            refusals: self.refusals,
            failed_count: self.failed_count,
            last_failure: self.last_failure.clone(),
            use_count: self.use_count,
            unsaved_uses: self.unsaved_uses,
            last_used_ms: self.last_used_ms,
            budgets: self
                .budgets
                .iter()
                .zip(names)
                .filter(|(budget, _)| budget.known)
                .map(|(budget, name)| budget.to_seed(name))
                .collect(),
        }
    }
}
