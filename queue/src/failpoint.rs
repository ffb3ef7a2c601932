//! Places where tests let a process die, panic, dawdle or do wrong. Without the feature `failpoints` they are nothing.
//!
//! The variable `FAILPOINTS` arms them: `name=abort`, `name=panic` or `name=sleep:500` (milliseconds), several separated by
//! commas; `name=abort@3` strikes the third time that the process comes by. `name=on` switches a fault on that a test of
//! the tests must find.

/// Comes by a place.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub async fn hit(_name: &str) {}

/// Whether a fault is switched on.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn is_on(_name: &str) -> bool {
    false
}

#[cfg(feature = "failpoints")]
pub use armed::{hit, is_on};

#[cfg(feature = "failpoints")]
mod armed {
    use std::collections::HashMap;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    struct Armed {
        action: Action,
        strikes_at: u64,
        passed: AtomicU64,
    }

    #[derive(Clone, Copy)]
    enum Action {
        Abort,
        Panic,
        Sleep(u64),
        On,
    }

    static ARMED: LazyLock<HashMap<String, Armed>> = LazyLock::new(|| {
        #[expect(clippy::disallowed_methods, reason = "for tests alone: no part of the configuration")]
        let text = std::env::var("FAILPOINTS").unwrap_or_default();
        text.split(',').filter_map(parse).collect()
    });

    fn parse(entry: &str) -> Option<(String, Armed)> {
        let (name, rest) = entry.trim().split_once('=')?;
        let (action, nth) = rest.split_once('@').unwrap_or((rest, "1"));
        let action = match action.split_once(':') {
            Some(("sleep", ms)) => Action::Sleep(ms.parse().ok()?),
            _ if action == "abort" => Action::Abort,
            _ if action == "panic" => Action::Panic,
            _ if action == "on" => Action::On,
            _ => return None,
        };
        Some((name.to_owned(), Armed { action, strikes_at: nth.parse().ok()?, passed: AtomicU64::new(0) }))
    }

    /// Comes by a place.
    ///
    /// # Panics
    /// Where a test has asked for it.
    pub async fn hit(name: &str) {
        let Some(armed) = ARMED.get(name) else { return };
        if armed.passed.fetch_add(1, Ordering::Relaxed) + 1 != armed.strikes_at {
            return;
        }
        match armed.action {
            Action::Abort => std::process::abort(),
            Action::Panic => panic!("failpoint {name}"),
            Action::Sleep(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
            Action::On => {}
        }
    }

    /// Whether a fault is switched on.
    pub fn is_on(name: &str) -> bool {
        ARMED.get(name).is_some_and(|armed| matches!(armed.action, Action::On))
    }
}
