//! What this process knows of the shared pool, and what it has yet to tell.

use std::collections::HashMap;

use crate::account::AccountId;
use crate::memory::slot::Slot;
use crate::memory::table::Table;
use crate::memory::{milder, tiers_from};
use crate::outcome::{Aftermath, Outcome};
use crate::shared::store::{Ask, Finish, Told};
use crate::shared::wire::{self, Truth};
use crate::state::Policy;
use crate::want::{Grant, ReserveError, Want};

/// Accounts proposed in the first question of a reservation: nearly always the best one can be had.
const PROPOSED_FIRST: usize = 1;
/// Accounts proposed in each further question: the best, and some should it be taken.
const PROPOSED: usize = 3;

/// The pool as it was last heard of, ranked as in memory.
pub(super) struct Replica {
    pub(super) table: Table,
    /// Accounts whose running calls or units here may differ from what the store has.
    doubts: HashMap<AccountId, Doubt>,
    /// Accounts about which the store may know more than their rows.
    pub(super) strangers: Vec<AccountId>,
}

#[derive(Debug, Default)]
struct Doubt {
    /// Questions about the account that are not answered yet.
    asked: u32,
    /// Whether the store is to be told how many calls run here.
    mend: bool,
    /// Units used without asking, by budget.
    used: Vec<(usize, i64)>,
}

/// How a question is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Try {
    /// Nothing was asked for this reservation before.
    pub(super) is_first: bool,
    /// An account was not known there: all are described.
    pub(super) tell_all: bool,
}

/// A question to the store. The first account is charged here already, so that the next question proposes another.
#[derive(Debug)]
pub(super) struct Proposal {
    pub(super) ask: Ask,
    pub(super) accounts: Vec<Grant>,
    /// What the store is told about them.
    pub(super) told: Vec<Told>,
}

/// What is to be told about an account whose state there is in doubt.
#[derive(Debug)]
pub(super) struct Mending {
    pub(super) account: AccountId,
    pub(super) running: u32,
    pub(super) fields: String,
    pub(super) used: Vec<(usize, i64)>,
}

/// How a call ends for the store.
pub(super) enum Ended {
    /// Tell it so.
    Tell(Finish),
    /// The account is in doubt and is mended as a whole; what the call says about it may still have to be told.
    Mended {
        /// Whether it has.
        learn: bool,
    },
    /// The account is gone.
    Gone,
}

impl Replica {
    pub(super) fn new(table: Table) -> Self {
        Self { table, doubts: HashMap::new(), strangers: Vec::new() }
    }

    pub(super) fn is_alone(&self) -> bool {
        self.table.share.is_some()
    }

    /// Chooses accounts to ask for.
    pub(super) fn propose(
        &mut self,
        want: &Want<'_>,
        policy: Policy,
        now_ms: i64,
        deadline_ms: i64,
        asking: Try,
    ) -> Result<Proposal, ReserveError> {
        let most = if asking.is_first { PROPOSED_FIRST } else { PROPOSED };
        let mut refusal = ReserveError::Empty;
        let mut slots: Vec<u32> = Vec::with_capacity(most);
        for tier in tiers_from(want.tier) {
            self.table.revive_due(want.budget, tier, now_ms);
            while slots.len() < most
                && let Some(slot) = self.table.pick(want, tier, &slots)
            {
                slots.push(slot);
            }
            if slots.is_empty() {
                refusal = milder(refusal, self.table.refusal(want, tier, now_ms));
            }
        }
        let told: Vec<Told> = slots.iter().filter_map(|slot| self.told(*slot, asking.tell_all)).collect();
        let mut accounts: Vec<Grant> = Vec::with_capacity(slots.len());
        for slot in slots {
            // Only the first one is charged.
            let grant = if accounts.is_empty() {
                self.table.take(slot, want, now_ms)
            } else {
                self.table.slots[slot as usize].as_ref().map(|account| grant_of(account, slot, want))
            };
            accounts.extend(grant);
        }
        if accounts.is_empty() {
            return Err(refusal);
        }
        for grant in &accounts {
            self.doubts.entry(grant.account).or_default().asked += 1;
        }
        let budget = usize::from(want.budget.0);
        let ask = Ask { deadline_ms, max_in_flight: policy.max_in_flight, budget, cost: want.cost };
        Ok(Proposal { ask, accounts, told })
    }

    fn told(&self, slot: u32, always: bool) -> Option<Told> {
        let account = self.table.slots[slot as usize].as_ref()?;
        let is_known = account.version > 0 && !always;
        let fields = if is_known { String::new() } else { self.fields(slot) };
        Some(Told { account: account.id, version: account.version, fields })
    }

    /// Number of the latest change of an account that is known here; 0 for none.
    pub(super) fn version(&self, id: AccountId) -> u64 {
        let slot = self.table.by_id.get(&id).and_then(|slot| self.table.slots[*slot as usize].as_ref());
        slot.map_or(0, |account| account.version)
    }

    /// An account's fields as the store takes them.
    fn fields(&self, slot: u32) -> String {
        let Some(account) = self.table.slots[slot as usize].as_ref() else { return String::new() };
        let fields = wire::fields(account, &self.table.names, |budget| self.table.whole(slot, budget));
        serde_json::to_string(&fields).unwrap_or_default()
    }

    /// The store took the account at `place`.
    pub(super) fn taken(&mut self, proposal: Proposal, place: usize, seen: &[Truth], now_ms: i64) -> Option<Grant> {
        let ids: Vec<AccountId> = proposal.accounts.iter().map(|grant| grant.account).collect();
        self.answered(&ids, false);
        if place > 0
            && let Some(first) = proposal.accounts.first()
        {
            self.table.untake(first);
        }
        for (id, truth) in ids.iter().zip(seen) {
            self.learn(*id, truth, now_ms);
        }
        let grant = proposal.accounts.into_iter().nth(place)?;
        if place > 0
            && let Some(account) = self.table.granted(&grant)
        {
            account.own += 1;
            self.table.rank(grant.slot, true);
        }
        self.table.book_use(&grant);
        Some(grant)
    }

    /// The store took none of the accounts.
    pub(super) fn refused(&mut self, proposal: &Proposal, seen: &[Truth], now_ms: i64) {
        self.withdraw(proposal, false);
        for (grant, truth) in proposal.accounts.iter().zip(seen) {
            self.learn(grant.account, truth, now_ms);
        }
    }

    /// Nobody will hear the answer to a question. With `doubtful`, the store may have taken an account nevertheless.
    pub(super) fn withdraw(&mut self, proposal: &Proposal, doubtful: bool) {
        let ids: Vec<AccountId> = proposal.accounts.iter().map(|grant| grant.account).collect();
        if let Some(first) = proposal.accounts.first() {
            self.table.untake(first);
        }
        self.answered(&ids, doubtful);
    }

    fn answered(&mut self, ids: &[AccountId], doubtful: bool) {
        for id in ids {
            if let Some(doubt) = self.doubts.get_mut(id) {
                doubt.asked = doubt.asked.saturating_sub(1);
                doubt.mend |= doubtful;
                if doubt.asked == 0 && !doubt.mend {
                    self.doubts.remove(id);
                }
            }
        }
    }

    /// Takes an account out of this process's part, while the store is away.
    pub(super) fn reserve_alone(&mut self, want: &Want<'_>, now_ms: i64) -> Result<Grant, ReserveError> {
        let mut refusal = ReserveError::Empty;
        for tier in tiers_from(want.tier) {
            self.table.revive_due(want.budget, tier, now_ms);
            match self.table.reserve_alone(want, tier, now_ms) {
                Ok(grant) => {
                    self.use_unasked(grant.account, usize::from(grant.budget.0), i64::from(grant.cost));
                    return Ok(grant);
                }
                Err(error) => refusal = milder(refusal, error),
            }
        }
        Err(refusal)
    }

    fn use_unasked(&mut self, account: AccountId, budget: usize, units: i64) {
        let doubt = self.doubts.entry(account).or_default();
        doubt.mend = true;
        match doubt.used.iter_mut().find(|(of, _)| *of == budget) {
            Some((_, used)) => *used += units,
            None => doubt.used.push((budget, units)),
        }
    }

    /// A call has ended.
    pub(super) fn end(&mut self, grant: &Grant, outcome: &Outcome, now_ms: i64) -> (Aftermath, Ended) {
        let Some(account) = self.table.granted(grant) else { return (Aftermath::default(), Ended::Gone) };
        let learn = match outcome {
            Outcome::Success => account.refusals > 0 || account.failed_count > 0,
            Outcome::Abandoned { .. } => false,
            Outcome::Failed { .. } => true,
        };
        let aftermath = self.table.settle(grant, outcome, now_ms);
        let budget = usize::from(grant.budget.0);
        let refund = if outcome.is_spent() { 0 } else { grant.cost };
        let in_doubt = self.doubts.get(&grant.account).is_some_and(|doubt| doubt.mend);
        if in_doubt || self.is_alone() {
            self.use_unasked(grant.account, budget, -i64::from(refund));
            return (aftermath, Ended::Mended { learn });
        }
        let finish = Finish { account: grant.account, budget, refund, success: *outcome == Outcome::Success };
        (aftermath, Ended::Tell(finish))
    }

    /// What the store has about this account may differ from what is true here.
    pub(super) fn doubt(&mut self, account: AccountId) {
        self.doubts.entry(account).or_default().mend = true;
    }

    /// Everything this process does is in doubt: the store has forgotten it.
    pub(super) fn doubt_all(&mut self) {
        let running: Vec<AccountId> =
            self.table.slots.iter().flatten().filter(|account| account.own > 0).map(|account| account.id).collect();
        for account in running {
            self.doubt(account);
        }
    }

    /// The store has lost its memory: nothing in it is known here any more.
    pub(super) fn start_over(&mut self) {
        self.table.slots.iter_mut().flatten().for_each(|account| account.version = 0);
        self.doubt_all();
    }

    /// Up to `most` accounts that are to be mended and about which no question is open. They count as mended.
    pub(super) fn take_mendings(&mut self, most: usize) -> Vec<Mending> {
        let ready = self.doubts.iter().filter(|(_, doubt)| doubt.mend && doubt.asked == 0);
        let ids: Vec<AccountId> = ready.map(|(id, _)| *id).take(most).collect();
        ids.into_iter()
            .filter_map(|id| {
                let doubt = self.doubts.remove(&id)?;
                let slot = *self.table.by_id.get(&id)?;
                let account = self.table.slots[slot as usize].as_ref()?;
                Some(Mending { account: id, running: account.own, fields: self.fields(slot), used: doubt.used })
            })
            .collect()
    }

    /// A mending that did not get through. Units to give back are dropped: they may be given back already.
    pub(super) fn keep_mending(&mut self, mending: Mending) {
        self.doubt(mending.account);
        for (budget, units) in mending.used.into_iter().filter(|(_, units)| *units > 0) {
            self.use_unasked(mending.account, budget, units);
        }
    }

    /// Takes over what the store says about an account, unless something newer is known.
    pub(super) fn learn(&mut self, id: AccountId, truth: &Truth, now_ms: i64) {
        let Some(&slot) = self.table.by_id.get(&id) else { return };
        let Some(account) = self.table.slots[slot as usize].as_mut() else { return };
        if !truth.is_known() || truth.version() < account.version {
            return;
        }
        if truth.since().is_some_and(|version| version != account.version) {
            // What it builds on is not known here any more.
            self.strangers.push(id);
            return;
        }
        let was_expired = matches!(account.status, crate::Status::Expired { .. });
        truth.write_to(account, &self.table.names);
        if account.limit.is_some() {
            account.in_flight = account.own;
        }
        if !was_expired && matches!(account.status, crate::Status::Expired { .. }) {
            self.table.expired_at.push(now_ms);
        }
        if let Some(share) = &mut self.table.share {
            (0..self.table.names.len()).for_each(|budget| share.forget(slot, budget));
        }
        self.table.roll(slot, now_ms);
    }

    /// An account as the store has it, or as it is known here when the store has nothing.
    pub(super) fn as_told(&self, id: AccountId, truth: &Truth) -> Option<Slot> {
        let slot = *self.table.by_id.get(&id)?;
        let mut account = self.table.slots[slot as usize].clone()?;
        if truth.is_known() {
            truth.write_to(&mut account, &self.table.names);
        } else {
            account.version = 0;
        }
        Some(account)
    }
}

fn grant_of(account: &Slot, slot: u32, want: &Want<'_>) -> Grant {
    Grant {
        account: account.id,
        slot,
        generation: account.generation,
        budget: want.budget,
        cost: want.cost,
        sealed: account.sealed.clone(),
    }
}
