//! apalis with its own backends, in the settings that turned out best for it.

use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::{
    BackendExt as _, Data, ParallelizeExt as _, TaskSink as _, WorkerBuilder, WorkerBuilderExt as _,
};
use apalis_redis::RedisStorage;
use apalis_sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteStorage};
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use tokio::sync::{Notify, oneshot};

use super::ground;
use super::seen::{Process, Seen, Told};
use super::ticker::Ticker;
use super::{CONCURRENCY, Options, PROCESSES, Queue, now_us};

/// Jobs that are put at once.
const BATCH: u64 = 500;
/// Looks of an idle worker: in one process it is told, between processes nobody tells it.
const TOLD: Duration = Duration::from_secs(1);
const UNTOLD: Duration = Duration::from_millis(50);
const HEARTBEAT: Duration = Duration::from_secs(5);
const MISSED: usize = 4;

/// Makes scheduled jobs active, as its own script does at each fetch, which fails for good when 8,000 are due at once.
const PROMOTE: &str = r"
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('RPUSH', KEYS[2], id) end
redis.call('DEL', KEYS[1])";

async fn nothing(put_us: u64, told: Data<Told>) {
    told.begins(put_us);
}

/// Everything in one process, on a database file.
pub(super) struct Sqlite {
    storage: SqliteStorage<u64>,
    pool: SqlitePool,
    bell: Arc<Notify>,
    dir: tempfile::TempDir,
}

pub(super) async fn sqlite() -> anyhow::Result<Sqlite> {
    let dir = tempfile::tempdir()?;
    let options = SqliteConnectOptions::new()
        .filename(dir.path().join("bare.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(30));
    // The setup leaves its connection without synchronous commits, and an index that makes every end slower.
    let once = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
    SqliteStorage::setup(&once).await?;
    sea_orm::sqlx::raw_sql("DROP INDEX IF EXISTS LIdx").execute(&once).await?;
    once.close().await;
    let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
    let config = apalis_sqlite::Config::default()
        .queue("bench")
        .batch_size(1)
        .lock_tasks(false)
        .heartbeat_interval(HEARTBEAT)
        .missed_heartbeats(MISSED);
    Ok(Sqlite { storage: SqliteStorage::new(&pool).with_config(config), pool, bell: Arc::default(), dir })
}

impl Queue for Sqlite {
    async fn fill(&self, jobs: u64) -> anyhow::Result<()> {
        let mut left = jobs;
        while left > 0 {
            let batch = left.min(BATCH);
            left -= batch;
            self.storage.clone().push_bulk((0..batch).map(|_| 0).collect()).await?;
        }
        Ok(())
    }

    async fn put(&self) -> anyhow::Result<()> {
        self.storage.clone().push(now_us()).await?;
        self.bell.notify_one();
        Ok(())
    }

    async fn start(&self) -> anyhow::Result<Seen> {
        let (told, (stop, stopped)) = (Told::default(), oneshot::channel::<()>());
        let worker = WorkerBuilder::new(ground::name())
            .backend(self.storage.clone().poll_with_strategy(Ticker::new(TOLD, Arc::clone(&self.bell))))
            .data(told.clone())
            .concurrency(CONCURRENCY)
            .parallelize(tokio::spawn)
            .build(nothing);
        let working = worker.run_until(async move {
            let _ = stopped.await;
            Ok::<(), std::io::Error>(())
        });
        let working: futures_util::future::BoxFuture<'static, _> = Box::pin(working);
        let working = tokio::spawn(working);
        Ok(Seen::Here(
            told,
            Box::pin(async move {
                let _ = stop.send(());
                let _ = working.await;
            }),
        ))
    }

    async fn end(self) -> anyhow::Result<()> {
        self.pool.close().await;
        Ok(self.dir.close()?)
    }
}

/// Worker processes on Redis.
pub(super) struct Redis {
    storage: RedisStorage<u64>,
    url: String,
    queue: String,
}

pub(super) async fn redis(options: &Options) -> anyhow::Result<Redis> {
    let queue = ground::name();
    Ok(Redis { storage: storage(&options.redis, &queue).await?, url: options.redis.clone(), queue })
}

async fn storage(url: &str, queue: &str) -> anyhow::Result<RedisStorage<u64>> {
    let config = redis::aio::ConnectionManagerConfig::new()
        .set_response_timeout(Some(Duration::from_secs(30)))
        .set_connection_timeout(Some(Duration::from_secs(3)));
    let connection = redis::Client::open(url)?.get_connection_manager_with_config(config).await?;
    let mut config = apalis_redis::Config::default()
        .queue(queue)
        .batch_size(1)
        .heartbeat_interval(HEARTBEAT)
        .missed_heartbeats(MISSED);
    config.lock_tasks = false;
    config.emit_events = false;
    Ok(RedisStorage::new(connection).with_config(config))
}

impl Queue for Redis {
    async fn fill(&self, jobs: u64) -> anyhow::Result<()> {
        let mut redis = redis::Client::open(self.url.as_str())?.get_multiplexed_async_connection().await?;
        let promote = redis::Script::new(PROMOTE);
        let mut left = jobs;
        while left > 0 {
            let batch = left.min(BATCH);
            left -= batch;
            self.storage.clone().push_bulk((0..batch).map(|_| 0).collect()).await?;
            let mut move_on = promote.key(format!("{}:scheduled", self.queue));
            move_on.key(format!("{}:active", self.queue)).invoke_async::<()>(&mut redis).await?;
        }
        Ok(())
    }

    async fn put(&self) -> anyhow::Result<()> {
        Ok(self.storage.clone().push(now_us()).await?)
    }

    async fn start(&self) -> anyhow::Result<Seen> {
        let mut processes = Vec::new();
        for _ in 0..PROCESSES {
            processes.push(Process::start(&["--redis", &self.url, "--prefix", &self.queue]).await?);
        }
        Ok(Seen::There(processes))
    }

    async fn end(self) -> anyhow::Result<()> {
        ground::remove_keys(&self.url, &self.queue).await
    }
}

/// A worker process's part; the future ends it.
pub(super) async fn work(redis: &str, queue: &str, told: &Told) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = WorkerBuilder::new(ground::name())
        .backend(storage(redis, queue).await?.poll_with_strategy(Ticker::new(UNTOLD, Arc::default())))
        .data(told.clone())
        .concurrency(CONCURRENCY)
        .parallelize(tokio::spawn)
        .build(nothing);
    let working = worker.run_until(async move {
        let _ = stopped.await;
        Ok::<(), std::io::Error>(())
    });
    let working: futures_util::future::BoxFuture<'static, _> = Box::pin(working);
    let working = tokio::spawn(working);
    Ok(async move {
        let _ = stop.send(());
        let _ = working.await;
    })
}
