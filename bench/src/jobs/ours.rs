//! Our queue: rows, fences, and tickets by rows or by Redis.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use grok2api_entity::connect;
use grok2api_entity::job::Kind;
use grok2api_queue::{
    Claimed, Crew, CrewOptions, End, Handler, Hub, Jobs, Lane, Lost, NewJob, RedisSettings, RedisTransport,
    RowTransport, Transport,
};
use sea_orm::{DatabaseConnection, TransactionTrait as _};

use super::ground::{self, Database};
use super::seen::{Process, Seen, Told};
use super::{CONCURRENCY, Options, PROCESSES, Queue, now_us};

const KIND: Kind = Kind::GenerateImage;
/// Rows and tickets that are put at once.
const BATCH: u64 = 500;
const HOUR_MS: i64 = 3_600_000;
const GRACE: Duration = Duration::from_secs(10);

/// Tells that it began, and is done.
struct Nothing(Told);

#[async_trait]
impl Handler for Nothing {
    async fn run(&self, job: &mut Claimed) -> Result<End, Lost> {
        self.0.begins(job.row().args.parse().unwrap_or(0));
        Ok(End::Completed)
    }
}

/// Everything in one process, on a database file.
pub(super) struct Embedded {
    jobs: Jobs,
    dir: tempfile::TempDir,
}

pub(super) async fn embedded() -> anyhow::Result<Embedded> {
    let dir = tempfile::tempdir()?;
    let db = connect::file(&dir.path().join("jobs.db")).await?;
    grok2api_migration::bring_up(&db).await?;
    let hub = Hub::default();
    let transport = Arc::new(RowTransport::new(db.clone(), hub.clone()));
    Ok(Embedded { jobs: Jobs::new(db, transport, hub), dir })
}

impl Queue for Embedded {
    async fn fill(&self, jobs: u64) -> anyhow::Result<()> {
        fill(&self.jobs, jobs).await
    }

    async fn put(&self) -> anyhow::Result<()> {
        put(&self.jobs).await
    }

    async fn start(&self) -> anyhow::Result<Seen> {
        let told = Told::default();
        let crew = crew(&self.jobs, &told, true).await?;
        Ok(Seen::Here(told, Box::pin(crew.stop(GRACE))))
    }

    async fn end(self) -> anyhow::Result<()> {
        self.jobs.db().clone().close().await?;
        Ok(self.dir.close()?)
    }
}

/// Worker processes on Redis and `PostgreSQL`.
pub(super) struct Remote {
    jobs: Jobs,
    database: Database,
    redis: String,
    prefix: String,
    processes: usize,
}

pub(super) async fn remote(options: &Options) -> anyhow::Result<Remote> {
    remote_with(&options.postgres, &options.redis, PROCESSES).await
}

/// With so many worker processes.
pub(super) async fn remote_with(postgres: &str, redis: &str, processes: usize) -> anyhow::Result<Remote> {
    let (database, prefix) = (Database::create(postgres).await?, ground::name());
    let jobs = connect_to(database.db.clone(), redis, &prefix).await?;
    Ok(Remote { jobs, database, redis: redis.to_owned(), prefix, processes })
}

async fn connect_to(db: DatabaseConnection, redis: &str, prefix: &str) -> anyhow::Result<Jobs> {
    let (hub, settings) = (Hub::default(), RedisSettings { prefix: prefix.to_owned() });
    let transport: Arc<dyn Transport> =
        Arc::new(RedisTransport::connect(redis, settings, db.clone(), hub.clone()).await?);
    let (listening, to) = (Arc::clone(&transport), hub.clone());
    tokio::spawn(async move { listening.listen(to, tokio_util::sync::CancellationToken::new()).await });
    Ok(Jobs::new(db, transport, hub))
}

impl Queue for Remote {
    async fn fill(&self, jobs: u64) -> anyhow::Result<()> {
        fill(&self.jobs, jobs).await
    }

    async fn put(&self) -> anyhow::Result<()> {
        put(&self.jobs).await
    }

    async fn start(&self) -> anyhow::Result<Seen> {
        let mut processes = Vec::new();
        for _ in 0..self.processes {
            let url = self.database.url();
            processes
                .push(Process::start(&["--database", &url, "--redis", &self.redis, "--prefix", &self.prefix]).await?);
        }
        Ok(Seen::There(processes))
    }

    async fn end(self) -> anyhow::Result<()> {
        ground::remove_keys(&self.redis, &self.prefix).await?;
        self.database.remove().await
    }
}

/// A worker process's part; the future ends it.
pub(super) async fn work(
    database: &str,
    redis: &str,
    prefix: &str,
    told: &Told,
) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    let jobs = connect_to(connect::server(database).await?, redis, prefix).await?;
    Ok(crew(&jobs, told, false).await?.stop(GRACE))
}

async fn crew(jobs: &Jobs, told: &Told, alone: bool) -> anyhow::Result<Crew> {
    let lane = Lane { kind: KIND, concurrency: CONCURRENCY, handler: Arc::new(Nothing(told.clone())) };
    let options = CrewOptions { alone, keep: Duration::from_secs(3_600) };
    Ok(Crew::start(jobs.clone(), vec![lane], options).await?)
}

async fn fill(jobs: &Jobs, count: u64) -> anyhow::Result<()> {
    let mut left = count;
    while left > 0 {
        let batch = left.min(BATCH);
        left -= batch;
        let tx = jobs.db().begin().await?;
        let tickets = Jobs::insert(&tx, (0..batch).map(|_| NewJob::new(KIND, HOUR_MS)).collect()).await?;
        tx.commit().await?;
        jobs.transport().push(&tickets).await?;
    }
    Ok(())
}

async fn put(jobs: &Jobs) -> anyhow::Result<()> {
    jobs.submit(NewJob { args: now_us().to_string(), ..NewJob::new(KIND, HOUR_MS) }).await?;
    Ok(())
}
