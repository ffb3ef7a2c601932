//! Where requests wait while every account that could serve them is busy.
//!
//! Places that become free go to live chats before jobs, and among those to each client key in turn. Who waits longer
//! than it may, or leaves, costs nobody else anything.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use grok2api_config::{SettingsHandle, Tier};
use parking_lot::Mutex;
use secrecy::SecretString;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::account::AccountId;
use crate::lease::Lease;
use crate::state::{Policy, PoolState};
use crate::want::{BudgetIx, Caller, Class, ReserveError, Want};

/// Who waits is looked at this often even when no place is freed: a window may have passed.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Places given from here before their pace says anything.
const PACE_NEEDS: u32 = 8;
/// A pace older than this says nothing.
const PACE_AGE: Duration = Duration::from_secs(30);

/// What a request waits for; places that serve one serve all of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Line {
    budget: BudgetIx,
    cost: u32,
    tier: Tier,
}

/// Why somebody does not wait, or no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Turned {
    /// As many wait as may, or it would not be served in time: come back later.
    Away {
        /// When to come back.
        retry_after: Duration,
    },
    /// It was not served in time.
    TimeIsUp,
    /// There is no account to wait for any more.
    Refused(ReserveError),
}

type Answer = Result<Lease, ReserveError>;

struct Waiter {
    line: Line,
    exclude: Vec<AccountId>,
    prefer: Option<AccountId>,
    answer: oneshot::Sender<Answer>,
}

/// Those of one class, by client key.
#[derive(Default)]
struct Turns {
    /// Keys with somebody waiting, the next one first.
    keys: VecDeque<u64>,
    waiting: HashMap<u64, VecDeque<Waiter>>,
}

#[derive(Default)]
struct Queue {
    live: Turns,
    jobs: Turns,
    lines: HashMap<(Class, Line), usize>,
    waiting: usize,
    /// Whether somebody gives out places.
    is_served: bool,
    pace: Option<Pace>,
}

/// How fast places are given to those who wait.
#[derive(Debug, Clone, Copy)]
struct Pace {
    given: u32,
    latest: Instant,
    /// Moving average of the time between two.
    gap: Duration,
}

/// The waiting room.
pub(crate) struct Room {
    state: Arc<dyn PoolState>,
    settings: SettingsHandle,
    queue: Mutex<Queue>,
}

impl Room {
    pub(crate) fn new(state: Arc<dyn PoolState>, settings: SettingsHandle) -> Arc<Self> {
        Arc::new(Self { state, settings, queue: Mutex::default() })
    }

    /// Whether somebody waits for the same who comes first.
    pub(crate) fn is_before(&self, want: &Want<'_>, class: Class) -> bool {
        let queue = self.queue.lock();
        queue.waiting > 0 && queue.ahead(line(want), class) > 0
    }

    /// Waits for an account, for `patience` at most.
    pub(crate) async fn wait(
        self: &Arc<Self>,
        want: &Want<'_>,
        caller: Caller,
        patience: Duration,
        most: usize,
    ) -> Result<Lease, Turned> {
        let deadline = Instant::now() + patience;
        let (answer, mut answered) = oneshot::channel();
        {
            let mut queue = self.queue.lock();
            queue.turn_away(line(want), caller.class, patience, most)?;
            let waiter = Waiter { line: line(want), exclude: want.exclude.to_vec(), prefer: want.prefer, answer };
            queue.join(caller, waiter);
            if !std::mem::replace(&mut queue.is_served, true) {
                tokio::spawn(Arc::clone(self).serve());
            }
        }
        let answer = if let Ok(answer) = tokio::time::timeout_at(deadline, &mut answered).await {
            answer.ok()
        } else {
            answered.close();
            // It may have come in the last moment.
            answered.try_recv().ok()
        };
        match answer {
            Some(Ok(lease)) => Ok(lease),
            Some(Err(refusal)) => Err(Turned::Refused(refusal)),
            None => Err(Turned::TimeIsUp),
        }
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.lock().waiting
    }

    /// Gives out places until nobody waits.
    async fn serve(self: Arc<Self>) {
        loop {
            let mut released = std::pin::pin!(self.state.released());
            released.as_mut().enable();
            self.give().await;
            {
                let mut queue = self.queue.lock();
                queue.sweep();
                if queue.waiting == 0 {
                    queue.is_served = false;
                    return;
                }
            }
            // Everybody's time may be up before a place is free.
            let _ = tokio::time::timeout(LOOK_EVERY, released).await;
        }
    }

    /// Serves those who can be served now.
    async fn give(&self) {
        let mut full: HashSet<Line> = HashSet::new();
        // The rules may change while requests wait.
        let policy = Policy::from(&self.settings.load().pool);
        for class in [Class::Live, Class::Job] {
            let mut turn = 0;
            loop {
                let next = self.queue.lock().next(class, turn, &full);
                let Some((key, waiter)) = next else { break };
                turn = self.try_one(class, key, waiter, policy, &mut full, turn).await;
            }
        }
    }

    /// Tries to serve one who was taken out of the queue; answers how many of the class are to be passed over next.
    async fn try_one(
        &self,
        class: Class,
        key: u64,
        waiter: Waiter,
        policy: Policy,
        full: &mut HashSet<Line>,
        turn: usize,
    ) -> usize {
        let Line { budget, cost, tier } = waiter.line;
        let want = Want { budget, cost, tier, exclude: &waiter.exclude, prefer: waiter.prefer };
        match self.state.reserve(&want, policy).await {
            Err(ReserveError::Busy) => {
                // Whoever excludes accounts waits for others than the rest, and is only passed over.
                let is_full = waiter.exclude.is_empty() && full.insert(waiter.line);
                self.queue.lock().back_in_front(class, key, waiter);
                if is_full { turn } else { turn + 1 }
            }
            Err(refusal) => {
                self.queue.lock().gone(class, waiter.line);
                let _ = waiter.answer.send(Err(refusal));
                turn
            }
            Ok(grant) => {
                let lease = Lease::new(Arc::clone(&self.state), grant, SecretString::default());
                let mut queue = self.queue.lock();
                queue.gone(class, waiter.line);
                // Should nobody be there any more, dropping it gives the place back.
                if waiter.answer.send(Ok(lease)).is_ok() {
                    queue.served(class, key);
                }
                turn
            }
        }
    }
}

fn line(want: &Want<'_>) -> Line {
    Line { budget: want.budget, cost: want.cost, tier: want.tier }
}

impl Queue {
    fn turns(&mut self, class: Class) -> &mut Turns {
        match class {
            Class::Live => &mut self.live,
            Class::Job => &mut self.jobs,
        }
    }

    /// Those who wait for the same and come first.
    fn ahead(&self, line: Line, class: Class) -> usize {
        let of = |class| self.lines.get(&(class, line)).copied().unwrap_or(0);
        match class {
            Class::Live => of(Class::Live),
            Class::Job => of(Class::Live) + of(Class::Job),
        }
    }

    /// Refuses whom waiting would not help.
    fn turn_away(&self, line: Line, class: Class, patience: Duration, most: usize) -> Result<(), Turned> {
        let pace = self.pace.filter(|pace| pace.given >= PACE_NEEDS && pace.latest.elapsed() < PACE_AGE);
        let ahead = u32::try_from(self.ahead(line, class)).unwrap_or(u32::MAX);
        let wait = pace.map(|pace| pace.gap.saturating_mul(ahead.saturating_add(1)));
        let hopeless = wait.is_some_and(|wait| wait > patience.saturating_mul(2));
        if self.waiting >= most || hopeless {
            let retry_after =
                wait.unwrap_or(Duration::from_secs(1)).clamp(Duration::from_secs(1), Duration::from_secs(60));
            return Err(Turned::Away { retry_after });
        }
        Ok(())
    }

    fn join(&mut self, caller: Caller, waiter: Waiter) {
        *self.lines.entry((caller.class, waiter.line)).or_default() += 1;
        self.waiting += 1;
        let turns = self.turns(caller.class);
        turns.waiting.entry(caller.key).or_default().push_back(waiter);
        if !turns.keys.contains(&caller.key) {
            turns.keys.push_back(caller.key);
        }
    }

    /// Takes out the `turn`th in fair order of those who may be served.
    fn next(&mut self, class: Class, turn: usize, full: &HashSet<Line>) -> Option<(u64, Waiter)> {
        let turns = self.turns(class);
        let depth = turns.waiting.values().map(VecDeque::len).max().unwrap_or(0);
        let mut passed = 0;
        for at in 0..depth {
            for place in 0..turns.keys.len() {
                let key = turns.keys[place];
                let Some(of_key) = turns.waiting.get_mut(&key) else { continue };
                let Some(waiter) = of_key.get(at) else { continue };
                if full.contains(&waiter.line) || waiter.answer.is_closed() {
                    continue;
                }
                if passed < turn {
                    passed += 1;
                    continue;
                }
                return of_key.remove(at).map(|waiter| (key, waiter));
            }
        }
        None
    }

    /// Puts back one who was taken out in vain.
    fn back_in_front(&mut self, class: Class, key: u64, waiter: Waiter) {
        let turns = self.turns(class);
        turns.waiting.entry(key).or_default().push_front(waiter);
        if !turns.keys.contains(&key) {
            turns.keys.push_front(key);
        }
    }

    fn gone(&mut self, class: Class, line: Line) {
        self.waiting = self.waiting.saturating_sub(1);
        if let Some(count) = self.lines.get_mut(&(class, line)) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.lines.remove(&(class, line));
            }
        }
    }

    /// A key has had its turn.
    fn served(&mut self, class: Class, key: u64) {
        let now = Instant::now();
        self.pace = Some(match self.pace.filter(|pace| now - pace.latest < PACE_AGE) {
            None => Pace { given: 1, latest: now, gap: Duration::ZERO },
            Some(pace) if pace.given == 1 => Pace { given: 2, latest: now, gap: now - pace.latest },
            Some(pace) => Pace { given: pace.given + 1, latest: now, gap: (pace.gap * 7 + (now - pace.latest)) / 8 },
        });
        let turns = self.turns(class);
        if let Some(at) = turns.keys.iter().position(|other| *other == key) {
            turns.keys.remove(at);
            turns.keys.push_back(key);
        }
    }

    /// Forgets those who have left.
    fn sweep(&mut self) {
        for class in [Class::Live, Class::Job] {
            let turns = self.turns(class);
            let mut left = Vec::new();
            for of_key in turns.waiting.values_mut() {
                of_key.retain(|waiter| {
                    let stays = !waiter.answer.is_closed();
                    if !stays {
                        left.push(waiter.line);
                    }
                    stays
                });
            }
            turns.waiting.retain(|_, of_key| !of_key.is_empty());
            let Turns { keys, waiting } = turns;
            keys.retain(|key| waiting.contains_key(key));
            for line in left {
                self.gone(class, line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    const LINE: Line = Line { budget: BudgetIx(0), cost: 1, tier: Tier::Basic };

    fn join(queue: &mut Queue, class: Class, key: u64) -> oneshot::Receiver<Answer> {
        let (answer, answered) = oneshot::channel();
        let waiter = Waiter { line: LINE, exclude: Vec::new(), prefer: None, answer };
        queue.join(Caller { class, key, conversation: None }, waiter);
        answered
    }

    #[test]
    fn f67_keys_take_turns_however_many_of_each_wait() {
        let mut queue = Queue::default();
        let waiting: Vec<_> = [1, 1, 1, 2, 1, 3].map(|key| join(&mut queue, Class::Live, key)).into();
        let mut order = Vec::new();
        while let Some((key, waiter)) = queue.next(Class::Live, 0, &HashSet::new()) {
            queue.gone(Class::Live, waiter.line);
            queue.served(Class::Live, key);
            order.push(key);
        }
        assert_eq!(order, [1, 2, 3, 1, 1, 1]);
        assert_eq!((queue.waiting, waiting.len()), (0, 6));
    }

    #[test]
    fn whom_waiting_would_not_help_is_told_at_once_when_to_come_back() {
        let mut queue = Queue::default();
        let patience = Duration::from_secs(5);
        let now = Instant::now();
        queue.pace = Some(Pace { given: PACE_NEEDS, latest: now, gap: Duration::from_secs(4) });
        let _waiting: Vec<_> = [1, 2, 3].map(|key| join(&mut queue, Class::Live, key)).into();
        assert_eq!(
            queue.turn_away(LINE, Class::Live, patience, 100),
            Err(Turned::Away { retry_after: Duration::from_secs(16) })
        );
        let other = Line { cost: 4, ..LINE };
        assert_eq!(queue.turn_away(other, Class::Live, patience, 100), Ok(()), "nobody waits for that");
        assert!(queue.turn_away(other, Class::Live, patience, 3).is_err(), "the room is full");
        queue.pace = None;
        assert_eq!(queue.turn_away(LINE, Class::Live, patience, 100), Ok(()), "nothing is known");
    }

    #[test]
    fn who_has_left_is_forgotten() {
        let mut queue = Queue::default();
        let stays = join(&mut queue, Class::Job, 1);
        drop(join(&mut queue, Class::Job, 1));
        drop(join(&mut queue, Class::Live, 2));
        queue.sweep();
        assert_eq!((queue.waiting, queue.ahead(LINE, Class::Job), queue.ahead(LINE, Class::Live)), (1, 1, 0));
        let (key, waiter) = queue.next(Class::Job, 0, &HashSet::new()).unwrap();
        assert_eq!(key, 1);
        queue.back_in_front(Class::Job, key, waiter);
        drop(stays);
        queue.sweep();
        assert_eq!((queue.waiting, queue.jobs.keys.len()), (0, 0));
    }
}
