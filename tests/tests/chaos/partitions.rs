//! F12, F13, F30, F35, F36: processes that do not see the database, or Redis, while others do.

use std::time::{Duration, Instant};

use grok2api_entity::job::{self, State, Step};
use grok2api_tests::fleet::{Clients, Fleet, Part, Plan, Records, Wish, wait_for};
use grok2api_tests::ledger::Sightings;
use grok2api_tests::{Answer, Proxy, Way};
use reqwest::Method;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

const POSTGRES: &str = "127.0.0.1:5432";
const SOON: Duration = Duration::from_secs(40);
/// A request that is refused within this time was not left to wait. The law says a second; this machine may be busy.
const AT_ONCE: Duration = Duration::from_secs(4);

async fn ask_for_video(fleet: &Fleet, prompt: &str) -> Answer {
    let client = fleet.client();
    client.send(client.request(Method::POST, "/v1/videos").json(&json!({"prompt": prompt}))).await
}

async fn all_done(fleet: &Fleet) {
    let done = wait_for("all is done", SOON, async || Ok((fleet.open_jobs().await? == 0).then_some(())));
    done.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn f35_without_the_database_work_is_refused_at_once_and_chats_go_on() {
    let fleet = Fleet::prepare(Plan::new(Records::Postgres, true)).await.unwrap();
    let way = Proxy::to(POSTGRES).await.unwrap();
    let url = fleet.database_url().unwrap().replace(POSTGRES, &way.address());
    let mut serve = fleet.ready_with(Part::Serve, &[("GROK2API_DATABASE_URL", &url)]).await.unwrap();
    assert_eq!(ask_for_video(&fleet, "The sun rises").await.status.as_u16(), 200);
    for fault in [Way::Blocked, Way::Cut] {
        way.set(fault);
        for path in ["/v1/videos", "/v1/images/generations"] {
            let (client, asked) = (fleet.client(), Instant::now());
            let answer = client.send(client.request(Method::POST, path).json(&json!({"prompt": "A kite"}))).await;
            let took = asked.elapsed();
            let body: Value = serde_json::from_str(&answer.text).unwrap();
            let told = (answer.status.as_u16(), body["error"]["code"].as_str().unwrap_or_default());
            assert_eq!(told, (503, "database_unavailable"), "{fault:?} {path}: {}", answer.text);
            assert!(answer.headers.contains_key("retry-after"), "{fault:?} {path}");
            assert!(took < AT_ONCE, "{fault:?} {path}: {took:?}");
            println!("{fault:?} {path}: refused after {took:.2?}");
        }
        let chat = fleet.client().chat("grok-3-fast", "say:still here").await;
        assert_eq!((chat.status.as_u16(), chat.content().as_str()), (200, "still here"), "{fault:?}: {}", chat.text);
    }
    way.set(Way::Open);
    let accepted = wait_for("work is accepted again", SOON, async || {
        let answer = ask_for_video(&fleet, "The sun rises again").await;
        Ok((answer.status == 200).then_some(()))
    });
    accepted.await.unwrap();
    all_done(&fleet).await;
    serve.expect_alive().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn f36_a_database_that_takes_its_time_slows_no_chat() {
    let fleet = Fleet::prepare(Plan::new(Records::Postgres, true)).await.unwrap();
    let way = Proxy::to(POSTGRES).await.unwrap();
    let url = fleet.database_url().unwrap().replace(POSTGRES, &way.address());
    let mut api = fleet.ready_with(Part::Api, &[("GROK2API_DATABASE_URL", &url)]).await.unwrap();
    let by = Duration::from_secs(5);
    way.set(Way::Slow(by));
    for _ in 0..20 {
        let asked = Instant::now();
        let chat = fleet.client().chat("grok-3-fast", "say:here").await;
        assert_eq!((chat.status.as_u16(), chat.content().as_str()), (200, "here"), "{}", chat.text);
        assert!(asked.elapsed() < by, "it waited for a statement: {:?}", asked.elapsed());
    }
    api.expect_alive().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn f12_f30_processes_that_do_not_see_redis_find_their_work_in_the_records() {
    let fleet = Fleet::prepare(Plan::new(Records::Postgres, true)).await.unwrap();
    let redis = fleet.redis.as_ref().unwrap().url();
    let target = redis.trim_start_matches("redis://").to_owned();
    let (of_api, of_worker) = (Proxy::to(&target).await.unwrap(), Proxy::to(&target).await.unwrap());
    let through = |way: &Proxy| format!("redis://{}", way.address());
    let mut processes = vec![
        fleet.ready_with(Part::Api, &[("GROK2API_REDIS_URL", &through(&of_api))]).await.unwrap(),
        fleet.ready_with(Part::Worker, &[("GROK2API_REDIS_URL", &through(&of_worker))]).await.unwrap(),
    ];
    let clients = Clients::new(fleet.client());
    // In the middle of a job; then from the beginning, with the one, the other, and none of them cut off.
    clients.ask(Wish::video("begun", "media:steps=4,gap_ms=400")).await;
    running(&fleet).await;
    for (number, (api, worker)) in
        [(Way::Open, Way::Blocked), (Way::Blocked, Way::Open), (Way::Cut, Way::Cut), (Way::Open, Way::Open)]
            .into_iter()
            .enumerate()
    {
        of_api.set(api);
        of_worker.set(worker);
        for which in 0..3 {
            clients.ask(Wish::video(&format!("v{number}-{which}"), "media:steps=2,gap_ms=50")).await;
        }
        all_done(&fleet).await;
    }
    for process in &mut processes {
        process.expect_alive().unwrap();
    }
    let log = clients.log(SOON).await.unwrap();
    drop(processes);
    let verdict = fleet.evidence(log, Sightings::default()).await.unwrap().judge();
    assert!(!verdict.is_red(), "{verdict}");
    assert_eq!(verdict.completed, 13, "{verdict}");
}

/// Waits until the upstream answers a job.
async fn running(fleet: &Fleet) -> job::Model {
    wait_for("a job is being made", SOON, async || {
        let begun = job::Entity::find().filter(job::Column::State.eq(State::Running));
        Ok(begun.filter(job::Column::Step.eq(Step::Submitted)).one(&fleet.db).await?)
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn f13_a_worker_that_does_not_see_the_database_keeps_its_result_or_drops_it() {
    let fleet = Fleet::prepare(Plan::new(Records::Postgres, true)).await.unwrap();
    let way = Proxy::to(POSTGRES).await.unwrap();
    let url = fleet.database_url().unwrap().replace(POSTGRES, &way.address());
    let mut api = fleet.ready(Part::Api, "").await.unwrap();
    let mut worker = fleet.ready_with(Part::Worker, &[("GROK2API_DATABASE_URL", &url)]).await.unwrap();
    // For less than a lease: nobody takes the job over, and its worker writes down what it has when it can.
    ask_for_video(&fleet, "The sun rises media:steps=2,gap_ms=300 [[id=kept]]").await;
    let kept = running(&fleet).await;
    way.set(Way::Blocked);
    // No wait for anything: the upstream ends its answer meanwhile.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    way.set(Way::Open);
    all_done(&fleet).await;
    let kept = job::Entity::find_by_id(kept.id).one(&fleet.db).await.unwrap().unwrap();
    assert_eq!((kept.state, kept.crashes), (State::Completed, 0), "{kept:?}");
    // For longer: the job is taken from the worker, and what it has is dropped, since it is paid for already.
    ask_for_video(&fleet, "The sun rises media:steps=2,gap_ms=300 [[id=dropped]]").await;
    let dropped = running(&fleet).await;
    way.set(Way::Blocked);
    let free = wait_for("its worker is taken for dead", SOON, async || {
        let job = job::Entity::find_by_id(dropped.id).one(&fleet.db).await?;
        Ok(job.filter(|job| job.epoch > dropped.epoch))
    });
    free.await.unwrap();
    way.set(Way::Open);
    all_done(&fleet).await;
    let dropped = job::Entity::find_by_id(dropped.id).one(&fleet.db).await.unwrap().unwrap();
    let end = (dropped.state, dropped.error_code.as_deref(), dropped.crashes);
    assert_eq!(end, (State::Failed, Some("upstream_interrupted"), 1), "{dropped:?}");
    let creates = fleet.sim.creates();
    assert_eq!(["kept", "dropped"].map(|mark| creates.by_name[mark].creates), [1, 1], "{creates:?}");
    // It is as good as new.
    ask_for_video(&fleet, "The sun rises once more").await;
    all_done(&fleet).await;
    api.expect_alive().unwrap();
    worker.expect_alive().unwrap();
}
