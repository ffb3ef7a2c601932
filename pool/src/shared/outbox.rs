//! What is told to the store after the fact, in order: ends of calls, findings, changes by the operator.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use redis::{RedisError, RedisResult};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::account::{AccountId, Status};
use crate::memory::settle::{WAVE_MIN_ACCOUNTS, WAVE_MS};
use crate::memory::slot::{Budget, Slot};
use crate::outcome::{Aftermath, Outcome, Reading};
use crate::shared::Inner;
use crate::shared::store::{Finish, Written, is_away};
use crate::shared::wire;

/// Ends of calls told at once.
const BATCH: usize = 128;
/// Ends of calls in one question: Redis answers nobody else meanwhile.
const AT_ONCE: usize = 8;
/// Findings that wait while the store is away; the oldest are dropped beyond that.
const MOST_WAITING: usize = 50_000;
/// A change that was overtaken so many times is given up.
const TRIES: usize = 16;

/// Something to tell.
pub(super) enum Op {
    /// A call has ended.
    Finish(Finish),
    /// Something was learnt about an account, at this time (Unix milliseconds).
    Change(AccountId, i64, Change),
    /// An account is gone.
    Forget(AccountId),
    /// An account serves a conversation.
    Pin { conversation: u64, account: AccountId, keep: Duration },
    /// Everything before this was told.
    Mark(oneshot::Sender<()>),
}

/// Something that was learnt about an account.
#[derive(Clone)]
pub(super) enum Change {
    /// By the end of a call.
    Call { budget: usize, outcome: Outcome },
    /// From the upstream's own numbers.
    Reading { budget: usize, reading: Reading },
    /// By a test of its credential.
    Test { accepted: bool, reason: String },
    /// From its row, which the operator changed.
    Row { status: Status, refusals: u8, budgets: Vec<(usize, Budget)> },
}

impl Change {
    fn apply(&self, account: &mut Slot, wave: bool, now_ms: i64) -> Aftermath {
        match self {
            Self::Call { budget, outcome } => account.learn(*budget, outcome, wave, now_ms),
            Self::Reading { budget, reading } => {
                account.read(*budget, *reading, now_ms);
                Aftermath::default()
            }
            Self::Test { accepted, reason } => account.tested(*accepted, reason, wave, now_ms),
            Self::Row { status, refusals, budgets } => {
                account.status = status.clone();
                account.refusals = *refusals;
                for (at, budget) in budgets {
                    account.budgets[*at] = budget.clone();
                }
                Aftermath::default()
            }
        }
    }
}

/// What waits to be told.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: Mutex<VecDeque<Op>>,
    filled: Notify,
}

impl Outbox {
    pub(super) fn put(&self, op: Op) {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= MOST_WAITING {
            waiting.pop_front();
            metrics::counter!("grok2api_pool_untold_total").increment(1);
        }
        waiting.push_back(op);
        drop(waiting);
        self.filled.notify_one();
    }

    /// The next op, with those ends of calls that follow it directly if it is one.
    fn take(&self) -> Vec<Op> {
        let mut waiting = self.waiting.lock();
        let ends = waiting.iter().take(BATCH).take_while(|op| matches!(op, Op::Finish(_))).count();
        let most = ends.max(1).min(waiting.len());
        waiting.drain(..most).collect()
    }

    fn put_back(&self, op: Op) {
        self.waiting.lock().push_front(op);
    }
}

impl Inner {
    /// Tells what waits, until `stop` is cancelled.
    pub(super) async fn keep_telling(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let filled = self.outbox.filled.notified();
            let back = self.back.notified();
            if !self.replica.lock().is_alone() {
                let ops = self.outbox.take();
                if !ops.is_empty() {
                    self.tell(ops).await;
                    continue;
                }
            }
            tokio::select! {
                () = filled => {}
                () = back => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn tell(&self, ops: Vec<Op>) {
        let mut ends = Vec::with_capacity(ops.len());
        for op in ops {
            match op {
                Op::Finish(end) => ends.push(end),
                Op::Mark(told) => drop(told.send(())),
                Op::Forget(account) => {
                    if let Err(error) = self.store.forget(account).await {
                        tracing::debug!(%error, "a removed account stays in Redis; nobody looks for it");
                    }
                }
                Op::Pin { conversation, account, keep } => {
                    if let Err(error) = self.store.pin(conversation, account, keep).await {
                        tracing::debug!(%error, "other processes do not learn where a conversation is served");
                    }
                }
                Op::Change(account, at, change) => match self.change(account, at, &change).await {
                    Ok(()) => {}
                    Err(error) if is_away(&error) => {
                        self.outbox.put_back(Op::Change(account, at, change));
                        self.lose_touch(&error);
                    }
                    Err(error) => tracing::warn!(%error, account_id = %account, "Redis refuses a change of an account"),
                },
            }
        }
        if let Some(error) = self.tell_ends(ends).await {
            if is_away(&error) {
                self.lose_touch(&error);
            } else {
                tracing::warn!(%error, "Redis refuses the end of a call");
            }
        }
    }

    /// Tells of ends of calls, a few at once; answers an error if there was one.
    async fn tell_ends(&self, ends: Vec<Finish>) -> Option<RedisError> {
        let (ends, most): (Vec<(Finish, u64)>, u32) = {
            let replica = self.replica.lock();
            let known = ends.into_iter().map(|end| (end, replica.version(end.account)));
            (known.collect(), replica.table.policy.max_in_flight)
        };
        let told = join_all(ends.chunks(AT_ONCE).map(|some| self.store.finish(some, most))).await;
        let now = self.now_ms();
        let mut lost = None;
        let mut replica = self.replica.lock();
        for (some, told) in ends.chunks(AT_ONCE).zip(told) {
            match told {
                Ok(truths) => {
                    self.heard();
                    for ((end, _), truth) in some.iter().zip(truths) {
                        replica.learn(end.account, &truth, now);
                    }
                }
                Err(error) => {
                    for (end, _) in some {
                        replica.doubt(end.account);
                    }
                    lost = Some(error);
                }
            }
        }
        lost
    }

    /// Applies a change to what the store has, and writes it there; again when somebody was faster.
    async fn change(&self, id: AccountId, now: i64, change: &Change) -> RedisResult<()> {
        let mut truth = self.store.load(id).await?;
        let mut wave = false;
        for _ in 0..TRIES {
            let (account, names, all) = {
                let replica = self.replica.lock();
                let Some(account) = replica.as_told(id, &truth) else { return Ok(()) };
                (account, replica.table.names.clone(), replica.table.by_id.len())
            };
            if account.version == 0 && matches!(change, Change::Row { .. }) {
                // Whoever needs it takes it from the row.
                return Ok(());
            }
            let mut changed = account;
            changed.roll(now);
            for budget in &mut changed.budgets {
                budget.roll(now);
            }
            let aftermath = change.apply(&mut changed, wave, now);
            let most = (aftermath.expired && all >= WAVE_MIN_ACCOUNTS).then_some(all / 3);
            let fields = wire::fields(&changed, &names, |budget| changed.budgets[budget].remaining);
            match self.store.change(id, changed.version, most, WAVE_MS, &fields).await? {
                Written::Yes(new) => {
                    self.replica.lock().learn(id, &new, now);
                    self.released.notify_waiters();
                    return Ok(());
                }
                Written::Stale(new) => truth = new,
                Written::Wave(new) => (truth, wave) = (new, true),
            }
        }
        tracing::warn!(account_id = %id, "a change of an account was overtaken again and again: it is dropped");
        Ok(())
    }
}

/// What the operator changed of an account, if the store has to know.
pub(super) fn row(before: &Slot, after: &Slot) -> Option<Change> {
    let budgets: Vec<(usize, Budget)> = (before.budgets.iter().zip(&after.budgets).enumerate())
        .filter(|(_, (before, after))| after.measured && after.read_at_ms > before.read_at_ms)
        .map(|(at, (_, after))| (at, after.clone()))
        .collect();
    let is_new = before.status != after.status || !budgets.is_empty();
    is_new.then(|| Change::Row { status: after.status.clone(), refusals: after.refusals, budgets })
}
