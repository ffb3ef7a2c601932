//! F28, F29, F30: the shared pool without Redis. Everybody goes on with a part of it, nobody exceeds a limit, and what was
//! used meanwhile is known to all afterwards.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use grok2api_config::{ModelTable, Strategy, Tier};
use grok2api_pool::{
    AccountId, AccountSeed, BudgetIx, Clock, Grant, Outcome, Policy, PoolState, Reading, RedisPool, ReserveError, Want,
};
use grok2api_tests::fleet::{Flood, Outage, RedisServer, wait_for};
use grok2api_tests::{Proxy, Way};

const SOON: Duration = Duration::from_secs(30);
const WANT: Want<'static> = Want { budget: BudgetIx(2), cost: 4, tier: Tier::Basic, exclude: &[], prefer: None };
const RULES: Policy = Policy { strategy: Strategy::MostRemaining, max_in_flight: 2 };
const ACCOUNTS: u128 = 30;

struct Trio {
    redis: RedisServer,
    ways: Vec<Proxy>,
    pools: Vec<Arc<RedisPool>>,
    _folder: tempfile::TempDir,
}

impl Trio {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let redis = RedisServer::start(folder.path()).await.unwrap();
        let target = redis.url().replace("redis://", "");
        let (mut ways, mut pools) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let way = Proxy::to(&target).await.unwrap();
            let url = format!("redis://{}", way.address());
            let pool = RedisPool::connect(&url, "trio", &ModelTable::default(), RULES, Clock::System).await.unwrap();
            for n in 1..=ACCOUNTS {
                pool.upsert(AccountSeed::fresh(AccountId::from_u128(n), Tier::Basic, "sealed"));
            }
            pool.told().await;
            ways.push(way);
            pools.push(Arc::new(pool));
        }
        let trio = Self { redis, ways, pools, _folder: folder };
        // Whoever knows this reading has heard of all processes: it is told in the same breath.
        let reading = Reading { remaining: 76, total: Some(80), window: Some(Duration::from_secs(7200)), wait: None };
        trio.pools[2].record_reading(AccountId::from_u128(1), WANT.budget, reading);
        let heard = wait_for("all have heard of each other", SOON, async || {
            let left = trio.agreed().await;
            Ok((left[&AccountId::from_u128(1)] == 76).then_some(()))
        });
        heard.await.unwrap();
        trio
    }

    fn all(&self, way: Way) {
        self.ways.iter().for_each(|proxy| proxy.set(way));
    }

    /// Every account is seen alike by all: what is left of it, and that nothing runs.
    async fn agreed(&self) -> HashMap<AccountId, i64> {
        let view = |pool: &RedisPool| -> HashMap<AccountId, (i64, u32)> {
            let of = |id: AccountId| {
                let (seed, running) = pool.inspect(id).unwrap();
                let budget = seed.budgets.iter().find(|budget| budget.budget == "grok-4");
                (id, (budget.map_or(80, |budget| budget.remaining), running))
            };
            pool.ids().into_iter().map(of).collect()
        };
        let agreed = wait_for("all see the same", SOON, async || {
            for pool in &self.pools {
                pool.told().await;
            }
            let views: Vec<_> = self.pools.iter().map(|pool| view(pool)).collect();
            let same = views.iter().all(|other| *other == views[0] && other.values().all(|(_, running)| *running == 0));
            Ok(same.then(|| views[0].iter().map(|(id, (left, _))| (*id, *left)).collect()))
        });
        agreed.await.unwrap()
    }
}

/// Takes all that can be had.
async fn drain(pool: &RedisPool) -> Vec<Grant> {
    let mut taken = Vec::new();
    loop {
        match pool.reserve(&WANT, RULES).await {
            Ok(grant) => taken.push(grant),
            Err(ReserveError::Busy) => return taken,
            Err(refusal) => panic!("{refusal}"),
        }
    }
}

fn count(taken: &[Vec<Grant>]) -> HashMap<AccountId, u32> {
    let mut counts = HashMap::new();
    for grant in taken.iter().flatten() {
        *counts.entry(grant.account).or_insert(0) += 1;
    }
    counts
}

async fn lives_through(fault: &str, trio: &mut Trio, strike: impl AsyncFn(&mut Trio), heal: impl AsyncFn(&mut Trio)) {
    let before = trio.agreed().await;
    strike(trio).await;
    let mut taken = Vec::new();
    for pool in &trio.pools {
        // The first one of each finds out.
        let first = pool.reserve(&WANT, RULES).await.unwrap_or_else(|error| panic!("{fault}: {error}"));
        pool.settle(&first, &Outcome::Abandoned { spent: false });
        taken.push(drain(pool).await);
    }
    let counts = count(&taken);
    assert!(counts.values().all(|running| *running <= RULES.max_in_flight), "{fault}: {counts:?}");
    let places = u32::try_from(ACCOUNTS).unwrap() * RULES.max_in_flight;
    assert_eq!(counts.values().sum::<u32>(), places, "{fault}: together they have the whole pool");
    let used = i64::from(WANT.cost);
    for (pool, grants) in trio.pools.iter().zip(&taken) {
        // Half of them were served, and count.
        for (n, grant) in grants.iter().enumerate() {
            pool.settle(grant, &Outcome::Abandoned { spent: n % 2 == 0 });
        }
    }
    heal(trio).await;
    let after = trio.agreed().await;
    let spent: HashMap<AccountId, i64> = before.iter().map(|(id, left)| (*id, left - after[id])).collect();
    let told: i64 = taken.iter().map(|grants| i64::try_from(grants.len().div_ceil(2)).unwrap() * used).sum();
    assert_eq!(spent.values().sum::<i64>(), told, "{fault}: what was used is known to all");
    println!("{fault}: {} calls alone, {told} units told afterwards", counts.values().sum::<u32>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f30_cut_off_from_redis_each_keeps_to_its_part_and_tells_afterwards() {
    let mut trio = Trio::start().await;
    for fault in [Way::Cut, Way::Blocked] {
        let strike = async |trio: &mut Trio| trio.all(fault);
        let heal = async |trio: &mut Trio| trio.all(Way::Open);
        lives_through(&format!("{fault:?}"), &mut trio, strike, heal).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f28_a_redis_that_comes_back_empty_is_told_what_was_used() {
    let mut trio = Trio::start().await;
    for pool in &trio.pools {
        for grant in drain(pool).await {
            pool.settle(&grant, &Outcome::Success);
        }
        pool.told().await;
    }
    let strike = async |trio: &mut Trio| trio.all(Way::Cut);
    let heal = async |trio: &mut Trio| {
        trio.redis.restart().await.unwrap();
        trio.all(Way::Open);
    };
    lives_through("empty", &mut trio, strike, heal).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i4_processes_together_exceed_no_limit_that_the_upstream_counts() {
    let flood = Flood::run(2_000, 3).await.unwrap();
    println!("{flood}");
    assert!(!flood.is_red(), "{flood}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g5_without_redis_and_database_chats_go_on_and_all_is_recorded_once() {
    let outage = Outage::run(Duration::from_secs(8), 20, Way::Blocked).await.unwrap();
    println!("{outage}");
    assert!(outage.served() >= 0.999 && outage.wrong_refusals.is_empty() && !outage.refusals.is_empty(), "{outage}");
    assert_eq!(i64::try_from(outage.recorded.0).unwrap(), outage.recorded.1, "{outage}");
}
