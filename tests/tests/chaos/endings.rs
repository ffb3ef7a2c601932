//! F11: a process that is asked to end does not hold up those who wait for work that it will not begin.
//! F15: one that dies between commit and answer has accepted, and the same request finds what it accepted.

use std::time::{Duration, Instant};

use grok2api_entity::job::{self, State, Step};
use grok2api_entity::{generation, worker};
use grok2api_tests::Answer;
use grok2api_tests::fleet::{Fleet, Part, Plan, Records, wait_for};
use reqwest::Method;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(40);

fn draw(fleet: &Fleet, mark: &'static str) -> tokio::task::JoinHandle<Answer> {
    let client = fleet.client();
    tokio::spawn(async move {
        let request = client.request(Method::POST, "/v1/images/generations").header("idempotency-key", mark);
        let prompt = format!("A kite media:head_ms=2500 [[id={mark}]]");
        client.send(request.json(&json!({"prompt": prompt}))).await
    })
}

async fn jobs(fleet: &Fleet, state: State) -> u64 {
    let of_requests = job::Entity::find().filter(job::Column::GenerationId.is_not_null());
    of_requests.filter(job::Column::State.eq(state)).count(&fleet.db).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn f11_who_waits_for_work_that_was_not_begun_is_told_and_finds_it_later() {
    let plan = Plan::new(Records::Sqlite, false)
        .variable("GROK2API_WORKER__IMAGE_CONCURRENCY", "1")
        .variable("GROK2API_SERVER__SHUTDOWN_GRACE_SECS", "60");
    let fleet = Fleet::prepare(plan).await.unwrap();
    let mut serve = fleet.ready(Part::Serve, "").await.unwrap();
    let begun = draw(&fleet, "begun");
    let is_begun =
        wait_for("the first is begun", SOON, async || Ok((jobs(&fleet, State::Running).await == 1).then_some(())));
    is_begun.await.unwrap();
    let waiting = draw(&fleet, "waiting");
    let waits = wait_for("the second waits", SOON, async || Ok((jobs(&fleet, State::Queued).await == 1).then_some(())));
    waits.await.unwrap();
    serve.terminate().unwrap();
    let told = waiting.await.unwrap();
    let body: Value = serde_json::from_str(&told.text).unwrap();
    assert_eq!((told.status.as_u16(), body["error"]["code"].as_str()), (503, Some("shutting_down")), "{}", told.text);
    assert!(told.headers.contains_key("retry-after"));
    assert!(!begun.is_finished(), "what was begun goes on meanwhile");
    assert_eq!(begun.await.unwrap().status.as_u16(), 200);
    // Well before its 60 s of grace are over.
    assert!(serve.wait(Duration::from_secs(20)).await.unwrap().success());
    let again = fleet.ready(Part::Serve, "").await.unwrap();
    let found = wait_for("it is found", SOON, async || {
        Ok(Some(draw(&fleet, "waiting").await?).filter(|answer| answer.status == 200))
    });
    found.await.unwrap();
    drop(again);
    assert_eq!(fleet.sim.creates().by_name["waiting"].creates, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn f11_a_worker_that_ends_hands_over_what_it_cannot_finish() {
    let plan = Plan::new(Records::Sqlite, true).variable("GROK2API_WORKER__DRAIN_SECS", "0");
    let fleet = Fleet::prepare(plan).await.unwrap();
    let _api = fleet.ready(Part::Api, "").await.unwrap();
    let mut leaving = fleet.ready(Part::Worker, "before_fetch=sleep:3600000").await.unwrap();
    let request = fleet.client().request(Method::POST, "/v1/videos").json(&json!({"prompt": "Waves [[id=waves]]"}));
    assert_eq!(request.send().await.unwrap().status(), 200);
    let held = async |pid: u32| {
        let is = worker::Entity::find().filter(worker::Column::Pid.eq(i64::from(pid))).one(&fleet.db).await?;
        let rows = job::Entity::find().filter(job::Column::GenerationId.is_not_null()).all(&fleet.db).await?;
        Ok(rows.into_iter().find(|row| row.step == Step::Archiving && row.holder == is.as_ref().map(|is| is.id)))
    };
    let row = wait_for("it fetches the video", SOON, async || held(leaving.pid()).await).await.unwrap();
    let heir = fleet.ready(Part::Worker, "before_fetch=sleep:3600000").await.unwrap();
    let told = Instant::now();
    leaving.terminate().unwrap();
    let passed = wait_for("the other has it", SOON, async || held(heir.pid()).await).await.unwrap();
    println!("handed over after {:?}", told.elapsed());
    assert!(leaving.wait(SOON).await.unwrap().success());
    assert_eq!((passed.id, passed.crashes), (row.id, 0), "nobody died over it");
    assert_eq!(fleet.sim.creates().by_name["waves"].creates, 1, "what was paid for goes on where it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn f15_a_process_that_dies_before_its_answer_has_accepted_once() {
    let fleet = Fleet::prepare(Plan::new(Records::Sqlite, false)).await.unwrap();
    let mut serve = fleet.ready(Part::Serve, "after_accept=abort").await.unwrap();
    let client = fleet.client();
    let ask = async || {
        let request = client.request(Method::POST, "/v1/videos").header("idempotency-key", "once");
        request.json(&json!({"prompt": "The sun rises [[id=once]]"})).send().await
    };
    assert!(ask().await.is_err(), "the connection breaks");
    serve.wait(SOON).await.unwrap();
    let accepted = generation::Entity::find().all(&fleet.db).await.unwrap();
    assert_eq!(accepted.len(), 1, "{accepted:?}");
    let _again = fleet.ready(Part::Serve, "").await.unwrap();
    let repeated = ask().await.unwrap();
    assert_eq!((repeated.status().as_u16(), repeated.headers().contains_key("idempotent-replayed")), (200, true));
    let video: Value = repeated.json().await.unwrap();
    assert_eq!(video["id"], accepted[0].public_id.as_str());
    let done = wait_for("it is done", SOON, async || Ok((fleet.open_jobs().await? == 0).then_some(())));
    done.await.unwrap();
    assert_eq!(job::Entity::find().filter(job::Column::GenerationId.is_not_null()).count(&fleet.db).await.unwrap(), 1);
    assert_eq!(fleet.sim.creates().by_name["once"].creates, 1);
}
