//! What is measured? The five workloads of the performance page.

use std::time::Duration;

use crate::load::Dialect;

/// Workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Workload {
    /// One stream at a time, 50 chunks, no gaps.
    W1,
    /// 64 streams of 200 chunks, no gaps.
    W2,
    /// 1,000 streams of 100 chunks, 20 ms apart.
    W3,
    /// 64 whole answers at a time, 200 upstream lines.
    W4,
    /// 5,000 open streams that wait.
    W5,
}

/// What the load generator is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) lanes: usize,
    pub(crate) requests: usize,
    pub(crate) chunks: usize,
    pub(crate) gap_ms: u64,
    pub(crate) ramp_ms: u64,
    pub(crate) whole: bool,
    pub(crate) hold: bool,
}

impl Workload {
    /// In order.
    pub(crate) const ALL: [Self; 5] = [Self::W1, Self::W2, Self::W3, Self::W4, Self::W5];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::W1 => "W1",
            Self::W2 => "W2",
            Self::W3 => "W3",
            Self::W4 => "W4",
            Self::W5 => "W5",
        }
    }

    pub(crate) fn shape(self) -> Shape {
        let plain = Shape { lanes: 1, requests: 1, chunks: 50, gap_ms: 0, ramp_ms: 0, whole: false, hold: false };
        match self {
            Self::W1 => Shape { requests: 2_000, ..plain },
            Self::W2 => Shape { lanes: 64, requests: 20, chunks: 200, ..plain },
            Self::W3 => Shape { lanes: 1_000, requests: 2, chunks: 100, gap_ms: 20, ramp_ms: 1_000, ..plain },
            Self::W4 => Shape { lanes: 64, requests: 20, chunks: 200, whole: true, ..plain },
            Self::W5 => Shape { lanes: 5_000, chunks: 1, ramp_ms: 5_000, hold: true, ..plain },
        }
    }

    /// A short run of the same kind that fills caches and connection pools.
    pub(crate) fn warm_up(self) -> Shape {
        let shape = self.shape();
        match self {
            Self::W1 => Shape { requests: 100, ..shape },
            Self::W2 | Self::W4 => Shape { requests: 2, ..shape },
            Self::W3 => Shape { lanes: 1_000, requests: 1, chunks: 5, ..shape },
            Self::W5 => Shape { lanes: 1, hold: false, ramp_ms: 0, ..shape },
        }
    }
}

impl Shape {
    /// Arguments for the load generator.
    pub(crate) fn arguments(&self, dialect: Dialect) -> Vec<String> {
        let dialect = match dialect {
            Dialect::Gateway => "gateway",
            Dialect::Grok => "grok",
        };
        let mut arguments = vec!["--dialect".to_owned(), dialect.to_owned()];
        for (name, value) in [
            ("--lanes", self.lanes as u64),
            ("--requests", self.requests as u64),
            ("--chunks", self.chunks as u64),
            ("--gap-ms", self.gap_ms),
            ("--ramp-ms", self.ramp_ms),
        ] {
            arguments.extend([name.to_owned(), value.to_string()]);
        }
        arguments.extend(self.whole.then(|| "--whole".to_owned()));
        arguments.extend(self.hold.then(|| "--hold".to_owned()));
        arguments
    }

    /// How long a run may take at most.
    pub(crate) fn limit(&self) -> Duration {
        Duration::from_millis(self.ramp_ms + self.requests as u64 * self.chunks as u64 * self.gap_ms)
            + Duration::from_mins(2)
    }
}
