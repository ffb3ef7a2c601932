//! F28, F29, F32: a Redis that forgets, stands still or is full. Nothing that was accepted is lost, work goes on, and so
//! do chats and processes.

use std::time::{Duration, Instant};

use grok2api_entity::job::{Column, Entity, State};
use grok2api_tests::Client;
use grok2api_tests::fleet::{Clients, Fleet, Part, Plan, Process, Records, Wish, wait_for};
use grok2api_tests::ledger::Sightings;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

/// Generous: a fault that keeps jobs waiting keeps them waiting for ever.
const DRIVEN: Duration = Duration::from_secs(30);
const ALL_DONE: Duration = Duration::from_secs(60);
/// How long Redis stands still.
const STILL: Duration = Duration::from_secs(30);
const BEFORE: usize = 12;
const MEANWHILE: usize = 4;

/// A fleet that works slowly, so that tickets lie in Redis when it is struck.
struct Patient {
    fleet: Fleet,
    clients: Clients,
    client: Client,
    processes: Vec<Process>,
    asked: usize,
}

impl Patient {
    async fn start() -> Self {
        let plan = Plan::new(Records::Sqlite, true).variable("GROK2API_WORKER__VIDEO_CONCURRENCY", "2");
        let fleet = Fleet::prepare(plan).await.unwrap();
        let mut processes = vec![fleet.ready(Part::Api, "").await.unwrap()];
        for _ in 0..2 {
            processes.push(fleet.ready(Part::Worker, "").await.unwrap());
        }
        let client = fleet.client();
        Self { clients: Clients::new(client.clone()), client, fleet, processes, asked: 0 }
    }

    async fn ask(&mut self, count: usize) {
        for _ in 0..count {
            self.clients.ask(Wish::video(&format!("v{}", self.asked), "media:steps=3,gap_ms=150")).await;
            self.asked += 1;
        }
    }

    async fn queued(&self) -> Vec<Uuid> {
        let queued = Entity::find().select_only().column(Column::Id).filter(Column::State.eq(State::Queued));
        queued.into_tuple().all(&self.fleet.db).await.unwrap()
    }

    /// Work and chats go on: called when the fault is there.
    async fn lives_with(&mut self, fault: &str) {
        let (struck, waiting) = (Instant::now(), self.queued().await);
        assert!(!waiting.is_empty(), "{fault}: nothing waits, so nothing can be lost");
        self.ask(MEANWHILE).await;
        let chat = self.client.chat("grok-3-fast", "say:still here").await;
        assert_eq!((chat.status.as_u16(), chat.content().as_str()), (200, "still here"), "{fault}: {}", chat.text);
        let driven = wait_for("a job that waited is driven again", DRIVEN, async || {
            let left = self.queued().await;
            Ok(waiting.iter().any(|id| !left.contains(id)).then_some(()))
        });
        driven.await.unwrap_or_else(|error| panic!("{fault}: {error:#}"));
        println!("{fault}: driven again after {:.2?}", struck.elapsed());
    }

    /// After the fault is over, or while it lasts.
    async fn all_done(&mut self, fault: &str) {
        let began = Instant::now();
        let done = wait_for("all is done", ALL_DONE, async || Ok((self.fleet.open_jobs().await? == 0).then_some(())));
        done.await.unwrap_or_else(|error| panic!("{fault}: {error:#}"));
        println!("{fault}: all done after another {:.2?}", began.elapsed());
        for process in &mut self.processes {
            process.expect_alive().unwrap_or_else(|error| panic!("{fault}: {error:#}"));
        }
    }

    /// Every request has its result, and was paid for once.
    async fn judge(self) {
        let log = self.clients.log(ALL_DONE).await.unwrap();
        drop(self.processes);
        let verdict = self.fleet.evidence(log, Sightings::default()).await.unwrap().judge();
        assert!(!verdict.is_red(), "{verdict}");
        assert_eq!(verdict.completed, self.asked, "{verdict}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f28_a_redis_that_forgets_everything_costs_no_job() {
    let mut patient = Patient::start().await;
    patient.ask(BEFORE).await;
    patient.fleet.redis.as_mut().unwrap().restart().await.unwrap();
    patient.lives_with("restart without persistence").await;
    patient.all_done("restart without persistence").await;
    patient.ask(BEFORE).await;
    patient.fleet.redis.as_ref().unwrap().ask(&["FLUSHALL"]).await.unwrap();
    patient.lives_with("FLUSHALL").await;
    patient.all_done("FLUSHALL").await;
    patient.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f29_f32_a_redis_that_stands_still_or_is_full_stops_no_work() {
    let mut patient = Patient::start().await;
    patient.ask(BEFORE).await;
    let struck = Instant::now();
    patient.fleet.redis.as_ref().unwrap().pause().unwrap();
    patient.lives_with("Redis stands still").await;
    // Without it to the end, and on for half a minute: those who come ask a Redis that does not answer.
    patient.all_done("Redis stands still").await;
    while struck.elapsed() < STILL {
        patient.ask(1).await;
        patient.all_done("Redis still stands still").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    patient.fleet.redis.as_ref().unwrap().resume().unwrap();
    fill(&patient.fleet).await;
    patient.ask(BEFORE).await;
    patient.lives_with("Redis is full").await;
    patient.all_done("Redis is full").await;
    patient.judge().await;
}

/// Lets Redis have 2 MB, and fills them.
async fn fill(fleet: &Fleet) {
    let redis = fleet.redis.as_ref().unwrap();
    redis.ask(&["CONFIG", "SET", "maxmemory", "2mb"]).await.unwrap();
    let large = "x".repeat(64 * 1024);
    for number in 0..200 {
        let answer = redis.ask(&["SET", &format!("filler{number}"), &large]).await.unwrap();
        if answer.contains("OOM") {
            return;
        }
    }
    panic!("Redis never was full");
}
