//! The pool's live state on Redis, for any number of processes.
//!
//! Every process ranks accounts by a replica of its own, and asks Redis for the best of them; a script takes the
//! first that really has a free place and enough left. So one reservation costs one question, whatever the size of the
//! pool. What else happens is told afterwards, in order. While Redis is away, each process keeps to its part.

mod follow;
mod outbox;
mod replica;
mod store;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use grok2api_config::ModelTable;
use parking_lot::Mutex;
use redis::{ErrorKind, RedisError};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::outbox::{Change, Op, Outbox};
use self::replica::{Ended, Proposal, Replica, Try};
use self::store::{Answer, Store, is_away};
use crate::account::{AccountId, AccountSeed};
use crate::clock::Clock;
use crate::memory::table::Table;
use crate::memory::until;
use crate::outcome::{Aftermath, Outcome, Reading};
use crate::state::{Census, Policy, PoolState};
use crate::sticky::Sticky;
use crate::want::{BudgetIx, Grant, ReserveError, Want};

/// Redis needs a tenth of a millisecond for an answer. When it says nothing to anybody here for so long, it is away.
const SILENCE: Duration = Duration::from_millis(250);
/// Longest wait for one answer while others come: this machine is busy.
const PATIENCE: Duration = Duration::from_secs(2);
/// Questions asked for one reservation before its accounts count as busy.
const ROUNDS: usize = 8;
/// Longest wait for the account of a conversation: any other one will do.
const PIN_PATIENCE: Duration = Duration::from_millis(20);
/// A conversation's account is looked up anew after this time: another process may have served it meanwhile.
const PIN_TRUSTED: Duration = Duration::from_secs(60);
/// Longest wait for what is to be told at the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Live state on Redis.
pub struct RedisPool {
    inner: Arc<Inner>,
    _stop: DropGuard,
}

struct Inner {
    store: Store,
    replica: Mutex<Replica>,
    outbox: Outbox,
    sticky: Sticky,
    clock: Clock,
    /// What Redis' clock is ahead of ours, in ms.
    ahead_ms: AtomicI64,
    /// Whether Redis knows that this process lives.
    is_known: AtomicBool,
    /// Which of how many processes this one is.
    rank: Mutex<(usize, usize)>,
    /// When somebody last found every account busy, Unix ms.
    hungry_at_ms: AtomicI64,
    /// When Redis last answered anything.
    heard_at: Mutex<Instant>,
    /// A place was freed, or something changed.
    released: Notify,
    /// There is something to look at.
    bell: Notify,
    /// Redis answers.
    back: Notify,
}

impl std::fmt::Debug for RedisPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisPool").finish_non_exhaustive()
    }
}

/// Why the pool cannot be shared.
#[derive(Debug, thiserror::Error)]
#[error("Redis does not answer: {0}")]
pub struct ShareError(#[from] RedisError);

impl RedisPool {
    /// An empty pool that shares the state of its accounts with all processes of the same Redis and `prefix`.
    ///
    /// # Errors
    /// Redis does not answer, or refuses us.
    pub async fn connect(
        url: &str,
        prefix: &str,
        models: &ModelTable,
        policy: Policy,
        clock: Clock,
    ) -> Result<Self, ShareError> {
        let inner = Arc::new(Inner {
            store: Store::connect(url, prefix, models, clock.clone()).await?,
            replica: Mutex::new(Replica::new(Table::new(models, policy))),
            outbox: Outbox::default(),
            sticky: Sticky::default(),
            clock,
            ahead_ms: AtomicI64::new(0),
            is_known: AtomicBool::new(false),
            rank: Mutex::new((0, 1)),
            hungry_at_ms: AtomicI64::new(i64::MIN / 2),
            heard_at: Mutex::new(Instant::now()),
            released: Notify::new(),
            bell: Notify::new(),
            back: Notify::new(),
        });
        let stop = CancellationToken::new();
        tokio::spawn(Arc::clone(&inner).keep_telling(stop.clone()));
        tokio::spawn(Arc::clone(&inner).keep_following(stop.clone()));
        tokio::spawn(Arc::clone(&inner).keep_listening(stop.clone()));
        Ok(Self { inner, _stop: stop.drop_guard() })
    }
}

impl Inner {
    /// Unix milliseconds by the clock of Redis.
    fn now_ms(&self) -> i64 {
        self.clock.now_ms() + self.ahead_ms.load(Ordering::Relaxed)
    }

    fn deadline_ms(&self) -> i64 {
        match self.clock {
            Clock::System => self.now_ms() + i64::try_from(PATIENCE.as_millis()).unwrap_or(0),
            Clock::Manual(_) => 0,
        }
    }

    /// Redis has answered.
    fn heard(&self) {
        *self.heard_at.lock() = Instant::now();
    }

    /// An answer, for as long as Redis answers anything; `None` when it has fallen silent.
    async fn in_time<T>(&self, asked: impl Future<Output = T>) -> Option<T> {
        let mut asked = std::pin::pin!(asked);
        let began = Instant::now();
        let last = began + PATIENCE;
        let mut until = began + SILENCE;
        loop {
            if let Ok(answer) = tokio::time::timeout_at(until, &mut asked).await {
                self.heard();
                return Some(answer);
            }
            let heard = (*self.heard_at.lock()).max(began);
            if heard + SILENCE <= until || until >= last {
                return None;
            }
            until = (heard + SILENCE).min(last);
        }
    }

    fn propose(&self, want: &Want<'_>, policy: Policy, asking: Try) -> Result<Proposed<'_>, ReserveError> {
        let (now, deadline) = (self.now_ms(), self.deadline_ms());
        let mut replica = self.replica.lock();
        replica.table.set_policy(policy);
        if replica.is_alone() {
            return replica.reserve_alone(want, now).map(Proposed::Alone);
        }
        let proposal = replica.propose(want, policy, now, deadline, asking)?;
        drop(replica);
        Ok(Proposed::Ask(Question { inner: self, proposal: Some(proposal) }))
    }

    async fn reserve(&self, want: &Want<'_>, policy: Policy) -> Result<Grant, ReserveError> {
        let mut asking = Try { is_first: true, tell_all: false };
        for _ in 0..ROUNDS {
            let question = match self.propose(want, policy, asking)? {
                Proposed::Alone(grant) => return Ok(grant),
                Proposed::Ask(question) => question,
            };
            asking.is_first = false;
            asking.tell_all = match question.ask().await {
                Heard::Taken(grant) => return Ok(grant),
                Heard::Again => false,
                Heard::Unknown => true,
                Heard::Nothing(error) => {
                    self.lose_touch(&error);
                    false
                }
            };
        }
        Err(ReserveError::Busy)
    }
}

enum Proposed<'a> {
    Alone(Grant),
    Ask(Question<'a>),
}

enum Heard {
    Taken(Grant),
    /// The accounts have changed: choose again.
    Again,
    /// An account was not known: tell about it.
    Unknown,
    Nothing(RedisError),
}

/// An open question. Dropping it leaves its accounts in doubt, so that no place is lost.
struct Question<'a> {
    inner: &'a Inner,
    proposal: Option<Proposal>,
}

impl Question<'_> {
    async fn ask(mut self) -> Heard {
        let Some(proposal) = &self.proposal else { return Heard::Again };
        let late = || RedisError::from((ErrorKind::Io, "it did not answer in time"));
        let introduce = !self.inner.is_known.load(Ordering::Relaxed);
        let asked = self.inner.in_time(self.inner.store.reserve(proposal.ask, &proposal.told, introduce)).await;
        let answer = asked.unwrap_or_else(|| Err(late()));
        let now = self.inner.now_ms();
        let mut replica = self.inner.replica.lock();
        let Some(proposal) = self.proposal.take() else { return Heard::Again };
        match answer {
            Ok(Answer::Taken(place, seen)) => {
                replica.taken(proposal, place, &seen, now).map_or(Heard::Again, Heard::Taken)
            }
            Ok(Answer::None(seen)) => {
                replica.refused(&proposal, &seen, now);
                Heard::Again
            }
            Ok(Answer::Unknown) => {
                replica.withdraw(&proposal, false);
                Heard::Unknown
            }
            Ok(Answer::Late) => {
                replica.withdraw(&proposal, false);
                Heard::Nothing(late())
            }
            Err(error) => {
                replica.withdraw(&proposal, is_away(&error));
                Heard::Nothing(error)
            }
        }
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        if let Some(proposal) = self.proposal.take() {
            self.inner.replica.lock().withdraw(&proposal, true);
            self.inner.released.notify_waiters();
        }
    }
}

#[async_trait]
impl PoolState for RedisPool {
    async fn reserve(&self, want: &Want<'_>, policy: Policy) -> Result<Grant, ReserveError> {
        let reserved = self.inner.reserve(want, policy).await;
        if reserved == Err(ReserveError::Busy) {
            self.inner.hungry_at_ms.store(self.inner.now_ms(), Ordering::Relaxed);
        }
        reserved
    }

    fn settle(&self, grant: &Grant, outcome: &Outcome) -> Aftermath {
        let now = self.inner.now_ms();
        let (aftermath, ended) = self.inner.replica.lock().end(grant, outcome, now);
        let learn = match ended {
            Ended::Tell(end) => {
                self.inner.outbox.put(Op::Finish(end));
                matches!(outcome, Outcome::Failed { .. })
            }
            Ended::Mended { learn } => learn,
            Ended::Gone => false,
        };
        if learn {
            let change = Change::Call { budget: usize::from(grant.budget.0), outcome: outcome.clone() };
            self.inner.outbox.put(Op::Change(grant.account, now, change));
        }
        self.inner.released.notify_waiters();
        aftermath
    }

    fn record_reading(&self, account: AccountId, budget: BudgetIx, reading: Reading) {
        let now = self.inner.now_ms();
        self.inner.replica.lock().table.record_reading(account, budget, reading, now);
        let change = Change::Reading { budget: usize::from(budget.0), reading };
        self.inner.outbox.put(Op::Change(account, now, change));
        self.inner.released.notify_waiters();
    }

    fn record_test(&self, account: AccountId, accepted: bool, reason: &str) -> Aftermath {
        let now = self.inner.now_ms();
        let aftermath = self.inner.replica.lock().table.record_test(account, accepted, reason, now);
        self.inner.outbox.put(Op::Change(account, now, Change::Test { accepted, reason: reason.to_owned() }));
        self.inner.released.notify_waiters();
        aftermath
    }

    fn upsert(&self, seed: AccountSeed) {
        let (id, now) = (seed.id, self.inner.now_ms());
        let mut replica = self.inner.replica.lock();
        let table = &mut replica.table;
        let slot_of = |table: &Table| table.by_id.get(&id).and_then(|slot| table.slots[*slot as usize].clone());
        let before = slot_of(table);
        table.upsert(seed, now);
        let change = before.as_ref().and_then(|before| outbox::row(before, &slot_of(table)?));
        if before.is_none() {
            replica.strangers.push(id);
        }
        drop(replica);
        if let Some(change) = change {
            self.inner.outbox.put(Op::Change(id, now, change));
        }
        self.inner.released.notify_waiters();
    }

    fn remove(&self, account: AccountId) {
        self.inner.replica.lock().table.remove(account);
        self.inner.outbox.put(Op::Forget(account));
    }

    fn ids(&self) -> Vec<AccountId> {
        self.inner.replica.lock().table.ids()
    }

    fn inspect(&self, account: AccountId) -> Option<(AccountSeed, u32)> {
        self.inner.replica.lock().table.inspect(account, self.inner.now_ms())
    }

    fn take_dirty(&self, limit: usize) -> Vec<AccountSeed> {
        self.inner.replica.lock().table.take_dirty(limit)
    }

    fn keep_dirty(&self, changes: &[AccountSeed]) {
        self.inner.replica.lock().table.keep_dirty(changes);
    }

    fn census(&self) -> Census {
        self.inner.replica.lock().table.census()
    }

    async fn pinned(&self, conversation: u64) -> Option<AccountId> {
        let inner = &self.inner;
        let known = inner.sticky.get(conversation, inner.now_ms());
        if known.is_some() || inner.replica.lock().is_alone() {
            return known;
        }
        let asked = tokio::time::timeout(PIN_PATIENCE, inner.store.pinned(conversation)).await;
        let account = asked.ok()?.ok().flatten()?;
        inner.sticky.set(conversation, account, until(inner.now_ms(), PIN_TRUSTED));
        Some(account)
    }

    fn pin(&self, conversation: u64, account: AccountId, keep: Duration) {
        let is_new = self.inner.sticky.set(conversation, account, until(self.inner.now_ms(), keep.min(PIN_TRUSTED)));
        if is_new {
            self.inner.outbox.put(Op::Pin { conversation, account, keep });
        }
    }

    fn released(&self) -> tokio::sync::futures::Notified<'_> {
        self.inner.released.notified()
    }

    async fn told(&self) {
        let (told, done) = oneshot::channel();
        self.inner.outbox.put(Op::Mark(told));
        let inner = &self.inner;
        let met = async {
            loop {
                let looked = inner.back.notified();
                if inner.replica.lock().strangers.is_empty() {
                    return;
                }
                inner.bell.notify_one();
                looked.await;
            }
        };
        // Without an answer, Redis is away, and nobody waits for it.
        let _ = tokio::time::timeout(LAST_WORDS, async { tokio::join!(done, met) }).await;
    }

    async fn leave(&self) {
        self.told().await;
        if let Err(error) = self.inner.store.leave().await {
            tracing::debug!(%error, "Redis was not told that this process ends: it finds out by itself");
        }
    }

    fn is_shared(&self) -> bool {
        true
    }
}
