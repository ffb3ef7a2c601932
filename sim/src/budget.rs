//! How much may an account still use, and when is it refilled?

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// Models beyond this many are served without a budget.
const MAX_MODELS: usize = 64;

/// The budgets of one account, one for each upstream model.
#[derive(Debug)]
pub(crate) struct Budgets {
    tier: Tier,
    by_model: HashMap<String, Budget>,
}

/// What kind of account it is: Super when its name contains `super`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tier {
    Basic,
    Super,
}

/// Units of one model within a window that starts with the first use after a full budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) remaining: u32,
    pub(crate) total: u32,
    pub(crate) window: Duration,
    /// Whether a waiting time is told when the budget is used up.
    pub(crate) tells_wait: bool,
    resets_at: Option<Instant>,
}

impl Budgets {
    pub(crate) fn new(account: &str) -> Self {
        let tier = if account.contains("super") { Tier::Super } else { Tier::Basic };
        Self { tier, by_model: HashMap::new() }
    }

    /// Takes `cost` units, or says that they are not there.
    pub(crate) fn take(&mut self, model: &str, cost: u32, now: Instant) -> bool {
        let budget = self.refreshed(model, now);
        if budget.remaining < cost {
            return false;
        }
        budget.remaining -= cost;
        let window = budget.window;
        budget.resets_at.get_or_insert(now + window);
        true
    }

    /// The state of one budget, without using it.
    pub(crate) fn read(&mut self, model: &str, now: Instant) -> Budget {
        self.refreshed(model, now).clone()
    }

    pub(crate) fn set(&mut self, model: &str, budget: Budget) {
        if self.by_model.len() < MAX_MODELS || self.by_model.contains_key(model) {
            self.by_model.insert(model.to_owned(), budget);
        }
    }

    fn refreshed(&mut self, model: &str, now: Instant) -> &mut Budget {
        if self.by_model.len() >= MAX_MODELS && !self.by_model.contains_key(model) {
            self.by_model.clear();
        }
        let tier = self.tier;
        let budget = self.by_model.entry(model.to_owned()).or_insert_with(|| Budget::of(tier, model));
        if budget.resets_at.is_some_and(|at| at <= now) {
            budget.remaining = budget.total;
            budget.resets_at = None;
        }
        budget
    }
}

impl Budget {
    /// A budget in a given state. `wait`: when it is refilled, told to the client; else refilled after the window.
    pub(crate) fn set_to(remaining: u32, total: u32, window: Duration, wait: Option<Duration>, now: Instant) -> Self {
        let resets_at = (remaining < total).then(|| now + wait.unwrap_or(window));
        Self { remaining, total, window, tells_wait: wait.is_some(), resets_at }
    }

    /// A full budget as the upstream gives it (protocol page "grok-web-quota" §2).
    fn of(tier: Tier, model: &str) -> Self {
        let (total, window_secs) = match (counts_calls(model), tier) {
            (true, _) => (20, 7_200),
            (false, Tier::Basic) => (80, 72_000),
            (false, Tier::Super) => (140, 7_200),
        };
        let window = Duration::from_secs(window_secs);
        Self { remaining: total, total, window, tells_wait: true, resets_at: None }
    }

    /// Seconds until `cost` units are there again; 0 when they are there or when the upstream does not tell.
    pub(crate) fn wait_secs(&self, cost: u32, now: Instant) -> u64 {
        if self.remaining >= cost || !self.tells_wait {
            return 0;
        }
        self.resets_at.map_or(0, |at| {
            let wait = at.saturating_duration_since(now);
            wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
        })
    }
}

/// Whether a model's budget counts calls (the query form) rather than units.
pub(crate) fn counts_calls(model: &str) -> bool {
    model.contains("heavy") || matches!(model, "auto" | "fast" | "expert")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_runs_dry_and_is_refilled_when_its_window_is_over() {
        let (mut budgets, now) = (Budgets::new("basic"), Instant::now());
        for _ in 0..20 {
            assert!(budgets.take("grok-4", 4, now));
        }
        assert!(!budgets.take("grok-4", 1, now), "80 units are 20 expert calls");
        assert_eq!(budgets.read("grok-4", now).wait_secs(1, now), 72_000);
        assert!(budgets.take("grok-3", 1, now), "each model has its own budget");
        assert!(budgets.take("grok-4", 4, now + Duration::from_hours(20)));
    }

    #[test]
    fn tiers_and_heavy_have_their_own_totals() {
        let now = Instant::now();
        assert_eq!(Budgets::new("super-1").read("grok-3", now).total, 140);
        assert_eq!(Budgets::new("a").read("grok-4-heavy", now).total, 20);
    }

    #[test]
    fn a_waiting_time_is_told_only_when_it_was_set() {
        let now = Instant::now();
        let silent = Budget::set_to(0, 80, Duration::from_mins(1), None, now);
        let telling = Budget::set_to(2, 80, Duration::from_mins(1), Some(Duration::from_secs(7)), now);
        assert_eq!((silent.wait_secs(1, now), telling.wait_secs(4, now), telling.wait_secs(1, now)), (0, 7, 0));
    }
}
