//! What the end of a call, a reading or a test does to an account.

use std::time::Duration;

use crate::account::{AccountId, Status};
use crate::memory::table::Table;
use crate::outcome::{Aftermath, Blame, Outcome, Reading};
use crate::want::{BudgetIx, Grant};

/// A first refusal takes the account out of service until a test has given a second opinion, at most this long.
const SUSPECT_MS: i64 = 60_000;
/// First pause after a limit without a stated waiting time; doubles up to [`MAX_COOLING_MS`].
const COOLING_MS: i64 = 60_000;
const MAX_COOLING_MS: i64 = 3_600_000;
/// No access to a model is rarely granted within minutes.
const NO_ACCESS_MS: i64 = 3_600_000;
/// Refusals needed to condemn an account.
const REFUSALS_TO_EXPIRE: u8 = 2;
/// When more than a third of the accounts are condemned within this time, the accounts are not the cause.
const WAVE_MS: i64 = 300_000;
/// Pools smaller than this cannot show a wave.
const WAVE_MIN_ACCOUNTS: usize = 4;
/// Numbers beyond this in a reading are taken as garbage (protocol page "grok-web-quota" §1.3).
const ABSURD: i64 = 1_000_000;

impl Table {
    pub(super) fn settle(&mut self, grant: &Grant, outcome: &Outcome, now_ms: i64) -> Aftermath {
        let Some(account) = self.slots[grant.slot as usize].as_mut() else { return Aftermath::default() };
        if account.generation != grant.generation {
            return Aftermath::default();
        }
        account.in_flight = account.in_flight.saturating_sub(1);
        let budget = usize::from(grant.budget.0);
        let mut aftermath = Aftermath::default();
        match outcome {
            Outcome::Success => {
                account.refusals = 0;
                account.failed_count = 0;
                account.budgets[budget].coolings = 0;
            }
            Outcome::Abandoned { spent } => {
                if !spent {
                    account.budgets[budget].refund(grant.cost);
                }
            }
            Outcome::Failed { blame, spent, reason } => {
                if !spent {
                    account.budgets[budget].refund(grant.cost);
                }
                account.failed_count = account.failed_count.saturating_add(1);
                account.last_failure = Some((now_ms, reason.clone()));
                aftermath = self.blame(grant, *blame, reason, now_ms);
            }
        }
        self.mark_dirty(grant.slot);
        self.rank(grant.slot, false);
        aftermath
    }

    fn blame(&mut self, grant: &Grant, blame: Blame, reason: &str, now_ms: i64) -> Aftermath {
        match blame {
            Blame::None => Aftermath::default(),
            Blame::Refused => self.refuse(grant.slot, reason, now_ms),
            Blame::Limited { retry_after } => {
                self.cool(grant, retry_after, now_ms);
                Aftermath { read_quota: true, ..Aftermath::default() }
            }
            Blame::NoAccess => {
                if let Some(account) = self.slots[grant.slot as usize].as_mut() {
                    let of = &mut account.budgets[usize::from(grant.budget.0)];
                    of.cooling_until_ms = Some(now_ms + NO_ACCESS_MS);
                    of.known = true;
                }
                Aftermath::default()
            }
        }
    }

    fn cool(&mut self, grant: &Grant, retry_after: Option<Duration>, now_ms: i64) {
        let Some(account) = self.slots[grant.slot as usize].as_mut() else { return };
        let of = &mut account.budgets[usize::from(grant.budget.0)];
        let growing = (COOLING_MS << of.coolings.min(6)).min(MAX_COOLING_MS);
        let pause = retry_after.map_or(growing, |asked| millis(asked).max(1000));
        of.coolings = of.coolings.saturating_add(1);
        of.cooling_until_ms = Some(of.cooling_until_ms.unwrap_or(0).max(now_ms + pause));
        of.known = true;
    }

    /// Counts a refusal of the credential: the first makes a suspect, the second condemns, unless half the pool goes
    /// down at once.
    fn refuse(&mut self, slot: u32, reason: &str, now_ms: i64) -> Aftermath {
        let wave = self.is_wave(now_ms);
        let Some(account) = self.slots[slot as usize].as_mut() else { return Aftermath::default() };
        if matches!(account.status, Status::Disabled | Status::Expired { .. }) {
            return Aftermath::default();
        }
        account.refusals = account.refusals.saturating_add(1);
        if account.refusals < REFUSALS_TO_EXPIRE || wave {
            if wave {
                tracing::error!(account_id = %account.id, "many accounts are refused at once: none is condemned, check the egress address");
            }
            account.status = Status::Cooling { until_ms: now_ms + SUSPECT_MS, reason: reason.to_owned() };
            return Aftermath { verify: !wave, ..Aftermath::default() };
        }
        account.status = Status::Expired { reason: reason.to_owned() };
        tracing::warn!(account_id = %account.id, reason, "account expired: its credential was refused twice in a row");
        self.expired_at.push(now_ms);
        Aftermath { expired: true, ..Aftermath::default() }
    }

    fn is_wave(&mut self, now_ms: i64) -> bool {
        self.expired_at.retain(|at| now_ms - at < WAVE_MS);
        let all = self.by_id.len();
        all >= WAVE_MIN_ACCOUNTS && (self.expired_at.len() + 1) * 3 > all
    }

    pub(super) fn record_reading(&mut self, id: AccountId, budget: BudgetIx, reading: Reading, now_ms: i64) {
        let Some(&slot) = self.by_id.get(&id) else { return };
        let Some(account) = self.slots[slot as usize].as_mut() else { return };
        if !(0..=ABSURD).contains(&reading.remaining) {
            return;
        }
        let of = &mut account.budgets[usize::from(budget.0)];
        if let Some(total) = reading.total.filter(|total| (1..=ABSURD).contains(total)) {
            of.total = total;
        }
        if let Some(window) = reading.window {
            of.window_secs = i64::try_from(window.as_secs()).unwrap_or(of.window_secs).max(1);
        }
        of.remaining = reading.remaining;
        of.read_at_ms = now_ms;
        of.measured = true;
        of.known = true;
        let wait = reading.wait.filter(|wait| !wait.is_zero()).map(millis);
        of.reset_at_ms = (reading.remaining < of.total).then(|| now_ms + wait.unwrap_or(of.window_secs * 1000));
        if wait.is_none() && reading.remaining > 0 {
            of.coolings = 0;
        }
        self.mark_dirty(slot);
        self.rank(slot, false);
    }

    pub(super) fn record_test(&mut self, id: AccountId, accepted: bool, reason: &str, now_ms: i64) -> Aftermath {
        let Some(&slot) = self.by_id.get(&id) else { return Aftermath::default() };
        if !accepted && let Some(account) = self.slots[slot as usize].as_mut() {
            account.last_failure = Some((now_ms, reason.to_owned()));
        }
        let aftermath = if accepted {
            if let Some(account) = self.slots[slot as usize].as_mut()
                && account.status != Status::Disabled
            {
                account.status = Status::Active;
                account.refusals = 0;
                account.failed_count = 0;
            }
            Aftermath::default()
        } else {
            self.refuse(slot, reason, now_ms)
        };
        self.mark_dirty(slot);
        self.rank(slot, false);
        aftermath
    }
}

fn millis(of: Duration) -> i64 {
    i64::try_from(of.as_millis()).unwrap_or(i64::MAX / 4)
}
