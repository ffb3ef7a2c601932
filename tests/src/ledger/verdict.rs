//! What the ledger found.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Faults that are told one by one.
const TOLD: usize = 8;

/// Median, 99th percentile and longest of some times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// How many there are.
    pub count: usize,
    /// The median.
    pub p50: Duration,
    /// The 99th percentile.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

impl Quantiles {
    /// Of these times.
    pub fn of(times: &[Duration]) -> Self {
        let mut times = times.to_vec();
        times.sort_unstable();
        let at = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100).max(1) - 1;
            times.get(rank).copied().unwrap_or_default()
        };
        Self { count: times.len(), p50: at(50), p99: at(99), max: at(100) }
    }
}

impl fmt::Display for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, max] = [self.p50, self.p99, self.max].map(|time| time.as_secs_f64());
        write!(f, "p50 {p50:.2} s, p99 {p99:.2} s, longest {max:.2} s (n={})", self.count)
    }
}

/// What the ledger found. Red when anything is in one of its lists of faults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Requests that were accepted.
    pub accepted: usize,
    /// Requests that were refused, by code.
    pub refused: BTreeMap<String, usize>,
    /// Requests that have results.
    pub completed: usize,
    /// Requests that failed, by code.
    pub failed: BTreeMap<String, usize>,
    /// Jobs that failed since nobody knows what came of their paid call.
    pub unknown: usize,
    /// Jobs that a blow hit between sending and the results: `unknown` cannot be more.
    pub caught_in_call: usize,
    /// Jobs that were taken from workers whom nothing had befallen.
    pub false_deaths: usize,
    /// Files that no record names. A clean-up removes them.
    pub stray_files: usize,
    /// From a worker's death until its name was off its jobs.
    pub freed: Quantiles,
    /// The same, when the database stood still meanwhile. No limit holds for these.
    pub disturbed: Quantiles,
    /// From a worker's death until its jobs were claimed again.
    pub resumed: Quantiles,
    /// Fault: what was accepted has not come to an end, or its results are gone.
    pub lost: Vec<String>,
    /// Fault: one job has results twice.
    pub doubled_results: Vec<String>,
    /// Fault: one job was paid for twice.
    pub doubled_submissions: Vec<String>,
    /// Fault: jobs that failed without a blow that explains it.
    pub unexplained: Vec<String>,
    /// Fault: whatever else cannot be.
    pub wrong: Vec<String>,
}

impl Verdict {
    pub(super) fn wrong(&mut self, what: String) {
        self.wrong.push(what);
    }

    /// Whether something went wrong.
    pub fn is_red(&self) -> bool {
        self.faults().any(|(_, faults)| !faults.is_empty())
    }

    /// The faults, by what they are.
    pub fn faults(&self) -> impl Iterator<Item = (&'static str, &[String])> {
        [
            ("lost", self.lost.as_slice()),
            ("doubled results", &self.doubled_results),
            ("doubled submissions", &self.doubled_submissions),
            ("unexplained failures", &self.unexplained),
            ("wrong", &self.wrong),
        ]
        .into_iter()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} accepted, {} completed", self.accepted, self.completed)?;
        for (code, count) in &self.refused {
            writeln!(f, "  {count} refused with {code}")?;
        }
        for (code, count) in &self.failed {
            writeln!(f, "  {count} failed with {code}")?;
        }
        writeln!(f, "unknown outcomes: {} of {} that were caught in the call", self.unknown, self.caught_in_call)?;
        if self.false_deaths > 0 {
            writeln!(f, "{} jobs were taken from workers that were alive", self.false_deaths)?;
        }
        writeln!(f, "freed:   {}", self.freed)?;
        writeln!(f, "resumed: {}", self.resumed)?;
        if self.disturbed.count > 0 {
            writeln!(f, "freed while the database stood still: {}", self.disturbed)?;
        }
        for (name, faults) in self.faults() {
            writeln!(f, "{name}: {}", faults.len())?;
            for fault in faults.iter().take(TOLD) {
                writeln!(f, "  {fault}")?;
            }
        }
        write!(f, "{}", if self.is_red() { "RED" } else { "green" })
    }
}
