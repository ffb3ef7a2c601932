//! How often something took how long, in few numbers that add up.

use std::collections::BTreeMap;
use std::fmt;

/// Bounds of the buckets in milliseconds: the first holds what took less than one, the last what took hours.
///
/// Each is a fifth wider than the one before, so that its middle is at most a tenth from anything in it.
const BOUNDS: [u64; BUCKETS] = bounds();
const BUCKETS: usize = 96;

const fn bounds() -> [u64; BUCKETS] {
    let mut bounds = [1; BUCKETS];
    let mut at = 1;
    while at < BUCKETS {
        let before = bounds[at - 1];
        bounds[at] = before + if before < 10 { 1 } else { before / 5 };
        at += 1;
    }
    bounds
}

/// Counts of lengths of time, in milliseconds. Two of them add up to the one of both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: BTreeMap<usize, u64>,
}

impl Histogram {
    /// Counts one more; what is below zero counts as nothing.
    pub fn record(&mut self, ms: i64) {
        let ms = u64::try_from(ms).unwrap_or(0);
        let bucket = BOUNDS.partition_point(|bound| *bound <= ms).min(BUCKETS - 1);
        *self.counts.entry(bucket).or_default() += 1;
    }

    /// Adds what another one has counted.
    pub fn add(&mut self, other: &Self) {
        for (bucket, count) in &other.counts {
            let sum = self.counts.entry(*bucket).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The length of time, in milliseconds, that `percent` of what was counted did not exceed, to a tenth; `None` when
    /// nothing was counted.
    pub fn quantile(&self, percent: u64) -> Option<i64> {
        let wanted = (self.count() * percent.min(100)).div_ceil(100).max(1);
        let mut seen = 0;
        for (bucket, count) in &self.counts {
            seen += count;
            if seen >= wanted {
                return i64::try_from(middle(*bucket)).ok();
            }
        }
        None
    }

    /// Reads the form in which it is stored; what is not understood is left out.
    pub fn parse(text: &str) -> Self {
        let pair = |word: &str| {
            let (bucket, count) = word.split_once(':')?;
            Some((bucket.parse().ok().filter(|bucket| *bucket < BUCKETS)?, count.parse().ok()?))
        };
        Self { counts: text.split(' ').filter_map(pair).collect() }
    }
}

/// The form in which it is stored: `bucket:count`, separated by blanks.
impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (bucket, count)) in self.counts.iter().enumerate() {
            write!(f, "{}{bucket}:{count}", if place == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

fn middle(bucket: usize) -> u64 {
    let from = if bucket == 0 { 0 } else { BOUNDS[bucket - 1] };
    let to = BOUNDS[bucket] - 1;
    from.midpoint(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buckets_reach_from_a_millisecond_to_hours() {
        assert!(BOUNDS.windows(2).all(|pair| pair[0] < pair[1]), "{BOUNDS:?}");
        assert!(BOUNDS[BUCKETS - 2] > 2 * 3_600_000, "{BOUNDS:?}");
    }

    #[test]
    fn a_quantile_is_at_most_a_tenth_off() {
        let mut seed = 7_u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed >> 33
        };
        for most in [9, 300, 40_000, 3_600_000] {
            let mut exact: Vec<i64> = (0..2_000).map(|_| i64::try_from(next() % most).unwrap_or(0)).collect();
            let mut one = Histogram::default();
            let mut other = Histogram::default();
            for (place, ms) in exact.iter().enumerate() {
                if place % 3 == 0 { one.record(*ms) } else { other.record(*ms) }
            }
            one.add(&other);
            exact.sort_unstable();
            for percent in [1, 50, 95, 99, 100] {
                let wanted = exact[usize::try_from(percent).unwrap_or(0) * exact.len() / 100 - 1];
                let found = one.quantile(percent).unwrap_or(-1);
                assert!((found - wanted).abs() * 10 <= wanted, "{percent} % of {most}: {found}, not {wanted}");
            }
        }
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let mut of = Histogram::default();
        assert_eq!((of.quantile(50), of.to_string().as_str()), (None, ""));
        for ms in [-5, 0, 1, 1, 250, i64::MAX] {
            of.record(ms);
        }
        assert_eq!(Histogram::parse(&of.to_string()), of);
        assert_eq!(of.count(), 6);
        assert_eq!(Histogram::parse("x 3: :4 999:1 1:1"), Histogram::parse("1:1"));
    }
}
