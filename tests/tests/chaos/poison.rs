//! F9: a job that kills whoever takes it.

use std::time::Duration;

use grok2api_entity::job::{self, State};
use grok2api_tests::fleet::{Clients, Fleet, POISON, Part, Plan, Records, Strikes, Wish};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

const OTHERS: usize = 24;

#[tokio::test(flavor = "multi_thread")]
async fn f9_a_job_that_crashes_three_workers_is_given_up_and_the_others_are_done() {
    let fleet = Fleet::prepare(Plan::new(Records::Sqlite, true)).await.unwrap();
    let api = fleet.ready(Part::Api, "").await.unwrap();
    let (strikes, clients) = (Strikes::watch(fleet.db.clone()), Clients::new(fleet.client()));
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(fleet.ready(Part::Worker, POISON).await.unwrap());
    }
    clients.ask(Wish::video("poison", "[[poison]]")).await;
    for number in 0..OTHERS {
        clients.ask(Wish::video(&format!("other{number}"), "media:steps=2,gap_ms=50")).await;
    }
    let deaths = fleet.attend(&strikes, &mut workers, OTHERS + 1, Duration::from_secs(90)).await.unwrap();
    let given_up = job::Entity::find().filter(job::Column::ErrorCode.eq("job_crashed"));
    let given_up = given_up.all(&fleet.db).await.unwrap();
    assert_eq!(given_up.iter().map(|job| (job.crashes, job.state)).collect::<Vec<_>>(), [(3, State::Failed)]);
    assert_eq!(deaths, 3, "it was not given to a fourth worker");
    let log = clients.log(Duration::from_secs(5)).await.unwrap();
    let seen = strikes.sightings().await.unwrap();
    drop((workers, api));
    let verdict = fleet.evidence(log, seen).await.unwrap().judge();
    println!("{verdict}");
    assert!(!verdict.is_red(), "{verdict}");
    // Those that the poisoned workers had in the call are lost with them; all others are done.
    assert_eq!(verdict.completed + verdict.unknown, OTHERS, "{verdict}");
    assert!(verdict.completed > 0, "{verdict}");
}
