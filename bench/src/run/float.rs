//! Counts as numbers to calculate with.

/// Exact up to 2^53: more than nine days in nanoseconds.
#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^53")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}
