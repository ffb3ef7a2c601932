//! How many jobs of a kind a process may have at once, and for how many more it has a hand free.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::control::Ruled;

/// The hands of one lane.
#[derive(Debug)]
pub(crate) struct Hands {
    /// How many there are while nobody says otherwise.
    own: usize,
    ruled: Ruled,
    bench: Arc<Bench>,
}

#[derive(Debug, Default)]
struct Bench {
    busy: Mutex<usize>,
    freed: Notify,
}

/// A hand that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Hand(Arc<Bench>);

impl Hands {
    /// As many as `own`, unless the operator says otherwise.
    pub(crate) fn new(own: usize, ruled: Ruled) -> Self {
        Self { own, ruled, bench: Arc::default() }
    }

    /// Waits until somebody is free and the kind is not paused, and takes all who are, but not more than `most`.
    pub(crate) async fn free(&mut self, most: usize) -> Vec<Hand> {
        loop {
            let rule = self.ruled.now();
            let all = if rule.paused { 0 } else { rule.concurrency.map_or(self.own, usize::from) };
            let taken = self.take(all, most);
            if !taken.is_empty() {
                return taken;
            }
            tokio::select! {
                () = self.bench.freed.notified() => {}
                () = self.ruled.changed() => {}
            }
        }
    }

    fn take(&self, all: usize, most: usize) -> Vec<Hand> {
        let mut busy = self.bench.busy.lock();
        let free = all.saturating_sub(*busy).min(most);
        *busy += free;
        (0..free).map(|_| Hand(Arc::clone(&self.bench))).collect()
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        *self.0.busy.lock() -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use grok2api_entity::job::Kind;

    use super::*;
    use crate::control::{Rule, Rules};

    const KIND: Kind = Kind::TokenTest;

    fn rule(paused: bool, concurrency: Option<u16>) -> Rule {
        Rule { paused, concurrency }
    }

    #[test]
    fn as_many_are_free_as_are_not_busy_and_none_while_paused() {
        let rules = Rules::default();
        let mut hands = Hands::new(3, rules.of(KIND));
        let mut first = hands.free(2).now_or_never().unwrap_or_default();
        assert_eq!((first.len(), hands.free(9).now_or_never().map_or(0, |more| more.len())), (2, 1));
        first.pop();
        rules.set_one(KIND, rule(true, None));
        assert!(hands.free(9).now_or_never().is_none(), "paused");
        rules.set_one(KIND, rule(false, Some(1)));
        assert!(hands.free(9).now_or_never().is_none(), "one is busy, and there are no more");
        first.clear();
        let held = hands.free(9).now_or_never().unwrap_or_default();
        assert_eq!(held.len(), 1);
        rules.set_one(KIND, rule(false, Some(5)));
        assert_eq!(hands.free(9).now_or_never().map_or(0, |more| more.len()), 4);
        rules.set_one(KIND, rule(false, None));
        drop(held);
        assert_eq!(hands.free(9).now_or_never().map_or(0, |more| more.len()), 3, "as configured");
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_a_rule_and_by_a_hand() {
        let rules = Rules::default();
        rules.set_one(KIND, rule(true, None));
        let mut hands = Hands::new(1, rules.of(KIND));
        let waiting = tokio::spawn(async move {
            let first = hands.free(1).await;
            drop(first);
            hands.free(1).await.len()
        });
        tokio::task::yield_now().await;
        rules.set_one(KIND, rule(false, None));
        assert_eq!(waiting.await.ok(), Some(1));
    }
}
