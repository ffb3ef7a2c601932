//! What the load generator has seen.

use serde::{Deserialize, Serialize};

/// One run of the load generator.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Answers that were right to the last byte.
    pub(crate) requests: u64,
    /// Token lines in them.
    pub(crate) chunks: u64,
    /// All other answers.
    pub(crate) errors: u64,
    /// What was wrong with one of them.
    pub(crate) first_error: Option<String>,
    /// Time from the first request to the last answer.
    pub(crate) seconds: f64,
    /// Streams that were held open.
    pub(crate) open: u64,
    /// Time from the request to the first token.
    pub(crate) first_token_us: Spread,
    /// How late chunks were.
    pub(crate) lateness_us: Spread,
}

/// How a number is spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) count: usize,
    pub(crate) p50: u32,
    pub(crate) p90: u32,
    pub(crate) p99: u32,
    pub(crate) max: u32,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<u32>) -> Self {
        values.sort_unstable();
        let at = |percent: usize| {
            let index = (values.len() * percent).div_ceil(100).saturating_sub(1);
            values.get(index).copied().unwrap_or(0)
        };
        Self { count: values.len(), p50: at(50), p90: at(90), p99: at(99), max: at(100) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let spread = Spread::of((1..=200).rev().collect());
        assert_eq!((spread.p50, spread.p90, spread.p99, spread.max), (100, 180, 198, 200));
        assert_eq!(Spread::of(Vec::new()), Spread::default());
    }
}
