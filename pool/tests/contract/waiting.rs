//! Requests that wait for an account, and conversations that keep theirs.

use std::sync::Arc;
use std::time::Duration;

use grok2api_config::{ModelTable, Settings, SettingsHandle, Tier, Vault};
use grok2api_pool::{
    AccountId, AccountSeed, Caller, Class, Clock, Lease, MemoryPool, Outcome, Policy, Pool, PoolError, PoolState,
    ReserveError, Want,
};
use secrecy::SecretString;

use crate::support::Keys;
use crate::{GROK_4, Store};

const WANT: Want<'static> = Want { budget: GROK_4, cost: 1, tier: Tier::Basic, exclude: &[], prefer: None };
/// Longest wait for what must happen.
const SOON: Duration = Duration::from_secs(20);

struct House {
    pool: Arc<Pool>,
    _keys: Option<Keys>,
}

impl House {
    /// A pool of so many accounts with one place each, where requests wait for `wait_ms`.
    async fn new(store: Store, accounts: u128, wait_ms: u64, max_waiting: usize) -> Self {
        let mut settings = Settings::default();
        settings.pool.max_in_flight = 1;
        settings.pool.wait_ms = wait_ms;
        settings.pool.max_waiting = max_waiting;
        let policy = Policy::from(&settings.pool);
        let keys = matches!(store, Store::Redis).then(Keys::default);
        let state: Arc<dyn PoolState> = match &keys {
            None => Arc::new(MemoryPool::new(&ModelTable::default(), policy, Clock::System)),
            Some(keys) => Arc::new(keys.pool(policy, Clock::System).await),
        };
        let vault = Vault::new(&SecretString::from("q8Jf0Zr3pXv7LkTn5WcYb2Hd9MsEa4GuRi6"), &[]).expect("a vault");
        for n in 1..=accounts {
            let id = AccountId::from_u128(n);
            let sealed = vault.seal("account", &id.to_string(), "secret", b"token").expect("sealed");
            state.upsert(AccountSeed::fresh(id, Tier::Basic, &sealed));
        }
        let settings = SettingsHandle::new(settings);
        Self { pool: Arc::new(Pool::new(state, Arc::new(vault), settings)), _keys: keys }
    }

    async fn reserve(&self, caller: Caller) -> Result<Lease, PoolError> {
        self.pool.reserve(&WANT, caller).await
    }

    /// Somebody who waits; `said` is told when it is served.
    async fn queue(&self, caller: Caller, name: &'static str, said: &tokio::sync::mpsc::UnboundedSender<&'static str>) {
        let (pool, said, waiting) = (Arc::clone(&self.pool), said.clone(), self.pool.waiting());
        tokio::spawn(async move {
            let lease = pool.reserve(&WANT, caller).await;
            let _ = said.send(if lease.is_ok() { name } else { "refused" });
            if let Ok(lease) = lease {
                lease.settle(&Outcome::Success);
            }
        });
        self.until_waiting(waiting + 1).await;
    }

    async fn until_waiting(&self, count: usize) {
        let deadline = tokio::time::Instant::now() + SOON;
        while self.pool.waiting() != count {
            assert!(tokio::time::Instant::now() < deadline, "{} wait", self.pool.waiting());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

fn live(key: u64) -> Caller {
    Caller { key, ..Caller::default() }
}

fn job(key: u64) -> Caller {
    Caller { class: Class::Job, ..live(key) }
}

pub(crate) async fn live_chats_come_before_jobs_and_keys_take_turns(store: Store) {
    let house = House::new(store, 1, 20_000, 100).await;
    let held = house.reserve(live(9)).await.expect("free");
    let (said, mut saying) = tokio::sync::mpsc::unbounded_channel();
    house.queue(job(1), "job of 1", &said).await;
    house.queue(live(1), "first of 1", &said).await;
    house.queue(live(1), "second of 1", &said).await;
    house.queue(live(2), "only of 2", &said).await;
    held.settle(&Outcome::Success);
    let mut order = Vec::new();
    for _ in 0..4 {
        order.push(tokio::time::timeout(SOON, saying.recv()).await.expect("in time").expect("said"));
    }
    assert_eq!(order, ["first of 1", "only of 2", "second of 1", "job of 1"]);
}

pub(crate) async fn who_cannot_be_served_in_time_is_told_so(store: Store) {
    let house = House::new(store, 1, 50, 1).await;
    let _held = house.reserve(live(1)).await.expect("free");
    assert_eq!(house.reserve(live(1)).await.err(), Some(PoolError::Reserve(ReserveError::Busy)));
    let (said, _saying) = tokio::sync::mpsc::unbounded_channel();
    let house = House::new(store, 1, 20_000, 1).await;
    let _held = house.reserve(live(1)).await.expect("free");
    house.queue(live(1), "", &said).await;
    let refused = house.reserve(live(2)).await.err();
    assert!(matches!(refused, Some(PoolError::Overloaded { retry_after }) if retry_after >= Duration::from_secs(1)));
}

pub(crate) async fn who_leaves_while_waiting_takes_no_place(store: Store) {
    let house = House::new(store, 1, 20_000, 100).await;
    let held = house.reserve(live(1)).await.expect("free");
    let pool = Arc::clone(&house.pool);
    let leaving = tokio::spawn(async move { pool.reserve(&WANT, live(1)).await.map(drop) });
    house.until_waiting(1).await;
    leaving.abort();
    held.settle(&Outcome::Success);
    house.until_waiting(0).await;
    tokio::time::timeout(SOON, house.reserve(live(2))).await.expect("in time").expect("the place is free");
}

pub(crate) async fn a_conversation_stays_with_its_account_while_that_can_serve(store: Store) {
    let house = House::new(store, 5, 0, 0).await;
    let talk = Caller { conversation: Some(7), ..live(1) };
    let first = house.reserve(talk).await.expect("free");
    let account = first.account();
    first.settle(&Outcome::Success);
    for _ in 0..10 {
        house.reserve(live(2)).await.expect("free").settle(&Outcome::Success);
        house.pool.state().told().await;
        let again = house.reserve(talk).await.expect("free");
        assert_eq!(again.account(), account);
        again.settle(&Outcome::Success);
    }
    house.pool.state().told().await;
    let busy = house.reserve(talk).await.expect("free");
    let other = house.reserve(talk).await.expect("another one serves");
    assert_ne!(busy.account(), other.account());
}

#[tokio::test]
async fn a_conversation_is_known_to_all_processes() {
    let keys = Keys::default();
    let policy = Policy { strategy: grok2api_config::Strategy::RoundRobin, max_in_flight: 1 };
    let (one, other) = (keys.pool(policy, Clock::System).await, keys.pool(policy, Clock::System).await);
    let account = AccountId::from_u128(5);
    one.pin(7, account, Duration::from_secs(60));
    one.told().await;
    assert_eq!((other.pinned(7).await, other.pinned(8).await), (Some(account), None));
}
