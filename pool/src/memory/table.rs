//! The table of accounts and its lanes; every method runs under the pool's lock.

use std::collections::HashMap;

use grok2api_config::{ModelTable, Tier};

use crate::account::{AccountId, AccountSeed, Status};
use crate::memory::lane::Lane;
use crate::memory::share::Share;
use crate::memory::slot::{Budget, Slot};
use crate::state::{Census, Policy};
use crate::strategy;
use crate::want::{BudgetIx, Grant, ReserveError, Want};

/// Accounts whose window has passed that one reservation puts back, at most: the cost of a wave is spread.
const REVIVED_AT_ONCE: usize = 64;

#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) slots: Vec<Option<Slot>>,
    pub(crate) by_id: HashMap<AccountId, u32>,
    free: Vec<u32>,
    generations: u32,
    pub(crate) names: Vec<String>,
    /// Ascending distinct call costs, by budget.
    costs: Vec<Vec<u32>>,
    /// By budget, then tier.
    lanes: Vec<[Lane; 2]>,
    pub(crate) policy: Policy,
    pub(crate) dirty: Vec<u32>,
    /// Unix milliseconds of the latest condemnations, for the wave brake.
    pub(crate) expired_at: Vec<i64>,
    /// This process's part of the pool while it cannot ask the others.
    pub(crate) share: Option<Share>,
}

pub(crate) fn tier_ix(tier: Tier) -> usize {
    match tier {
        Tier::Basic => 0,
        Tier::Super => 1,
    }
}

impl Table {
    pub(crate) fn new(models: &ModelTable, policy: Policy) -> Self {
        let names: Vec<String> = models.budgets().into_iter().map(str::to_owned).collect();
        let costs: Vec<Vec<u32>> = names
            .iter()
            .map(|name| {
                let of_budget = models.iter().filter(|m| m.rate_limit_model == *name);
                let mut costs: Vec<u32> = of_budget
                    .flat_map(|m| [Some(m.cost), m.drawing_cost()])
                    .flatten()
                    .map(|cost| cost.max(1))
                    .collect();
                costs.sort_unstable();
                costs.dedup();
                costs
            })
            .collect();
        let lanes = costs.iter().map(|costs| [Lane::new(costs.len()), Lane::new(costs.len())]).collect();
        Self {
            slots: Vec::new(),
            by_id: HashMap::new(),
            free: Vec::new(),
            generations: 0,
            names,
            costs,
            lanes,
            policy,
            dirty: Vec::new(),
            expired_at: Vec::new(),
            share: None,
        }
    }

    /// Ranks everybody anew when the operator changed the rules.
    pub(crate) fn set_policy(&mut self, policy: Policy) {
        if self.policy == policy {
            return;
        }
        self.policy = policy;
        for (lanes, costs) in self.lanes.iter_mut().zip(&self.costs) {
            *lanes = [Lane::new(costs.len()), Lane::new(costs.len())];
        }
        let slots = 0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        match strategy::end(policy.strategy) {
            strategy::End::LeastRecent => slots.for_each(|slot| self.rank(slot, false)),
            // The last one ranked is served first: the oldest account.
            strategy::End::MostRecent => slots.rev().for_each(|slot| self.rank(slot, false)),
        }
    }

    /// Looks again at accounts whose cooling or window has ended.
    pub(crate) fn revive_due(&mut self, budget: BudgetIx, tier: Tier, now_ms: i64) {
        for _ in 0..REVIVED_AT_ONCE {
            let Some(slot) = self.lanes[usize::from(budget.0)][tier_ix(tier)].pop_due(now_ms) else { return };
            self.roll(slot, now_ms);
        }
    }

    /// Brings an account up to the present and ranks it anew.
    pub(crate) fn roll(&mut self, slot: u32, now_ms: i64) {
        let mut is_back = false;
        if let Some(account) = &mut self.slots[slot as usize] {
            is_back = account.roll(now_ms);
            for (at, budget) in account.budgets.iter_mut().enumerate() {
                if budget.roll(now_ms)
                    && let Some(share) = &mut self.share
                {
                    share.forget(slot, at);
                }
            }
        }
        if is_back {
            self.mark_dirty(slot);
        }
        self.rank(slot, false);
    }

    pub(crate) fn reserve(&mut self, want: &Want<'_>, tier: Tier, now_ms: i64) -> Result<Grant, ReserveError> {
        let Some(slot) = self.pick(want, tier, &[]) else { return Err(self.refusal(want, tier, now_ms)) };
        let grant = self.take(slot, want, now_ms).ok_or(ReserveError::Empty)?;
        self.book_use(&grant);
        Ok(grant)
    }

    /// The best account of a tier that is not among `passed`.
    pub(crate) fn pick(&self, want: &Want<'_>, tier: Tier, passed: &[u32]) -> Option<u32> {
        let budget = usize::from(want.budget.0);
        let level = self.level_for(budget, want.cost);
        let usable = |slot: u32| {
            !passed.contains(&slot)
                && (want.exclude.is_empty()
                    || self.slots[slot as usize].as_ref().is_some_and(|account| !want.exclude.contains(&account.id)))
        };
        if let Some(slot) = self.preferred(want, level).filter(|slot| usable(*slot)) {
            return Some(slot);
        }
        self.lanes[budget][tier_ix(tier)].best(level, strategy::end(self.policy.strategy), usable)
    }

    /// The account that is asked for by name, if it can serve now.
    fn preferred(&self, want: &Want<'_>, level: u8) -> Option<u32> {
        let slot = *self.by_id.get(&want.prefer?)?;
        let account = self.slots[slot as usize].as_ref()?;
        let lane = &self.lanes[usize::from(want.budget.0)][tier_ix(account.tier)];
        (account.tier >= want.tier && lane.is_ready(slot, level)).then_some(slot)
    }

    /// Why [`Table::pick`] found nothing.
    pub(crate) fn refusal(&mut self, want: &Want<'_>, tier: Tier, now_ms: i64) -> ReserveError {
        let budget = usize::from(want.budget.0);
        let level = self.level_for(budget, want.cost);
        self.lanes[budget][tier_ix(tier)].refusal(level, now_ms)
    }

    /// Charges an account and takes one of its places.
    pub(crate) fn take(&mut self, slot: u32, want: &Want<'_>, now_ms: i64) -> Option<Grant> {
        let account = self.slots[slot as usize].as_mut()?;
        account.in_flight += 1;
        account.own += 1;
        account.use_count += 1;
        account.last_used_ms = Some(now_ms);
        account.budgets[usize::from(want.budget.0)].charge(want.cost, now_ms);
        let grant = Grant {
            account: account.id,
            slot,
            generation: account.generation,
            budget: want.budget,
            cost: want.cost,
            sealed: account.sealed.clone(),
        };
        self.rank(slot, true);
        Some(grant)
    }

    /// Undoes [`Table::take`].
    pub(crate) fn untake(&mut self, grant: &Grant) {
        let Some(account) = self.granted(grant) else { return };
        account.in_flight = account.in_flight.saturating_sub(1);
        account.own = account.own.saturating_sub(1);
        account.use_count -= 1;
        account.budgets[usize::from(grant.budget.0)].refund(grant.cost);
        self.rank(grant.slot, false);
    }

    /// Counts a call that is on record nowhere yet.
    pub(crate) fn book_use(&mut self, grant: &Grant) {
        if let Some(account) = self.granted(grant) {
            account.unsaved_uses += 1;
            self.mark_dirty(grant.slot);
        }
    }

    /// Puts an account where it belongs in every lane of its tier.
    pub(crate) fn rank(&mut self, slot: u32, touch: bool) {
        let Some(account) = &self.slots[slot as usize] else { return };
        for (at, lanes) in self.lanes.iter_mut().enumerate() {
            let standing = account.standing(at, &self.costs[at], self.policy.strategy, self.policy.max_in_flight);
            lanes[tier_ix(account.tier)].set(slot, standing, account.budgets[at].reset_at_ms, touch);
        }
    }

    pub(crate) fn upsert(&mut self, seed: AccountSeed, now_ms: i64) {
        let known = self.by_id.get(&seed.id).copied();
        if let Some(slot) = known
            && self.slots[slot as usize].as_ref().is_some_and(|account| account.tier != seed.tier)
        {
            self.vacate_lanes(slot);
        }
        let slot = known.or_else(|| self.free.pop()).unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let never_used = seed.last_used_ms.is_none();
        self.by_id.insert(seed.id, slot);
        let mut account = self.build(seed);
        if let Some(now) = &self.slots[slot as usize] {
            account.stay(now);
        } else {
            self.generations += 1;
            account.generation = self.generations;
        }
        self.slots[slot as usize] = Some(account);
        self.roll(slot, now_ms);
        if known.is_none() && never_used && strategy::end(self.policy.strategy) == strategy::End::MostRecent {
            self.rank_first(slot);
        }
    }

    fn build(&self, seed: AccountSeed) -> Slot {
        let budgets = self
            .names
            .iter()
            .zip(&self.costs)
            .map(|(name, _)| {
                seed.budgets
                    .iter()
                    .find(|budget| budget.budget == *name)
                    .map_or_else(|| Budget::full(seed.tier.usual_budget(name)), Budget::from_seed)
            })
            .collect();
        Slot {
            id: seed.id,
            generation: 0,
            tier: seed.tier,
            sealed: seed.sealed,
            status: seed.status,
            refusals: seed.refusals,
            in_flight: 0,
            own: 0,
            limit: None,
            version: 0,
            failed_count: seed.failed_count,
            last_failure: seed.last_failure,
            use_count: seed.use_count,
            unsaved_uses: seed.unsaved_uses,
            last_used_ms: seed.last_used_ms,
            budgets,
            dirty: false,
        }
    }

    /// Under a strategy that serves the account used last, strangers queue up behind: first come, first filled.
    fn rank_first(&mut self, slot: u32) {
        let Some(account) = &self.slots[slot as usize] else { return };
        for (at, lanes) in self.lanes.iter_mut().enumerate() {
            let standing = account.standing(at, &self.costs[at], self.policy.strategy, self.policy.max_in_flight);
            lanes[tier_ix(account.tier)].set_first(slot, standing, account.budgets[at].reset_at_ms);
        }
    }

    pub(crate) fn remove(&mut self, id: AccountId) {
        let Some(slot) = self.by_id.remove(&id) else { return };
        self.vacate_lanes(slot);
        self.slots[slot as usize] = None;
        self.free.push(slot);
    }

    fn vacate_lanes(&mut self, slot: u32) {
        for lanes in &mut self.lanes {
            for lane in lanes {
                lane.set(slot, crate::memory::slot::Standing::Out, None, false);
            }
        }
    }

    fn level_for(&self, budget: usize, cost: u32) -> u8 {
        let below = self.costs[budget].iter().take_while(|step| **step < cost).count();
        u8::try_from(below + 1).unwrap_or(u8::MAX)
    }

    pub(crate) fn mark_dirty(&mut self, slot: u32) {
        if let Some(account) = &mut self.slots[slot as usize]
            && !account.dirty
        {
            account.dirty = true;
            self.dirty.push(slot);
        }
    }

    pub(crate) fn take_dirty(&mut self, limit: usize) -> Vec<AccountSeed> {
        let mut taken = Vec::new();
        while taken.len() < limit
            && let Some(slot) = self.dirty.pop()
        {
            // Gone in the meantime: nothing to write.
            let Some(account) = self.slots[slot as usize].as_mut() else { continue };
            account.dirty = false;
            taken.push(account.to_seed(&self.names));
            account.unsaved_uses = 0;
        }
        taken
    }

    /// Takes back changes that could not be written.
    pub(crate) fn keep_dirty(&mut self, changes: &[AccountSeed]) {
        for change in changes {
            let Some(&slot) = self.by_id.get(&change.id) else { continue };
            if let Some(account) = self.slots[slot as usize].as_mut() {
                account.unsaved_uses += change.unsaved_uses;
            }
            self.mark_dirty(slot);
        }
    }

    pub(crate) fn ids(&self) -> Vec<AccountId> {
        self.by_id.keys().copied().collect()
    }

    pub(crate) fn inspect(&mut self, id: AccountId, now_ms: i64) -> Option<(AccountSeed, u32)> {
        let slot = *self.by_id.get(&id)?;
        self.roll(slot, now_ms);
        self.slots[slot as usize].as_ref().map(|account| (account.to_seed(&self.names), account.in_flight))
    }

    pub(crate) fn census(&self) -> Census {
        let mut census = Census::default();
        for account in self.slots.iter().flatten() {
            match account.status {
                Status::Active => census.active += 1,
                Status::Cooling { .. } => census.cooling += 1,
                Status::Expired { .. } => census.expired += 1,
                Status::Disabled => census.disabled += 1,
            }
            census.paying += usize::from(account.tier == Tier::Super);
            census.in_flight += account.own as usize;
        }
        census
    }
}
