//! A process's part of the pool while it cannot ask the others: every account's places are dealt to the processes in
//! turn, and every budget is divided among them.
//!
//! An account is dealt when it is first looked at, so that losing touch costs nothing in a large pool.

use std::collections::HashMap;

use grok2api_config::Tier;

use crate::account::AccountId;
use crate::memory::table::Table;
use crate::want::{Grant, ReserveError, Want};

/// With fewer places than this for each process, everybody gets at least one of every account: serving at all comes
/// before exact limits.
const SCARCE: usize = 4;

/// One process's part.
#[derive(Debug)]
pub(crate) struct Share {
    ordinal: usize,
    count: usize,
    generous: bool,
    /// Budgets that were divided, by account and budget: units before, units of this part.
    divided: HashMap<(u32, usize), (i64, i64)>,
    /// Accounts whose places were dealt.
    dealt: Vec<u32>,
}

impl Share {
    /// A budget's numbers are new: it is to be divided again.
    pub(crate) fn forget(&mut self, slot: u32, budget: usize) {
        self.divided.remove(&(slot, budget));
    }

    /// Of `most` places of an account, those of this part.
    fn places(&self, id: AccountId, most: u32) -> u32 {
        let first = usize::try_from(id.as_u128() % self.count as u128).unwrap_or(0);
        let turn = (self.ordinal + self.count - first) % self.count;
        let count = u32::try_from(self.count).unwrap_or(u32::MAX);
        let places = most / count + u32::from(turn < (most % count) as usize);
        places.max(u32::from(self.generous))
    }
}

impl Table {
    /// From now on this process has only its part: number `ordinal` of `count`.
    pub(crate) fn go_alone(&mut self, ordinal: usize, count: usize) {
        let count = count.max(1);
        let places = self.by_id.len() * self.policy.max_in_flight as usize;
        let generous = places < SCARCE * count;
        self.share =
            Some(Share { ordinal: ordinal % count, count, generous, divided: HashMap::new(), dealt: Vec::new() });
    }

    /// Takes the best account out of this process's part.
    pub(crate) fn reserve_alone(&mut self, want: &Want<'_>, tier: Tier, now_ms: i64) -> Result<Grant, ReserveError> {
        loop {
            let Some(slot) = self.pick(want, tier, &[]) else { return Err(self.refusal(want, tier, now_ms)) };
            if self.deal(slot) {
                self.rank(slot, false);
                continue;
            }
            let grant = self.take(slot, want, now_ms).ok_or(ReserveError::Empty)?;
            self.book_use(&grant);
            return Ok(grant);
        }
    }

    /// Cuts an account down to this part of it; false when that was done already.
    fn deal(&mut self, slot: u32) -> bool {
        let most = self.policy.max_in_flight;
        let (Some(share), Some(account)) = (&mut self.share, self.slots[slot as usize].as_mut()) else { return false };
        let mut is_new = false;
        if account.limit.is_none() {
            account.limit = Some(share.places(account.id, most));
            account.in_flight = account.own;
            share.dealt.push(slot);
            is_new = true;
        }
        for (at, budget) in account.budgets.iter_mut().enumerate() {
            if share.divided.contains_key(&(slot, at)) {
                continue;
            }
            let whole = budget.remaining;
            let part = whole / i64::try_from(share.count).unwrap_or(1);
            let part = if part == 0 && share.generous { whole } else { part };
            share.divided.insert((slot, at), (whole, part));
            budget.remaining = part;
            is_new = true;
        }
        is_new
    }

    /// Units left of a budget as if nothing had been divided.
    pub(crate) fn whole(&self, slot: u32, budget: usize) -> i64 {
        let Some(account) = self.slots[slot as usize].as_ref() else { return 0 };
        let left = account.budgets[budget].remaining;
        let divided = self.share.as_ref().and_then(|share| share.divided.get(&(slot, budget)));
        divided.map_or(left, |(whole, part)| left + whole - part)
    }

    /// This process may ask again: what is left of its part goes back to the whole.
    pub(crate) fn rejoin(&mut self) {
        let Some(share) = self.share.take() else { return };
        for ((slot, at), (whole, part)) in share.divided {
            if let Some(account) = self.slots[slot as usize].as_mut() {
                let budget = &mut account.budgets[at];
                budget.remaining = (budget.remaining + whole - part).clamp(0, budget.total.max(whole));
            }
        }
        for slot in share.dealt {
            if let Some(account) = self.slots[slot as usize].as_mut() {
                account.limit = None;
            }
            self.rank(slot, false);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use grok2api_config::{ModelTable, Strategy};
    use proptest::prelude::*;

    use super::*;
    use crate::account::AccountSeed;
    use crate::state::Policy;
    use crate::want::BudgetIx;

    fn table(accounts: u128, max_in_flight: u32) -> Table {
        let policy = Policy { strategy: Strategy::MostRemaining, max_in_flight };
        let mut table = Table::new(&ModelTable::default(), policy);
        for n in 0..accounts {
            table.upsert(AccountSeed::fresh(AccountId::from_u128(n * 7 + 1), Tier::Basic, "sealed"), 1000);
        }
        table
    }

    const WANT: Want<'static> = Want { budget: BudgetIx(2), cost: 4, tier: Tier::Basic, exclude: &[], prefer: None };

    proptest! {
        /// What the parts of all processes hold together is what there is.
        #[test]
        fn f30_parts_add_up_to_the_limits(count in 1usize..8, most in 1u32..6) {
            let accounts = 40;
            let mut running = std::collections::HashMap::new();
            let mut calls = std::collections::HashMap::new();
            for ordinal in 0..count {
                let mut part = table(accounts, most);
                part.go_alone(ordinal, count);
                while let Ok(grant) = part.reserve_alone(&WANT, Tier::Basic, 1000) {
                    *running.entry(grant.account).or_insert(0) += 1;
                }
                let mut part = table(accounts, 1000);
                part.go_alone(ordinal, count);
                while let Ok(grant) = part.reserve_alone(&WANT, Tier::Basic, 1000) {
                    *calls.entry(grant.account).or_insert(0) += 1;
                }
            }
            prop_assert!(running.values().all(|now| *now <= most));
            prop_assert_eq!(running.values().sum::<u32>(), most * u32::try_from(accounts).unwrap());
            prop_assert!(calls.values().all(|made| *made <= 20));
        }
    }

    #[test]
    fn what_was_not_used_alone_goes_back_to_the_whole() {
        let mut part = table(1, 8);
        part.go_alone(0, 2);
        let grant = part.reserve_alone(&WANT, Tier::Basic, 1000).unwrap();
        assert_eq!(part.inspect(grant.account, 1000).unwrap().0.budgets[0].remaining, 36);
        part.rejoin();
        assert_eq!(part.inspect(grant.account, 1000).unwrap().0.budgets[0].remaining, 76);
    }

    #[test]
    fn f30_all_places_are_there_again_whatever_was_heard_meanwhile() {
        let mut part = table(1, 2);
        part.go_alone(0, 2);
        part.reserve_alone(&WANT, Tier::Basic, 1000).unwrap();
        assert!(part.reserve_alone(&WANT, Tier::Basic, 1000).is_err(), "one of two places is ours");
        if let Some(share) = &mut part.share {
            (0..5).for_each(|budget| share.forget(0, budget));
        }
        part.rejoin();
        assert!(part.reserve(&WANT, Tier::Basic, 1000).is_ok());
    }
}
