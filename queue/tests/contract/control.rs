//! What the operator says about kinds: pauses, and how much runs at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use grok2api_entity::audit::{self, Note};
use grok2api_entity::job::{Kind, State};
use grok2api_queue::{Crew, CrewOptions, End, Handler, Lane, Rule, Sweeper, Wish};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::support::{Base, Ground, LONG, Party, Road, act, job, on_all, wait_for};

const KIND: Kind = Kind::GenerateImage;
const OTHER: Kind = Kind::TokenTest;

fn note() -> Note {
    Note { actor: "test".to_owned(), ip: String::new(), action: "queue.test", target: String::new(), detail: json!({}) }
}

async fn wish(party: &Party, kind: Kind, wish: Wish) -> Rule {
    party.jobs.wish(kind, wish, &note()).await.unwrap()
}

/// Jobs that wait at a gate, and how many do.
fn gated() -> (Arc<AtomicUsize>, Arc<Semaphore>, Arc<dyn Handler>) {
    let (now, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (seen, closed) = (Arc::clone(&now), Arc::clone(&gate));
    let handler = act(move |_job| {
        let (now, gate) = (Arc::clone(&seen), Arc::clone(&closed));
        Box::pin(async move {
            now.fetch_add(1, Ordering::SeqCst);
            gate.acquire().await.unwrap().forget();
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(End::Completed)
        })
    });
    (now, gate, handler)
}

/// Workers of two kinds.
async fn crew(party: &Party, concurrency: usize, handler: &Arc<dyn Handler>) -> Crew {
    let lane = |kind| Lane { kind, concurrency, handler: Arc::clone(handler) };
    let options = CrewOptions { alone: false, keep: Duration::from_secs(3_600) };
    Crew::start(party.jobs.clone(), vec![lane(KIND), lane(OTHER)], options).await.unwrap()
}

/// The operator is at one process, the workers are in others; what is paused waits through their restart.
async fn a_pause_holds_everywhere_and_all_that_waited_is_done_after_it(base: Base, road: Road) {
    let ground = Ground::new(base).await;
    let (operator, party) = (ground.party(road).await, ground.party(road).await);
    assert_eq!(wish(&operator, KIND, Wish::Pause).await, Rule { paused: true, concurrency: None });
    wish(&operator, KIND, Wish::Pause).await;
    assert_eq!(audit::Entity::find().count(ground.db()).await.unwrap(), 1, "the second one changed nothing");

    let (now, gate, handler) = gated();
    gate.add_permits(1_000);
    let first = crew(&party, 4, &handler).await;
    operator.put((0..30).map(|_| job(KIND)).chain([job(OTHER)]).collect()).await;
    wait_for("what is not paused to be done", async || operator.count(State::Completed).await == 1).await;
    first.stop(LONG).await;
    let (party, sweeper) = (ground.party(road).await, Sweeper::new(operator.jobs.clone(), Duration::ZERO));
    let second = crew(&party, 4, &handler).await;
    operator.put(vec![job(OTHER)]).await;
    wait_for("the next one to be done", async || operator.count(State::Completed).await == 2).await;
    assert_eq!((sweeper.take_over(None).await.unwrap(), sweeper.expire().await.unwrap()), (0, 0));
    assert_eq!((operator.count(State::Queued).await, now.load(Ordering::SeqCst)), (30, 0));
    assert_eq!(operator.jobs.survey().await.unwrap().iter().map(|one| one.queued).sum::<u64>(), 30);

    assert!(!wish(&operator, KIND, Wish::Resume).await.paused);
    wait_for("all to be done", async || operator.count(State::Completed).await == 32).await;
    second.stop(LONG).await;
    ground.end().await;
}

async fn as_many_run_as_is_said_while_it_is_said(base: Base, road: Road) {
    let ground = Ground::new(base).await;
    let (operator, party) = (ground.party(road).await, ground.party(road).await);
    let (now, gate, handler) = gated();
    let crew = crew(&party, 2, &handler).await;
    operator.put((0..12).map(|_| job(KIND)).collect()).await;
    wait_for("two to run", async || now.load(Ordering::SeqCst) == 2).await;
    wish(&operator, KIND, Wish::Concurrency(Some(5))).await;
    wait_for("five to run", async || now.load(Ordering::SeqCst) == 5).await;
    wish(&operator, KIND, Wish::Concurrency(Some(1))).await;
    // Heard by the worker when the next pause is: both are read in one look.
    wish(&operator, OTHER, Wish::Pause).await;
    let rules = operator.jobs.rules().await.unwrap();
    let of = |kind| rules.iter().find(|(known, _)| *known == kind).unwrap().1;
    assert_eq!((of(KIND).concurrency, of(OTHER).paused), (Some(1), true));
    wait_for("the worker to hear it", async || party.jobs.rule(KIND).concurrency == Some(1)).await;
    gate.add_permits(4);
    wait_for("four to be done", async || operator.count(State::Completed).await == 4).await;
    wait_for("one to run", async || now.load(Ordering::SeqCst) == 1).await;
    assert_eq!(operator.count(State::Running).await, 1, "no other was begun for those that ended");
    wish(&operator, KIND, Wish::Concurrency(None)).await;
    wait_for("two to run", async || now.load(Ordering::SeqCst) == 2).await;
    gate.add_permits(1_000);
    wait_for("all to be done", async || operator.count(State::Completed).await == 12).await;
    crew.stop(LONG).await;
    ground.end().await;
}

async fn pause_by_rows(base: Base) {
    a_pause_holds_everywhere_and_all_that_waited_is_done_after_it(base, Road::Rows).await;
}

async fn pause_by_redis(base: Base) {
    a_pause_holds_everywhere_and_all_that_waited_is_done_after_it(base, Road::Redis).await;
}

async fn concurrency_by_rows(base: Base) {
    as_many_run_as_is_said_while_it_is_said(base, Road::Rows).await;
}

async fn concurrency_by_redis(base: Base) {
    as_many_run_as_is_said_while_it_is_said(base, Road::Redis).await;
}

on_all!(pause_by_rows, pause_by_redis, concurrency_by_rows, concurrency_by_redis);
