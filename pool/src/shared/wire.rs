//! An account as the shared store holds it: fields of a hash, described in `lua/common.lua`.

use crate::account::Status;
use crate::memory::slot::{Budget, Slot};

const BUDGET: &str = "b:";

/// An account as the store told it: field, value, field, value. All of its fields, or those that differ from the change
/// whose number `since` is.
#[derive(Debug, Clone, Default)]
pub(super) struct Truth(pub(super) Vec<String>);

impl Truth {
    /// Whether the store knows the account.
    pub(super) fn is_known(&self) -> bool {
        !self.0.is_empty()
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str()))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.pairs().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }

    /// Number of the account's latest change.
    pub(super) fn version(&self) -> u64 {
        self.number("v").unwrap_or(0)
    }

    /// Number of the change on which this builds; `None` for a whole account.
    pub(super) fn since(&self) -> Option<u64> {
        let (field, value) = self.pairs().next()?;
        if field == "since" { value.parse().ok() } else { None }
    }

    /// Brings `slot` in line with the store, but for what the store does not know.
    pub(super) fn write_to(&self, slot: &mut Slot, budgets: &[String]) {
        let is_whole = self.since().is_none();
        slot.version = self.version();
        slot.in_flight = self.number("n").unwrap_or(if is_whole { 0 } else { slot.in_flight });
        slot.refusals = self.number("rf").unwrap_or(slot.refusals);
        slot.failed_count = self.number("fc").unwrap_or(slot.failed_count);
        slot.use_count = self.number("u").unwrap_or(slot.use_count);
        slot.last_used_ms = self.number("lu").filter(|at| *at > 0).or(slot.last_used_ms);
        let failure = self.get("lf").and_then(|text| text.split_once(' '));
        if let Some((at, reason)) = failure.and_then(|(at, reason)| Some((at.parse().ok()?, reason))) {
            slot.last_failure = Some((at, reason.to_owned()));
        }
        let reason = || self.get("rs").unwrap_or_default().to_owned();
        slot.status = match self.get("st") {
            Some("a") => Status::Active,
            Some("c") => Status::Cooling { until_ms: self.number("un").unwrap_or(0), reason: reason() },
            Some("e") => Status::Expired { reason: reason() },
            Some("d") => Status::Disabled,
            _ if is_whole => return,
            _ => slot.status.clone(),
        };
        for (field, value) in self.pairs() {
            let Some(name) = field.strip_prefix(BUDGET) else { continue };
            if let Some(at) = budgets.iter().position(|budget| budget == name) {
                read_budget(value, &mut slot.budgets[at]);
            }
        }
    }
}

fn read_budget(text: &str, budget: &mut Budget) {
    let numbers: Vec<i64> = text.split(' ').filter_map(|number| number.parse().ok()).collect();
    let [remaining, total, window_secs, read_at, reset_at, cooling, measured, coolings] = numbers[..] else { return };
    *budget = Budget {
        remaining,
        total,
        window_secs,
        read_at_ms: read_at,
        reset_at_ms: (reset_at > 0).then_some(reset_at),
        cooling_until_ms: (cooling > 0).then_some(cooling),
        measured: measured != 0,
        coolings: u8::try_from(coolings).unwrap_or(u8::MAX),
        known: budget.known || read_at > 0 || reset_at > 0 || cooling > 0,
    };
}

fn budget_text(budget: &Budget, remaining: i64) -> String {
    format!(
        "{remaining} {} {} {} {} {} {} {}",
        budget.total,
        budget.window_secs,
        budget.read_at_ms,
        budget.reset_at_ms.unwrap_or(0),
        budget.cooling_until_ms.unwrap_or(0),
        u8::from(budget.measured),
        budget.coolings
    )
}

/// The fields of an account without its running calls: field, value, field, value. `whole` tells what is left of a
/// budget.
pub(super) fn fields(slot: &Slot, budgets: &[String], whole: impl Fn(usize) -> i64) -> Vec<String> {
    let (status, until, reason) = match &slot.status {
        Status::Active => ("a", 0, ""),
        Status::Cooling { until_ms, reason } => ("c", *until_ms, reason.as_str()),
        Status::Expired { reason } => ("e", 0, reason.as_str()),
        Status::Disabled => ("d", 0, ""),
    };
    let failure = slot.last_failure.as_ref().map(|(at, reason)| format!("{at} {reason}")).unwrap_or_default();
    let mut fields = [
        ("st", status.to_owned()),
        ("un", until.to_string()),
        ("rs", reason.to_owned()),
        ("rf", slot.refusals.to_string()),
        ("fc", slot.failed_count.to_string()),
        ("lf", failure),
        ("u", slot.use_count.to_string()),
        ("lu", slot.last_used_ms.unwrap_or(0).to_string()),
    ]
    .into_iter()
    .flat_map(|(name, value)| [name.to_owned(), value])
    .collect::<Vec<_>>();
    for (at, (budget, name)) in slot.budgets.iter().zip(budgets).enumerate() {
        fields.push(format!("{BUDGET}{name}"));
        fields.push(budget_text(budget, whole(at)));
    }
    fields
}
