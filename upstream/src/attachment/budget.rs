//! Bytes that the pictures of one request may take together, counted while they arrive.

use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) struct ByteBudget {
    left: AtomicUsize,
}

/// The budget is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exhausted;

impl ByteBudget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { left: AtomicUsize::new(bytes) }
    }

    /// Takes bytes off, all or none.
    pub(crate) fn take(&self, bytes: usize) -> Result<(), Exhausted> {
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        taken.map(drop).map_err(|_| Exhausted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m12_the_sum_is_kept_to_the_byte() {
        let budget = ByteBudget::new(10);
        assert_eq!(budget.take(4), Ok(()));
        assert_eq!(budget.take(7), Err(Exhausted));
        assert_eq!(budget.take(6), Ok(()));
        assert_eq!(budget.take(1), Err(Exhausted));
    }
}
