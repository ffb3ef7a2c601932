//! Redis and the database go away while workers work.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use grok2api_entity::generation;
use grok2api_entity::job::{Kind, State};
use grok2api_queue::{Crew, End, Handler, Hub, RedisSettings, RedisTransport};
use parking_lot::Mutex;
use sea_orm::ConnectionTrait;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::support::server::{Line, OwnRedis, Quality};
use crate::support::{Base, Ground, LONG, Party, Road, accept, act, in_time, job, raw_redis, wait_for};

const KIND: Kind = Kind::GenerateImage;

type Runs = Arc<Mutex<HashMap<Uuid, usize>>>;

/// Completes at once, and counts.
fn counting() -> (Runs, Arc<dyn Handler>) {
    let runs = Runs::default();
    let seen = Arc::clone(&runs);
    let handler = act(move |job| {
        *seen.lock().entry(job.row().id).or_default() += 1;
        Box::pin(async { Ok(End::Completed) })
    });
    (runs, handler)
}

struct Scene {
    ground: Ground,
    redis: OwnRedis,
    party: Party,
    crew: Crew,
    runs: Runs,
    name: Uuid,
}

impl Scene {
    async fn set(base: Base) -> Self {
        let redis = OwnRedis::start().await;
        let mut ground = Ground::new(base).await;
        ground.redis = redis.url();
        let party = ground.party(Road::Redis).await;
        let (runs, handler) = counting();
        let crew = party.crew(KIND, 3, handler).await;
        let name = crew.id();
        Self { ground, redis, party, crew, runs, name }
    }

    /// Jobs that are accepted now are done, each once.
    async fn jobs_are_done(&self, count: usize) {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(in_time("a job to be accepted", self.party.jobs.submit(job(KIND))).await.unwrap());
        }
        for id in &ids {
            wait_for("it to be done", async || self.party.row(*id).await.state == State::Completed).await;
        }
        assert!(ids.iter().all(|id| self.runs.lock()[id] == 1), "each once");
    }

    /// Whether the Redis there is now, which counts from its start, was asked for tickets.
    async fn taken_from_redis(&self) -> bool {
        let mut redis = raw_redis(&self.redis.url()).await;
        let told: String = redis::cmd("INFO").arg("commandstats").query_async(&mut redis).await.unwrap();
        told.contains("cmdstat_zrangebyscore")
    }

    async fn end(self) {
        assert_eq!(self.crew.id(), self.name, "the worker lived on");
        self.crew.stop(LONG).await;
        self.ground.end().await;
    }
}

#[tokio::test]
async fn f28_redis_dies_forgets_everything_and_comes_back() {
    let mut scene = Scene::set(Base::Postgres).await;
    scene.jobs_are_done(5).await;
    assert!(scene.taken_from_redis().await);
    for _ in 0..crate::support::chaos(1, 10) {
        scene.redis.kill();
        scene.jobs_are_done(20).await;
        let lost = scene.party.jobs.submit(job(Kind::GenerateVideo)).await.unwrap();
        scene.redis.restart().await;
        wait_for("tickets to come from Redis again", async || {
            scene.jobs_are_done(1).await;
            scene.taken_from_redis().await
        })
        .await;
        wait_for("the lost ticket to be repeated", async || {
            scene.party.transport.depth(Kind::GenerateVideo).await.is_ok_and(|depth| depth > 0)
        })
        .await;
        let row = scene.party.row(lost).await;
        scene.party.jobs.cancel(&row).await.unwrap();
    }
    scene.end().await;
}

#[tokio::test]
async fn f29_redis_that_stands_still_holds_nobody_up() {
    let scene = Scene::set(Base::Sqlite).await;
    scene.jobs_are_done(2).await;
    let mut redis = raw_redis(&scene.redis.url()).await;
    redis::cmd("CLIENT").arg("PAUSE").arg(120_000).arg("ALL").exec_async(&mut redis).await.unwrap();
    scene.jobs_are_done(10).await;
    let request = in_time("a request to be accepted", Box::pin(accept(&scene.party, "alice", 4))).await;
    let done = scene.party.jobs.finished(request.id, tokio::time::Instant::now() + LONG).await.unwrap().unwrap();
    assert_eq!(done.state, generation::State::Completed);
    let ping = tokio::time::timeout(Duration::from_millis(50), redis::cmd("PING").exec_async(&mut redis)).await;
    assert!(ping.is_err(), "it stood still all the time");
    scene.end().await;
}

#[tokio::test]
async fn f32_redis_without_memory_takes_no_tickets_and_work_goes_on() {
    let scene = Scene::set(Base::Sqlite).await;
    scene.jobs_are_done(2).await;
    let mut redis = raw_redis(&scene.redis.url()).await;
    redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg("2mb").exec_async(&mut redis).await.unwrap();
    let mut filler = 0;
    while redis::cmd("SET").arg(filler).arg("x".repeat(10_000)).exec_async(&mut redis).await.is_ok() {
        filler += 1;
        assert!(filler < 1_000, "memory must come to an end");
    }
    scene.jobs_are_done(20).await;
    let request = accept(&scene.party, "alice", 10).await;
    let done = scene.party.jobs.finished(request.id, tokio::time::Instant::now() + LONG).await.unwrap().unwrap();
    assert_eq!(done.state, generation::State::Completed);
    let half: Vec<String> =
        redis::cmd("KEYS").arg(format!("{}:*", scene.ground.prefix)).query_async(&mut redis).await.unwrap();
    assert!(half.is_empty(), "nothing half written: {half:?}");
    scene.end().await;
}

#[tokio::test]
async fn f33_what_redis_does_when_it_is_full_is_told() {
    let redis = OwnRedis::start().await;
    let ground = Ground::new(Base::Sqlite).await;
    let settings = RedisSettings { prefix: ground.prefix.clone() };
    let transport = RedisTransport::connect(&redis.url(), settings, ground.db().clone(), Hub::default()).await.unwrap();
    assert_eq!(transport.eviction_policy().await.unwrap().as_deref(), Some("noeviction"));
    let mut raw = raw_redis(&redis.url()).await;
    redis::cmd("CONFIG").arg("SET").arg("maxmemory-policy").arg("allkeys-lru").exec_async(&mut raw).await.unwrap();
    assert_eq!(transport.eviction_policy().await.unwrap().as_deref(), Some("allkeys-lru"));
    ground.end().await;
}

/// The result of a job is held while the database is away, and written when it is back.
async fn f13_a_result_waits_for_the_database(quality: Quality) {
    let ground = Ground::new(Base::Postgres).await;
    let line = Line::to("127.0.0.1:5432").await;
    let place = ground.place().await.replace(":5432", &format!(":{}", line.port));
    let (near, far) = (ground.party(Road::Redis).await, ground.party_at(&place, Road::Redis).await);
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let handler = {
        let (gate, begun) = (Arc::clone(&gate), Arc::clone(&begun));
        act(move |_| {
            let (gate, begun) = (Arc::clone(&gate), Arc::clone(&begun));
            Box::pin(async move {
                begun.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                Ok(End::Completed)
            })
        })
    };
    let crew = far.crew(KIND, 2, handler).await;
    let name = crew.id();
    let tickets = near.put(vec![job(KIND), job(KIND)]).await;
    // Their worker knows that it has them: a claim whose answer is cut off is another story.
    wait_for("both to run", async || begun.load(Ordering::SeqCst) == 2).await;
    line.becomes(quality);
    gate.add_permits(2);
    let tried = line.in_vain.load(Ordering::SeqCst);
    wait_for("it to be tried in vain", async || line.in_vain.load(Ordering::SeqCst) >= tried + 3).await;
    assert_eq!(near.count(State::Running).await, 2, "nothing could be written");
    line.becomes(Quality::Good);
    wait_for("the results to be written", async || near.count(State::Completed).await == 2).await;
    for ticket in tickets {
        let row = near.row(ticket.id).await;
        assert_eq!((row.epoch, row.crashes), (2, 0), "by the worker that had them");
    }
    assert_eq!(crew.id(), name, "when all stand still, nobody is taken for dead");
    crew.stop(LONG).await;
    ground.end().await;
}

#[tokio::test]
async fn f13_a_result_waits_for_a_database_that_was_cut_off() {
    f13_a_result_waits_for_the_database(Quality::Cut).await;
}

#[tokio::test]
async fn f13_a_result_waits_for_a_database_that_is_silent() {
    f13_a_result_waits_for_the_database(Quality::Silent).await;
}

#[tokio::test]
async fn f13_a_server_that_ends_its_connections_costs_nothing() {
    let ground = Ground::new(Base::Postgres).await;
    let party = ground.party(Road::Redis).await;
    let (runs, handler) = counting();
    let crew = party.crew(KIND, 4, handler).await;
    let mut accepted = 0;
    for _ in 0..crate::support::chaos(5, 100) {
        for _ in 0..20 {
            accepted += u64::from(party.jobs.submit(job(KIND)).await.is_ok());
        }
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        // The one that asks may be ended by itself, in another round.
        let _ = ground.db().execute_unprepared(end).await;
    }
    let (queued, completed) = (State::Queued, State::Completed);
    wait_for("all that was accepted to be done", async || party.count(completed).await >= accepted).await;
    wait_for("nothing to be left", async || party.count(queued).await == 0 && party.count(State::Running).await == 0)
        .await;
    let ran = runs.lock().len() as u64;
    assert_eq!(ran, party.count(completed).await, "nothing failed");
    crew.stop(LONG).await;
    ground.end().await;
}
