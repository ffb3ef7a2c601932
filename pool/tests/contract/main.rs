//! What every implementation of the pool's state must do, in memory and on Redis.

mod shared;
mod support;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use grok2api_config::{ModelTable, Strategy, Tier};
use grok2api_pool::{
    AccountId, AccountSeed, Blame, BudgetIx, Clock, Grant, MemoryPool, Outcome, Policy, PoolState, Reading,
    ReserveError, Status, Want,
};

use support::Keys;
use waiting::{
    a_conversation_stays_with_its_account_while_that_can_serve, live_chats_come_before_jobs_and_keys_take_turns,
    who_cannot_be_served_in_time_is_told_so, who_leaves_while_waiting_takes_no_place,
};

const START: i64 = 1_800_000_000_000;
const GROK_4: BudgetIx = BudgetIx(2);
const HEAVY: BudgetIx = BudgetIx(3);

/// Where the state is kept.
#[derive(Debug, Clone, Copy)]
enum Store {
    Memory,
    Redis,
}

struct Bench {
    state: Arc<dyn PoolState>,
    clock: Clock,
    policy: Policy,
    _keys: Option<Keys>,
}

impl Bench {
    async fn new(store: Store, strategy: Strategy, max_in_flight: u32) -> Self {
        let clock = Clock::manual(START);
        let policy = Policy { strategy, max_in_flight };
        let models = ModelTable::default();
        let keys = matches!(store, Store::Redis).then(Keys::default);
        let state: Arc<dyn PoolState> = match &keys {
            None => Arc::new(MemoryPool::new(&models, policy, clock.clone())),
            Some(keys) => Arc::new(keys.pool(policy, clock.clone()).await),
        };
        Self { state, clock, policy, _keys: keys }
    }

    fn add(&self, n: u128, tier: Tier) -> AccountId {
        let id = AccountId::from_u128(n);
        self.state.upsert(AccountSeed::fresh(id, tier, "sealed"));
        id
    }

    async fn reserve_on(
        &self,
        budget: BudgetIx,
        cost: u32,
        tier: Tier,
        exclude: &[AccountId],
    ) -> Result<Grant, ReserveError> {
        self.state.told().await;
        self.state.reserve(&Want { budget, cost, tier, exclude, prefer: None }, self.policy).await
    }

    async fn reserve(&self) -> Result<Grant, ReserveError> {
        self.reserve_on(GROK_4, 4, Tier::Basic, &[]).await
    }

    fn fail(&self, grant: &Grant, blame: Blame) -> grok2api_pool::Aftermath {
        self.state.settle(grant, &Outcome::Failed { blame, spent: false, reason: "test".into() })
    }

    fn remaining(&self, id: AccountId, budget: &str) -> Option<i64> {
        let (seed, _) = self.state.inspect(id)?;
        seed.budgets.iter().find(|b| b.budget == budget).map(|b| b.remaining)
    }
}

#[test]
fn budgets_are_numbered_as_the_model_table_lists_them() {
    let budgets: Vec<String> = ModelTable::default().budgets().into_iter().map(str::to_owned).collect();
    assert_eq!(budgets[usize::from(GROK_4.0)], "grok-4");
    assert_eq!(budgets[usize::from(HEAVY.0)], "grok-4-heavy");
}

macro_rules! on_each_store {
    ($($name:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Store::Memory).await;
            })*
        }

        mod redis {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Store::Redis).await;
            })*
        }
    };
}

on_each_store! {
    live_chats_come_before_jobs_and_keys_take_turns
    who_cannot_be_served_in_time_is_told_so
    who_leaves_while_waiting_takes_no_place
    a_conversation_stays_with_its_account_while_that_can_serve
    no_account_runs_more_calls_than_its_limit
    basic_accounts_come_before_super_ones_and_heavy_is_for_super_only
    a_call_is_charged_when_it_is_reserved_and_refunded_when_it_was_not_served
    an_account_with_too_little_left_serves_cheap_calls_but_no_dear_ones
    f43_a_limited_account_cools_for_that_budget_only_and_comes_back
    pauses_without_a_stated_time_grow
    an_exhausted_budget_is_full_again_after_its_window
    f41_one_refusal_makes_a_suspect_and_the_second_condemns
    a_successful_test_clears_a_suspect_and_revives_a_condemned_account
    a_success_between_two_refusals_starts_the_count_anew
    a_wave_of_refusals_condemns_no_more_than_a_third
    f54_a_late_settlement_touches_no_successor
    replacing_an_account_keeps_its_running_calls
    accounts_that_were_tried_are_passed_over
    each_strategy_keeps_its_promise
    a_changed_strategy_is_used_by_the_next_reservation
    changed_accounts_are_handed_out_once_for_writing
    a_suspect_that_came_back_by_itself_is_still_written_down
    removed_accounts_do_not_hide_changes_of_others
}

async fn no_account_runs_more_calls_than_its_limit(store: Store) {
    let bench = Bench::new(store, Strategy::MostRemaining, 2).await;
    bench.add(1, Tier::Basic);
    let first = bench.reserve().await.expect("free");
    let _second = bench.reserve().await.expect("free");
    assert_eq!(bench.reserve().await.err(), Some(ReserveError::Busy));
    bench.state.settle(&first, &Outcome::Success);
    assert!(bench.reserve().await.is_ok());
}

async fn basic_accounts_come_before_super_ones_and_heavy_is_for_super_only(store: Store) {
    let bench = Bench::new(store, Strategy::MostRemaining, 1).await;
    let paying = bench.add(1, Tier::Super);
    let basic = bench.add(2, Tier::Basic);
    assert_eq!(bench.reserve().await.map(|g| g.account), Ok(basic));
    assert_eq!(bench.reserve().await.map(|g| g.account), Ok(paying));
    let bench = Bench::new(store, Strategy::MostRemaining, 1).await;
    bench.add(2, Tier::Basic);
    assert_eq!(bench.reserve_on(HEAVY, 1, Tier::Super, &[]).await.err(), Some(ReserveError::Empty));
}

async fn a_call_is_charged_when_it_is_reserved_and_refunded_when_it_was_not_served(store: Store) {
    let bench = Bench::new(store, Strategy::MostRemaining, 8).await;
    let id = bench.add(1, Tier::Basic);
    let grant = bench.reserve().await.expect("free");
    assert_eq!(bench.remaining(id, "grok-4"), Some(76));
    bench.state.settle(&grant, &Outcome::Abandoned { spent: false });
    assert_eq!(bench.remaining(id, "grok-4"), Some(80));
    let grant = bench.reserve().await.expect("free");
    bench.state.settle(&grant, &Outcome::Abandoned { spent: true });
    assert_eq!(bench.remaining(id, "grok-4"), Some(76));
}

async fn an_account_with_too_little_left_serves_cheap_calls_but_no_dear_ones(store: Store) {
    let bench = Bench::new(store, Strategy::MostRemaining, 8).await;
    let id = bench.add(1, Tier::Basic);
    let tahoe = BudgetIx(1);
    let reading = Reading { remaining: 3, total: Some(80), window: Some(Duration::from_secs(72_000)), wait: None };
    bench.state.record_reading(id, tahoe, reading);
    assert!(matches!(
        bench.reserve_on(tahoe, 4, Tier::Basic, &[]).await,
        Err(ReserveError::Limited { retry_after }) if retry_after == Duration::from_secs(72_000)
    ));
    for _ in 0..3 {
        let grant = bench.reserve_on(tahoe, 1, Tier::Basic, &[]).await.expect("3 units are left");
        bench.state.settle(&grant, &Outcome::Success);
    }
    assert!(matches!(bench.reserve_on(tahoe, 1, Tier::Basic, &[]).await, Err(ReserveError::Limited { .. })));
}

async fn f43_a_limited_account_cools_for_that_budget_only_and_comes_back(store: Store) {
    let bench = Bench::new(store, Strategy::MostRemaining, 2).await;
    let id = bench.add(1, Tier::Basic);
    let grant = bench.reserve().await.expect("free");
    let aftermath = bench.fail(&grant, Blame::Limited { retry_after: Some(Duration::from_secs(7)) });
    assert!(aftermath.read_quota);
    assert_eq!(bench.reserve().await.err(), Some(ReserveError::Limited { retry_after: Duration::from_secs(7) }));
    assert!(bench.reserve_on(BudgetIx(0), 1, Tier::Basic, &[]).await.is_ok(), "other budgets serve on");
    bench.clock.advance_ms(7_001);
    assert_eq!(bench.reserve().await.map(|g| g.account), Ok(id));
}

async fn pauses_without_a_stated_time_grow(store: Store) {
    let bench = Bench::new(store, Strategy::MostRemaining, 2).await;
    bench.add(1, Tier::Basic);
    let mut pauses = Vec::new();
    for _ in 0..3 {
        let grant = bench.reserve().await.expect("back in service");
        bench.fail(&grant, Blame::Limited { retry_after: None });
        let Err(ReserveError::Limited { retry_after }) = bench.reserve().await else { panic!("must cool") };
        pauses.push(retry_after.as_secs());
        bench.clock.advance_ms(i64::try_from(retry_after.as_millis()).expect("small") + 1);
    }
    assert_eq!(pauses, [60, 120, 240]);
}

async fn an_exhausted_budget_is_full_again_after_its_window(store: Store) {
    let bench = Bench::new(store, Strategy::MostRemaining, 100).await;
    let id = bench.add(1, Tier::Basic);
    for _ in 0..20 {
        let grant = bench.reserve().await.expect("80 units make 20 calls");
        bench.state.settle(&grant, &Outcome::Success);
    }
    assert!(matches!(bench.reserve().await, Err(ReserveError::Limited { .. })));
    bench.clock.advance_ms(72_000_001);
    assert!(bench.reserve().await.is_ok());
    assert_eq!(bench.remaining(id, "grok-4"), Some(76));
}

async fn f41_one_refusal_makes_a_suspect_and_the_second_condemns(store: Store) {
    let bench = Bench::new(store, Strategy::MostRemaining, 2).await;
    let id = bench.add(1, Tier::Basic);
    let grant = bench.reserve().await.expect("free");
    let aftermath = bench.fail(&grant, Blame::Refused);
    assert!(aftermath.verify && !aftermath.expired);
    assert!(matches!(bench.state.status(id), Some(Status::Cooling { .. })));
    assert!(matches!(bench.reserve().await, Err(ReserveError::Limited { .. })), "a suspect serves nobody");
    assert!(bench.state.record_test(id, false, "refused again").expired);
    assert!(matches!(bench.state.status(id), Some(Status::Expired { .. })));
    assert_eq!(bench.reserve().await.err(), Some(ReserveError::Empty));
}

async fn a_successful_test_clears_a_suspect_and_revives_a_condemned_account(store: Store) {
    let bench = Bench::new(store, Strategy::MostRemaining, 2).await;
    let id = bench.add(1, Tier::Basic);
    let grant = bench.reserve().await.expect("free");
    bench.fail(&grant, Blame::Refused);
    bench.state.record_test(id, true, "");
    assert_eq!(bench.state.status(id), Some(Status::Active));
    let grant = bench.reserve().await.expect("back");
    bench.fail(&grant, Blame::Refused);
    assert!(matches!(bench.state.status(id), Some(Status::Cooling { .. })), "success in between starts the count anew");
    bench.state.record_test(id, false, "");
    bench.state.record_test(id, true, "");
    assert_eq!(bench.state.status(id), Some(Status::Active));
}

async fn a_success_between_two_refusals_starts_the_count_anew(store: Store) {
    let bench = Bench::new(store, Strategy::MostRemaining, 2).await;
    let id = bench.add(1, Tier::Basic);
    for _ in 0..3 {
        let refused = bench.reserve().await.expect("free");
        bench.fail(&refused, Blame::Refused);
        bench.clock.advance_ms(60_001);
        let served = bench.reserve().await.expect("the suspect's time is over");
        bench.state.settle(&served, &Outcome::Success);
    }
    assert_eq!(bench.state.status(id), Some(Status::Active));
}

async fn a_wave_of_refusals_condemns_no_more_than_a_third(store: Store) {
    let bench = Bench::new(store, Strategy::MostRemaining, 1).await;
    let ids: Vec<AccountId> = (0..9).map(|n| bench.add(n, Tier::Basic)).collect();
    for _ in 0..2 {
        for id in &ids {
            bench.state.record_test(*id, false, "wave");
        }
    }
    let census = bench.state.census();
    assert_eq!((census.expired, census.cooling), (3, 6));
}

async fn f54_a_late_settlement_touches_no_successor(store: Store) {
    let bench = Bench::new(store, Strategy::MostRemaining, 1).await;
    let first = bench.add(1, Tier::Basic);
    let late = bench.reserve().await.expect("free");
    bench.state.remove(first);
    let second = bench.add(2, Tier::Basic);
    let running = bench.reserve().await.expect("free");
    assert_eq!(running.account, second);
    bench.fail(&late, Blame::Refused);
    assert_eq!(bench.state.status(second), Some(Status::Active));
    assert_eq!(bench.state.inspect(second).map(|(_, in_flight)| in_flight), Some(1));
}

async fn replacing_an_account_keeps_its_running_calls(store: Store) {
    let bench = Bench::new(store, Strategy::MostRemaining, 1).await;
    let id = bench.add(1, Tier::Basic);
    let grant = bench.reserve().await.expect("free");
    bench.add(1, Tier::Super);
    assert_eq!(bench.reserve().await.err(), Some(ReserveError::Busy));
    bench.state.settle(&grant, &Outcome::Success);
    assert_eq!(bench.reserve().await.map(|g| g.account), Ok(id));
    assert_eq!(bench.state.census().paying, 1);
}

async fn accounts_that_were_tried_are_passed_over(store: Store) {
    let bench = Bench::new(store, Strategy::MostRemaining, 8).await;
    let ids: Vec<AccountId> = (0..3).map(|n| bench.add(n, Tier::Basic)).collect();
    let tried = [ids[0], ids[1]];
    assert_eq!(bench.reserve_on(GROK_4, 4, Tier::Basic, &tried).await.map(|g| g.account), Ok(ids[2]));
    assert_eq!(bench.reserve_on(GROK_4, 4, Tier::Basic, &ids).await.err(), Some(ReserveError::Empty));
}

async fn each_strategy_keeps_its_promise(store: Store) {
    async fn picks(
        store: Store,
        strategy: Strategy,
        prepare: impl Fn(&Bench, &[AccountId]),
        rounds: usize,
    ) -> Vec<u128> {
        let bench = Bench::new(store, strategy, 2).await;
        let ids: Vec<AccountId> = (1..=3).map(|n| bench.add(n, Tier::Basic)).collect();
        prepare(&bench, &ids);
        let mut picked = Vec::new();
        for _ in 0..rounds {
            picked.push(bench.reserve().await.expect("room for all").account.as_u128());
        }
        picked
    }
    let read = |bench: &Bench, id: AccountId, remaining: i64, secs: u64| {
        let reading = Reading { remaining, total: Some(80), window: Some(Duration::from_secs(secs)), wait: None };
        bench.state.record_reading(id, GROK_4, reading);
    };
    let most = picks(store, Strategy::MostRemaining, |bench, ids| read(bench, ids[0], 20, 100), 3).await;
    assert_eq!(most, [2, 3, 1], "the fullest first, and free slots before that");
    assert_eq!(picks(store, Strategy::RoundRobin, |_, _| {}, 6).await, [1, 2, 3, 1, 2, 3]);
    assert_eq!(picks(store, Strategy::FillFirst, |_, _| {}, 6).await, [1, 1, 2, 2, 3, 3]);
    let soonest = picks(
        store,
        Strategy::ResetAware,
        |bench, ids| {
            read(bench, ids[1], 40, 600);
            read(bench, ids[2], 40, 60_000);
        },
        5,
    )
    .await;
    assert_eq!(soonest, [2, 2, 3, 3, 1]);
    let least = picks(
        store,
        Strategy::LeastUsed,
        |bench, ids| {
            for (n, id) in ids.iter().enumerate() {
                let mut seed = AccountSeed::fresh(*id, Tier::Basic, "sealed");
                seed.use_count = 10 - i64::try_from(n).expect("small");
                bench.state.upsert(seed);
            }
        },
        3,
    )
    .await;
    assert_eq!(least, [3, 2, 3]);
}

async fn a_changed_strategy_is_used_by_the_next_reservation(store: Store) {
    let mut bench = Bench::new(store, Strategy::MostRemaining, 4).await;
    for n in 1..=3 {
        bench.add(n, Tier::Basic);
    }
    let first = bench.reserve().await.expect("free").account;
    bench.policy.strategy = Strategy::FillFirst;
    let filled: Vec<_> = [bench.reserve().await, bench.reserve().await].map(|g| g.expect("free").account).into();
    assert_eq!(filled[0], filled[1]);
    bench.policy.max_in_flight = 1;
    let other = bench.reserve().await.expect("an idle account is left").account;
    assert!(other != first && other != filled[0]);
}

async fn changed_accounts_are_handed_out_once_for_writing(store: Store) {
    let bench = Bench::new(store, Strategy::RoundRobin, 4).await;
    for n in 1..=3 {
        bench.add(n, Tier::Basic);
    }
    for _ in 0..2 {
        let grant = bench.reserve().await.expect("free");
        bench.state.settle(&grant, &Outcome::Success);
    }
    assert_eq!(bench.state.take_dirty(1).len(), 1);
    assert_eq!(bench.state.take_dirty(10).len(), 1);
    assert_eq!(bench.state.take_dirty(10).len(), 0);
}

async fn a_suspect_that_came_back_by_itself_is_still_written_down(store: Store) {
    let bench = Bench::new(store, Strategy::MostRemaining, 2).await;
    bench.add(1, Tier::Basic);
    let refused = bench.reserve().await.expect("free");
    bench.fail(&refused, Blame::Refused);
    assert_eq!(bench.state.take_dirty(10).len(), 1);
    bench.clock.advance_ms(60_001);
    let served = bench.reserve().await.expect("its time is over");
    bench.state.settle(&served, &Outcome::Success);
    let written = bench.state.take_dirty(10);
    assert_eq!(written.iter().map(|seed| seed.status.clone()).collect::<Vec<_>>(), [Status::Active]);
}

async fn removed_accounts_do_not_hide_changes_of_others(store: Store) {
    let bench = Bench::new(store, Strategy::RoundRobin, 1).await;
    let ids: Vec<AccountId> = (1..=3).map(|n| bench.add(n, Tier::Basic)).collect();
    for _ in 0..3 {
        bench.reserve().await.expect("free");
    }
    bench.state.remove(ids[2]);
    bench.state.remove(ids[1]);
    assert_eq!(bench.state.take_dirty(1).len(), 1, "the one that is left");
}
