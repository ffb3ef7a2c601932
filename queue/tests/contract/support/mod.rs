//! Records, transports and workers for one test, taken away at its end.

pub(crate) mod server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use grok2api_entity::job::{self, Kind, State};
use grok2api_entity::testing::TestDatabase;
use grok2api_entity::{connect, generation, worker};
use grok2api_queue::{
    Accepted, Claimed, Crew, CrewOptions, End, Handler, Hub, Jobs, Lane, Lost, NewGeneration, NewJob, Order,
    RedisSettings, RedisTransport, RepeatKey, RowTransport, Ticket, Transport, now_ms,
};
use parking_lot::Mutex;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, Statement, TransactionTrait};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The Redis that tests share; each has a prefix of its own there.
pub(crate) const REDIS: &str = "redis://127.0.0.1:6379";
/// Long enough for any condition on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(40);

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    Sqlite,
    Postgres,
    Mariadb,
}

/// Which transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Road {
    Rows,
    Redis,
}

/// The records of one test.
pub(crate) struct Ground {
    base: TestDatabase,
    /// What the test's keys in Redis begin with.
    pub(crate) prefix: String,
    /// Where its Redis is.
    pub(crate) redis: String,
    opened: Mutex<Vec<DatabaseConnection>>,
}

/// What a process has of the queue.
pub(crate) struct Party {
    pub(crate) jobs: Jobs,
    pub(crate) hub: Hub,
    pub(crate) transport: Arc<dyn Transport>,
    stop: CancellationToken,
}

/// Times a size, in the longer form of the tests.
pub(crate) fn chaos(short: usize, long: usize) -> usize {
    if std::env::var_os("GROK2API_CHAOS").is_some_and(|value| value == "1") { long } else { short }
}

impl Ground {
    pub(crate) async fn new(base: Base) -> Self {
        let base = patiently(async || match base {
            Base::Sqlite => TestDatabase::sqlite().await,
            Base::Postgres => TestDatabase::postgres().await,
            Base::Mariadb => TestDatabase::mariadb().await,
        })
        .await;
        grok2api_migration::bring_up(&base.db).await.unwrap();
        Self {
            base,
            prefix: format!("test-{}", Uuid::new_v4().simple()),
            redis: REDIS.to_owned(),
            opened: Mutex::default(),
        }
    }

    pub(crate) fn db(&self) -> &DatabaseConnection {
        &self.base.db
    }

    /// Where the records are, as another process would name it.
    pub(crate) async fn place(&self) -> String {
        let db = self.db();
        let (sql, column) = match db.get_database_backend() {
            DbBackend::Postgres => ("SELECT current_database()::text AS name", "name"),
            DbBackend::MySql => ("SELECT DATABASE() AS name", "name"),
            _ => ("SELECT file FROM pragma_database_list WHERE name = 'main'", "file"),
        };
        let statement = Statement::from_string(db.get_database_backend(), sql);
        let name: String = db.query_one_raw(statement).await.unwrap().unwrap().try_get("", column).unwrap();
        match db.get_database_backend() {
            DbBackend::Postgres => format!("postgres://postgres@127.0.0.1:5432/{name}"),
            DbBackend::MySql => format!("mysql://root@127.0.0.1:3306/{name}"),
            _ => name,
        }
    }

    /// A process with connections of its own.
    pub(crate) async fn party(&self, road: Road) -> Party {
        self.party_at(&self.place().await, road).await
    }

    /// A process that reaches the records at `place`.
    pub(crate) async fn party_at(&self, place: &str, road: Road) -> Party {
        let party = Party::open(place, (road == Road::Redis).then_some(self.redis.as_str()), &self.prefix).await;
        self.opened.lock().push(party.jobs.db().clone());
        party
    }

    pub(crate) async fn end(self) {
        let opened = std::mem::take(&mut *self.opened.lock());
        for db in opened {
            db.close().await.unwrap();
        }
        if self.redis == REDIS {
            clear(&self.redis, &self.prefix).await;
        }
        if self.db().get_database_backend() == DbBackend::Postgres {
            // Those of killed processes stay for a moment.
            let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                          WHERE datname = current_database() AND pid <> pg_backend_pid()";
            self.db().execute_unprepared(others).await.unwrap();
        }
        self.base.remove().await.unwrap();
    }
}

/// Removes all keys of a prefix.
pub(crate) async fn clear(url: &str, prefix: &str) {
    let mut redis = raw_redis(url).await;
    let keys: Vec<String> = redis::cmd("KEYS").arg(format!("{prefix}:*")).query_async(&mut redis).await.unwrap();
    for key in keys {
        redis::cmd("DEL").arg(key).exec_async(&mut redis).await.unwrap();
    }
}

pub(crate) async fn raw_redis(url: &str) -> redis::aio::MultiplexedConnection {
    redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
}

impl Party {
    pub(crate) async fn open(place: &str, redis: Option<&str>, prefix: &str) -> Self {
        let db = patiently(async || {
            if place.contains("://") { connect::server(place).await } else { connect::file(place.as_ref()).await }
        })
        .await;
        let hub = Hub::default();
        let transport: Arc<dyn Transport> = match redis {
            None => Arc::new(RowTransport::new(db.clone(), hub.clone())),
            Some(url) => {
                let settings = RedisSettings { prefix: prefix.to_owned() };
                Arc::new(RedisTransport::connect(url, settings, db.clone(), hub.clone()).await.unwrap())
            }
        };
        Self::with(db, transport, hub)
    }

    pub(crate) fn with(db: DatabaseConnection, transport: Arc<dyn Transport>, hub: Hub) -> Self {
        let stop = CancellationToken::new();
        let (listening, to, until) = (Arc::clone(&transport), hub.clone(), stop.clone());
        tokio::spawn(async move { listening.listen(to, until).await });
        Self { jobs: Jobs::new(db, Arc::clone(&transport), hub.clone()), hub, transport, stop }
    }

    /// Workers of one kind.
    pub(crate) async fn crew(&self, kind: Kind, concurrency: usize, handler: Arc<dyn Handler>) -> Crew {
        let lane = Lane { kind, concurrency, handler };
        let options = CrewOptions { alone: false, keep: Duration::from_secs(3_600) };
        Crew::start(self.jobs.clone(), vec![lane], options).await.unwrap()
    }

    /// Makes rows and their tickets.
    pub(crate) async fn put(&self, new: Vec<NewJob>) -> Vec<Ticket> {
        let tx = self.jobs.db().begin().await.unwrap();
        let tickets = Jobs::insert(&tx, new).await.unwrap();
        tx.commit().await.unwrap();
        self.transport.push(&tickets).await.unwrap();
        tickets
    }

    /// Claims as a worker would.
    pub(crate) async fn claim(&self, ticket: Ticket, holder: Uuid) -> Option<Claimed> {
        Claimed::claim(&self.jobs, ticket, holder, CancellationToken::new()).await.unwrap()
    }

    pub(crate) async fn row(&self, id: Uuid) -> job::Model {
        self.jobs.find(id).await.unwrap().unwrap()
    }

    /// How many jobs there are in a state.
    pub(crate) async fn count(&self, state: State) -> u64 {
        use sea_orm::{ColumnTrait, PaginatorTrait, QueryFilter};
        job::Entity::find().filter(job::Column::State.eq(state)).count(self.jobs.db()).await.unwrap()
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A job of the gateway's own that is due now and may take its time.
pub(crate) fn job(kind: Kind) -> NewJob {
    NewJob::new(kind, 600_000)
}

/// A job that becomes due so many milliseconds from now.
pub(crate) fn job_in(kind: Kind, ms: i64) -> NewJob {
    NewJob { run_at: now_ms() + ms, ..job(kind) }
}

/// A request for so many pictures.
pub(crate) fn request(owner: &str, n: u8) -> NewGeneration {
    let id = Uuid::now_v7();
    NewGeneration {
        id,
        public_id: format!("img_{}", id.simple()),
        kind: generation::Kind::Image,
        model: "grok-imagine".to_owned(),
        owner: owner.to_owned(),
        prompt: "a red kite".to_owned(),
        order: Order { n, ..Order::default() },
        deadline_at: now_ms() + 600_000,
    }
}

pub(crate) fn key(name: &str, hash: &str) -> RepeatKey {
    RepeatKey { key: name.to_owned(), endpoint: "/v1/images/generations", body_hash: hash.to_owned() }
}

/// Accepts a request for so many pictures, under a key of its own.
pub(crate) async fn accept(party: &Party, owner: &str, n: u8) -> generation::Model {
    let request = request(owner, n);
    let key = key(&request.public_id, "00");
    match patiently(async || party.jobs.accept(request.clone(), Some(key.clone())).await).await {
        Accepted::New(row) => row,
        other => panic!("{other:?}"),
    }
}

/// Runs each story on every database.
macro_rules! on_all {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test] async fn $name() { super::$name($crate::support::Base::Sqlite).await; })*
        }
        mod postgres {
            $(#[tokio::test] async fn $name() { super::$name($crate::support::Base::Postgres).await; })*
        }
        mod mariadb {
            $(#[tokio::test] async fn $name() { super::$name($crate::support::Base::Mariadb).await; })*
        }
    };
}
pub(crate) use on_all;

/// Tries again what a busy machine does not do in the short time that the product gives it.
pub(crate) async fn patiently<T, E: std::fmt::Debug>(mut attempt: impl AsyncFnMut() -> Result<T, E>) -> T {
    let until = Instant::now() + LONG;
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => assert!(Instant::now() < until, "tried in vain: {error:?}"),
        }
    }
}

/// Waits for a condition.
pub(crate) async fn wait_for(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + LONG;
    while !condition().await {
        assert!(Instant::now() < until, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits for something that comes by itself.
pub(crate) async fn in_time<T>(what: &str, coming: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, coming).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// Enters a worker process that never shows itself again.
pub(crate) async fn worker_row(db: &DatabaseConnection, beat_at: i64) -> Uuid {
    let row = worker::ActiveModel {
        id: sea_orm::Set(Uuid::now_v7()),
        host: sea_orm::Set("elsewhere".to_owned()),
        pid: sea_orm::Set(1),
        kinds: sea_orm::Set(String::new()),
        started_at: sea_orm::Set(beat_at),
        beat_at: sea_orm::Set(beat_at),
        draining: sea_orm::Set(false),
        version: sea_orm::Set(None),
    };
    let id = *row.id.as_ref();
    worker::Entity::insert(row).exec_without_returning(db).await.unwrap();
    id
}

/// A handler made of a function.
pub(crate) struct Act<F>(pub(crate) F);

#[async_trait::async_trait]
impl<F> Handler for Act<F>
where
    F: for<'a> Fn(&'a mut Claimed) -> BoxFuture<'a, Result<End, Lost>> + Send + Sync + 'static,
{
    async fn run(&self, job: &mut Claimed) -> Result<End, Lost> {
        (self.0)(job).await
    }
}

pub(crate) fn act<F>(run: F) -> Arc<dyn Handler>
where
    F: for<'a> Fn(&'a mut Claimed) -> BoxFuture<'a, Result<End, Lost>> + Send + Sync + 'static,
{
    Arc::new(Act(run))
}
