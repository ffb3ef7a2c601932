//! What the end of a call, a reading or a test makes of an account: rules without a store.

use std::time::Duration;

use crate::account::Status;
use crate::memory::slot::Slot;
use crate::outcome::{Aftermath, Blame, Outcome, Reading};

/// A first refusal takes the account out of service until a test has given a second opinion, at most this long.
const SUSPECT_MS: i64 = 60_000;
/// First pause after a limit without a stated waiting time; doubles up to [`MAX_COOLING_MS`].
const COOLING_MS: i64 = 60_000;
const MAX_COOLING_MS: i64 = 3_600_000;
/// No access to a model is rarely granted within minutes.
const NO_ACCESS_MS: i64 = 3_600_000;
/// Refusals needed to condemn an account.
const REFUSALS_TO_EXPIRE: u8 = 2;
/// Numbers beyond this in a reading are taken as garbage (protocol page "grok-web-quota" §1.3).
const ABSURD: i64 = 1_000_000;

impl Slot {
    /// What the end of a call says about the account, apart from the place that it frees and what it gives back.
    ///
    /// `wave`: so many accounts were condemned lately that no other one is.
    pub(crate) fn learn(&mut self, budget: usize, outcome: &Outcome, wave: bool, now_ms: i64) -> Aftermath {
        match outcome {
            Outcome::Success => {
                self.refusals = 0;
                self.failed_count = 0;
                self.budgets[budget].coolings = 0;
                Aftermath::default()
            }
            Outcome::Abandoned { .. } => Aftermath::default(),
            Outcome::Failed { blame, reason, .. } => {
                self.failed_count = self.failed_count.saturating_add(1);
                self.last_failure = Some((now_ms, reason.clone()));
                self.blame(budget, *blame, reason, wave, now_ms)
            }
        }
    }

    fn blame(&mut self, budget: usize, blame: Blame, reason: &str, wave: bool, now_ms: i64) -> Aftermath {
        match blame {
            Blame::None => Aftermath::default(),
            Blame::Refused => self.refuse(reason, wave, now_ms),
            Blame::Limited { retry_after } => {
                self.cool(budget, retry_after, now_ms);
                Aftermath { read_quota: true, ..Aftermath::default() }
            }
            Blame::NoAccess => {
                let of = &mut self.budgets[budget];
                of.cooling_until_ms = Some(now_ms + NO_ACCESS_MS);
                of.known = true;
                Aftermath::default()
            }
        }
    }

    fn cool(&mut self, budget: usize, retry_after: Option<Duration>, now_ms: i64) {
        let of = &mut self.budgets[budget];
        let growing = (COOLING_MS << of.coolings.min(6)).min(MAX_COOLING_MS);
        let pause = retry_after.map_or(growing, |asked| millis(asked).max(1000));
        of.coolings = of.coolings.saturating_add(1);
        of.cooling_until_ms = Some(of.cooling_until_ms.unwrap_or(0).max(now_ms + pause));
        of.known = true;
    }

    /// Counts a refusal of the credential: the first makes a suspect, the second condemns, unless a wave goes through the
    /// pool.
    fn refuse(&mut self, reason: &str, wave: bool, now_ms: i64) -> Aftermath {
        if matches!(self.status, Status::Disabled | Status::Expired { .. }) {
            return Aftermath::default();
        }
        self.refusals = self.refusals.saturating_add(1);
        if self.refusals < REFUSALS_TO_EXPIRE || wave {
            self.status = Status::Cooling { until_ms: now_ms + SUSPECT_MS, reason: reason.to_owned() };
            return Aftermath { verify: !wave, ..Aftermath::default() };
        }
        self.status = Status::Expired { reason: reason.to_owned() };
        Aftermath { expired: true, ..Aftermath::default() }
    }

    /// Takes over what the upstream says about a budget; false when the numbers are garbage.
    pub(crate) fn read(&mut self, budget: usize, reading: Reading, now_ms: i64) -> bool {
        if !(0..=ABSURD).contains(&reading.remaining) {
            return false;
        }
        let of = &mut self.budgets[budget];
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
        true
    }

    /// Takes over the answer to a test of the credential.
    pub(crate) fn tested(&mut self, accepted: bool, reason: &str, wave: bool, now_ms: i64) -> Aftermath {
        if !accepted {
            self.last_failure = Some((now_ms, reason.to_owned()));
            return self.refuse(reason, wave, now_ms);
        }
        if self.status != Status::Disabled {
            self.status = Status::Active;
            self.refusals = 0;
            self.failed_count = 0;
        }
        Aftermath::default()
    }
}

fn millis(of: Duration) -> i64 {
    i64::try_from(of.as_millis()).unwrap_or(i64::MAX / 4)
}
