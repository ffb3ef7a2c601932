//! What the end of a call, a reading or a test does to the table.

use crate::account::AccountId;
use crate::memory::slot::Slot;
use crate::memory::table::Table;
use crate::outcome::{Aftermath, Outcome, Reading};
use crate::want::{BudgetIx, Grant};

/// When more than a third of the accounts are condemned within this time, the accounts are not the cause.
pub(crate) const WAVE_MS: i64 = 300_000;
/// Pools smaller than this cannot show a wave.
pub(crate) const WAVE_MIN_ACCOUNTS: usize = 4;

impl Table {
    pub(crate) fn settle(&mut self, grant: &Grant, outcome: &Outcome, now_ms: i64) -> Aftermath {
        let wave = self.is_wave(now_ms);
        let Some(account) = self.granted(grant) else { return Aftermath::default() };
        account.in_flight = account.in_flight.saturating_sub(1);
        account.own = account.own.saturating_sub(1);
        let budget = usize::from(grant.budget.0);
        if !outcome.is_spent() {
            account.budgets[budget].refund(grant.cost);
        }
        let aftermath = account.learn(budget, outcome, wave, now_ms);
        self.heed(grant.slot, aftermath, wave, now_ms);
        aftermath
    }

    /// The account of a grant, if it is still the same one.
    pub(crate) fn granted(&mut self, grant: &Grant) -> Option<&mut Slot> {
        let account = self.slots[grant.slot as usize].as_mut()?;
        (account.generation == grant.generation).then_some(account)
    }

    pub(crate) fn record_reading(&mut self, id: AccountId, budget: BudgetIx, reading: Reading, now_ms: i64) {
        let Some(&slot) = self.by_id.get(&id) else { return };
        let Some(account) = self.slots[slot as usize].as_mut() else { return };
        if account.read(usize::from(budget.0), reading, now_ms) {
            self.mark_dirty(slot);
            self.rank(slot, false);
        }
    }

    pub(crate) fn record_test(&mut self, id: AccountId, accepted: bool, reason: &str, now_ms: i64) -> Aftermath {
        let wave = !accepted && self.is_wave(now_ms);
        let Some(&slot) = self.by_id.get(&id) else { return Aftermath::default() };
        let Some(account) = self.slots[slot as usize].as_mut() else { return Aftermath::default() };
        let aftermath = account.tested(accepted, reason, wave, now_ms);
        self.heed(slot, aftermath, wave, now_ms);
        aftermath
    }

    /// Draws the table's conclusions from what was learnt about an account.
    fn heed(&mut self, slot: u32, aftermath: Aftermath, wave: bool, now_ms: i64) {
        if let Some(account) = &self.slots[slot as usize] {
            if aftermath.expired {
                tracing::warn!(account_id = %account.id, "account expired: its credential was refused twice in a row");
                self.expired_at.push(now_ms);
            } else if wave && account.refusals > 0 {
                tracing::error!(account_id = %account.id, "many accounts are refused at once: none is condemned, check the egress address");
            }
        }
        self.mark_dirty(slot);
        self.rank(slot, false);
    }

    fn is_wave(&mut self, now_ms: i64) -> bool {
        self.expired_at.retain(|at| now_ms - at < WAVE_MS);
        let all = self.by_id.len();
        all >= WAVE_MIN_ACCOUNTS && (self.expired_at.len() + 1) * 3 > all
    }
}
