//! What several processes must do together: each has a pool of its own over the same Redis.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use grok2api_config::{Strategy, Tier};
use grok2api_pool::{
    AccountId, AccountSeed, Blame, Clock, Grant, Outcome, Policy, PoolState, Reading, RedisPool, ReserveError, Status,
    Want,
};
use rand::{Rng, SeedableRng};

use crate::support::Keys;
use crate::{GROK_4, START};

/// Longest wait for what another process must learn.
const PATIENCE: Duration = Duration::from_secs(10);

const WANT: Want<'static> = Want { budget: GROK_4, cost: 4, tier: Tier::Basic, exclude: &[], prefer: None };

fn policy(max_in_flight: u32) -> Policy {
    Policy { strategy: Strategy::MostRemaining, max_in_flight }
}

fn add(state: &RedisPool, accounts: u128) {
    for n in 1..=accounts {
        state.upsert(AccountSeed::fresh(AccountId::from_u128(n), Tier::Basic, "sealed"));
    }
}

async fn fleet(keys: &Keys, size: usize, accounts: u128, policy: Policy, clock: &Clock) -> Vec<Arc<RedisPool>> {
    let mut fleet = Vec::new();
    for _ in 0..size {
        let state = keys.pool(policy, clock.clone()).await;
        add(&state, accounts);
        fleet.push(Arc::new(state));
    }
    fleet
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Counts what the upstream would see of each account.
#[derive(Default)]
struct Ledger(HashMap<AccountId, Entry>);

#[derive(Default)]
struct Entry {
    running: AtomicU32,
    most_running: AtomicU32,
    units: AtomicI64,
}

impl Ledger {
    fn of(accounts: u128) -> Self {
        Self((1..=accounts).map(|n| (AccountId::from_u128(n), Entry::default())).collect())
    }

    fn begin(&self, grant: &Grant) {
        let entry = &self.0[&grant.account];
        let now = entry.running.fetch_add(1, Ordering::SeqCst) + 1;
        entry.most_running.fetch_max(now, Ordering::SeqCst);
        entry.units.fetch_add(i64::from(grant.cost), Ordering::SeqCst);
    }

    fn end(&self, grant: &Grant, spent: bool) {
        let entry = &self.0[&grant.account];
        entry.running.fetch_sub(1, Ordering::SeqCst);
        if !spent {
            entry.units.fetch_sub(i64::from(grant.cost), Ordering::SeqCst);
        }
    }
}

async fn storm(state: Arc<RedisPool>, ledger: Arc<Ledger>, policy: Policy, calls: u32, seed: u64) -> u32 {
    let mut dice = rand::rngs::StdRng::seed_from_u64(seed);
    let mut served = 0;
    for _ in 0..calls {
        let grant = match state.reserve(&WANT, policy).await {
            Ok(grant) => grant,
            Err(ReserveError::Busy) => {
                tokio::task::yield_now().await;
                continue;
            }
            Err(ReserveError::Limited { .. } | ReserveError::Empty) => break,
        };
        ledger.begin(&grant);
        served += 1;
        if dice.random_bool(0.3) {
            tokio::task::yield_now().await;
        }
        let spent = dice.random_bool(0.02);
        // In the ledger first: from its settlement on, another process may take the place.
        ledger.end(&grant, spent);
        state.settle(&grant, &Outcome::Abandoned { spent });
    }
    served
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i4_no_limit_and_no_budget_is_exceeded_by_all_processes_together() {
    let (keys, rules) = (Keys::default(), policy(2));
    let accounts = 24;
    let fleet = fleet(&keys, 6, accounts, rules, &Clock::manual(START)).await;
    let ledger = Arc::new(Ledger::of(accounts));
    let mut storms = tokio::task::JoinSet::new();
    for (n, state) in fleet.iter().enumerate() {
        for part in 0..10 {
            let seed = u64::try_from(n * 10 + part).expect("small");
            storms.spawn(storm(Arc::clone(state), Arc::clone(&ledger), rules, 250, seed));
        }
    }
    let served: u32 = storms.join_all().await.into_iter().sum();
    assert!(served > 1_000, "{served} of 15,000 were served");
    for (id, entry) in &ledger.0 {
        assert!(entry.most_running.load(Ordering::SeqCst) <= 2, "{id} ran too many calls");
        assert!(entry.units.load(Ordering::SeqCst) <= 80, "{id} spent too much");
    }
    for state in &fleet {
        state.told().await;
    }
    // Every process comes to see what the ledger has.
    for (id, entry) in &ledger.0 {
        let left = 80 - entry.units.load(Ordering::SeqCst);
        let seen = async || {
            fleet.iter().all(|state| {
                let (seed, running) = state.inspect(*id).expect("known");
                let budget = seed.budgets.iter().find(|budget| budget.budget == "grok-4");
                running == 0 && budget.map_or(80, |budget| budget.remaining) == left
            })
        };
        until("all processes agree with the ledger", seen).await;
    }
}

#[tokio::test]
async fn i4_calls_of_a_process_that_died_are_given_back() {
    let (keys, clock) = (Keys::default(), Clock::manual(START));
    let fleet = fleet(&keys, 2, 1, policy(1), &clock).await;
    let dead = keys.pool(policy(1), clock.clone()).await;
    add(&dead, 1);
    let held = dead.reserve(&WANT, policy(1)).await.expect("free");
    drop(dead);
    assert_eq!(fleet[0].reserve(&WANT, policy(1)).await, Err(ReserveError::Busy));
    clock.advance_ms(10_001);
    // The living say so before the dead one's place is taken.
    until("the place is free", async || fleet[1].reserve(&WANT, policy(1)).await.is_ok()).await;
    assert_eq!(held.account, AccountId::from_u128(1));
    assert_eq!(fleet[0].reserve(&WANT, policy(1)).await, Err(ReserveError::Busy), "that of a living one is not");
}

#[tokio::test]
async fn what_one_process_learns_all_know() {
    let (keys, clock) = (Keys::default(), Clock::manual(START));
    let fleet = fleet(&keys, 3, 2, policy(2), &clock).await;
    let (one, other) = (AccountId::from_u128(1), AccountId::from_u128(2));
    let refused = fleet[0].reserve(&Want { exclude: &[other], ..WANT }, policy(2)).await.expect("free");
    let outcome = Outcome::Failed { blame: Blame::Refused, spent: false, reason: "401".into() };
    fleet[0].settle(&refused, &outcome);
    let reading = Reading { remaining: 12, total: Some(80), window: Some(Duration::from_secs(600)), wait: None };
    fleet[1].record_reading(other, GROK_4, reading);
    let learnt = async || {
        fleet.iter().all(|state| {
            let suspect = matches!(state.status(one), Some(Status::Cooling { .. }));
            let (seed, _) = state.inspect(other).expect("known");
            suspect && seed.budgets.iter().any(|budget| budget.remaining == 12 && budget.measured)
        })
    };
    until("everybody knows", learnt).await;
    // The second opinion of another process condemns, and everybody knows again.
    assert!(fleet[2].record_test(one, false, "401 again").expired);
    let condemned = async || fleet.iter().all(|state| matches!(state.status(one), Some(Status::Expired { .. })));
    until("condemned everywhere", condemned).await;
}

#[tokio::test]
async fn a_wave_condemns_a_third_of_the_pool_whoever_sees_it() {
    let (keys, clock) = (Keys::default(), Clock::manual(START));
    let fleet = fleet(&keys, 3, 9, policy(2), &clock).await;
    for _ in 0..2 {
        for n in 1..=9 {
            let state = &fleet[n % 3];
            state.record_test(AccountId::from_u128(n as u128), false, "wave");
            state.told().await;
        }
    }
    let three = async || fleet.iter().all(|state| state.census().expired == 3);
    until("three are condemned, everywhere", three).await;
}

#[tokio::test]
async fn f28_a_store_that_lost_its_memory_is_told_again() {
    let (keys, clock) = (Keys::default(), Clock::manual(START));
    let fleet = fleet(&keys, 2, 1, policy(2), &clock).await;
    let _held = fleet[0].reserve(&WANT, policy(2)).await.expect("free");
    let other = fleet[1].reserve(&WANT, policy(2)).await.expect("free");
    assert!(keys.lose() > 0);
    let full = async || match fleet[1].reserve(&WANT, policy(2)).await {
        Err(error) => error == ReserveError::Busy && fleet.iter().all(|state| state.census().in_flight <= 2),
        Ok(grant) => {
            // Until everybody has told of its calls, one more may get in.
            fleet[1].settle(&grant, &Outcome::Abandoned { spent: false });
            false
        }
    };
    until("both running calls are known again", full).await;
    fleet[1].settle(&other, &Outcome::Success);
    until("and end as ever", async || fleet[0].reserve(&WANT, policy(2)).await.is_ok()).await;
}

#[tokio::test]
async fn f54_a_removed_account_is_not_brought_back_by_a_late_end() {
    let (keys, clock) = (Keys::default(), Clock::manual(START));
    let fleet = fleet(&keys, 2, 1, policy(2), &clock).await;
    let late = fleet[0].reserve(&WANT, policy(2)).await.expect("free");
    for state in &fleet {
        state.remove(late.account);
    }
    fleet[0].settle(&late, &Outcome::Failed { blame: Blame::Refused, spent: false, reason: "401".into() });
    fleet[0].record_test(late.account, true, "");
    for state in &fleet {
        state.told().await;
        assert_eq!(state.reserve(&WANT, policy(2)).await, Err(ReserveError::Empty));
    }
}

#[tokio::test]
async fn a_place_freed_by_one_process_wakes_those_who_wait_in_another() {
    let (keys, clock) = (Keys::default(), Clock::System);
    let fleet = fleet(&keys, 2, 1, policy(1), &clock).await;
    let held = fleet[0].reserve(&WANT, policy(1)).await.expect("free");
    let waiter = Arc::clone(&fleet[1]);
    let waiting = tokio::spawn(async move {
        loop {
            let released = waiter.released();
            match waiter.reserve(&WANT, policy(1)).await {
                Ok(grant) => return grant,
                Err(_) => released.await,
            }
        }
    });
    fleet[0].settle(&held, &Outcome::Success);
    let got = tokio::time::timeout(PATIENCE, waiting).await.expect("woken").expect("served");
    assert_eq!(got.account, held.account);
}

#[tokio::test]
async fn a_question_that_is_given_up_holds_no_place() {
    let keys = Keys::default();
    let fleet = fleet(&keys, 2, 1, policy(1), &Clock::System).await;
    for _ in 0..50 {
        let asked = fleet[0].reserve(&WANT, policy(1));
        // Polled once, so that the question is on its way.
        if let Ok(Ok(grant)) = tokio::time::timeout(Duration::ZERO, asked).await {
            fleet[0].settle(&grant, &Outcome::Success);
        }
    }
    until("the place is free", async || {
        let got = fleet[1].reserve(&WANT, policy(1)).await;
        got.is_ok_and(|grant| fleet[1].settle(&grant, &Outcome::Success) == grok2api_pool::Aftermath::default())
    })
    .await;
}
