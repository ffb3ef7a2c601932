//! The upstream calls of one request, whatever became of them.

use std::sync::atomic::{AtomicU32, Ordering};

use grok2api_pool::AccountId;
use parking_lot::Mutex;

/// Counts the upstream calls of one request: of all its choices, those that failed and those a client did not wait for.
#[derive(Debug, Default)]
pub struct Calls {
    made: AtomicU32,
    last: Mutex<Option<AccountId>>,
}

impl Calls {
    pub(crate) fn note(&self, account: AccountId) {
        self.made.fetch_add(1, Ordering::Relaxed);
        *self.last.lock() = Some(account);
    }

    /// Takes over what was counted elsewhere: calls that workers made.
    pub fn set(&self, made: u32, last: Option<AccountId>) {
        self.made.store(made, Ordering::Relaxed);
        *self.last.lock() = last;
    }

    /// Calls made so far.
    pub fn made(&self) -> u32 {
        self.made.load(Ordering::Relaxed)
    }

    /// The account that the latest one was made on; `None` before the first.
    pub fn last_account(&self) -> Option<AccountId> {
        *self.last.lock()
    }
}
