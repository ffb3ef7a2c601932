//! Requests: accepted once, seen by their owner alone, on every database.

use futures_util::future::join_all;
use grok2api_entity::job::Kind;
use grok2api_entity::{generation, idempotency, job};
use grok2api_queue::{Accepted, Bounds, QueueError, RepeatKey};
use sea_orm::EntityTrait;

use crate::support::{Base, Ground, Road, accept, key, on_all, patiently, request};

fn named(hash: &str) -> RepeatKey {
    key("key-1", hash)
}

async fn j13_a_repeated_request_is_the_same_request(base: Base) {
    let ground = Ground::new(base).await;
    let party = ground.party(Road::Rows).await;
    let first = party.jobs.accept(request("alice", 3), Some(named("aa"))).await.unwrap();
    let Accepted::New(row) = first else { panic!("{first:?}") };
    assert_eq!((row.pending, row.state), (2, generation::State::Queued));
    assert_eq!(party.jobs.generation("alice", &row.public_id).await.unwrap().as_ref(), Some(&row));
    let again = party.jobs.accept(request("alice", 3), Some(named("aa"))).await.unwrap();
    assert_eq!(again, Accepted::Repeated(row.clone()));
    assert_eq!(party.jobs.accept(request("alice", 3), Some(named("bb"))).await.unwrap(), Accepted::OtherBody);
    let elsewhere = Some(RepeatKey { endpoint: "/v1/other", ..key("key-1", "aa") });
    assert_eq!(party.jobs.accept(request("alice", 3), elsewhere).await.unwrap(), Accepted::OtherBody);
    let bob = party.jobs.accept(request("bob", 1), Some(named("aa"))).await.unwrap();
    assert!(matches!(bob, Accepted::New(_)), "keys belong to their owners");
    generation::Entity::delete_by_id(row.id).exec(ground.db()).await.unwrap();
    assert_eq!(party.jobs.accept(request("alice", 3), Some(named("aa"))).await.unwrap(), Accepted::Gone);
    ground.end().await;
}

async fn f16_fifty_duplicates_at_two_processes_make_one_request(base: Base) {
    let ground = Ground::new(base).await;
    let parties = [ground.party(Road::Rows).await, ground.party(Road::Rows).await];
    for round in 0..crate::support::chaos(2, 50) {
        let key = key(&format!("round-{round}"), "aa");
        let all = (0..50).map(|n| {
            let (party, key) = (&parties[n % 2], key.clone());
            // Whoever gets no connection in time asks again, as clients do.
            patiently(async move || party.jobs.accept(request("alice", 4), Some(key.clone())).await)
        });
        let all: Vec<Accepted> = join_all(all).await;
        let new: Vec<_> =
            all.iter().filter_map(|one| if let Accepted::New(row) = one { Some(row) } else { None }).collect();
        assert_eq!(new.len(), 1, "one was first");
        let repeated = all.iter().filter(|one| matches!(one, Accepted::Repeated(row) if row.id == new[0].id)).count();
        assert_eq!(repeated, 49, "and all others are told which");
        assert_eq!(generation::Entity::find().all(ground.db()).await.unwrap().len(), round + 1);
        assert_eq!(job::Entity::find().all(ground.db()).await.unwrap().len(), (round + 1) * 2);
    }
    ground.end().await;
}

async fn i1_a_request_that_is_not_taken_leaves_nothing(base: Base) {
    let ground = Ground::new(base).await;
    let party = ground.party(Road::Rows).await;
    let first = accept(&party, "alice", 1).await;
    let mut same_name = request("alice", 1);
    same_name.public_id.clone_from(&first.public_id);
    let refused = party.jobs.accept(same_name, Some(named("aa"))).await;
    assert!(matches!(refused, Err(QueueError::Database(_))), "{refused:?}");
    assert_eq!(generation::Entity::find().all(ground.db()).await.unwrap(), [first]);
    assert_eq!(job::Entity::find().all(ground.db()).await.unwrap().len(), 1);
    let keys = idempotency::Entity::find().all(ground.db()).await.unwrap();
    assert!(keys.iter().all(|used| used.key != "key-1"), "the key is free");
    assert!(matches!(party.jobs.accept(request("alice", 1), Some(named("aa"))).await.unwrap(), Accepted::New(_)));
    ground.end().await;
}

async fn f67_a_full_queue_is_said_to_be_full(base: Base) {
    let ground = Ground::new(base).await;
    let party = ground.party(Road::Rows).await;
    party.jobs.set_bounds(Bounds { queued: 6, queued_per_owner: 4 });
    let full =
        async |owner: &str| matches!(party.jobs.accept(request(owner, 4), None).await, Err(QueueError::Full { .. }));
    assert!(!full("alice").await);
    assert!(!full("alice").await);
    assert!(full("alice").await, "four of hers wait, counted without a pause");
    assert!(!full("bob").await);
    assert!(full("carol").await, "six wait in all");
    assert_eq!(generation::Entity::find().all(ground.db()).await.unwrap().len(), 3);
    assert_eq!(party.jobs.admit(Kind::GenerateVideo, "alice").await.map_err(|error| error.to_string()), Ok(()));
    ground.end().await;
}

async fn k7_nobody_finds_what_others_asked_for(base: Base) {
    let ground = Ground::new(base).await;
    let party = ground.party(Road::Rows).await;
    let row = accept(&party, "alice", 1).await;
    assert_eq!(party.jobs.generation("bob", &row.public_id).await.unwrap(), None);
    assert_eq!(party.jobs.generations("bob", row.kind, None, false, 9).await.unwrap(), []);
    assert_eq!(party.jobs.generation("alice", &row.public_id).await.unwrap(), Some(row.clone()));
    party.jobs.delete_generation(row.id).await.unwrap();
    assert_eq!(party.jobs.generation("alice", &row.public_id).await.unwrap(), None);
    assert_eq!(party.jobs.generations("alice", row.kind, None, false, 9).await.unwrap(), []);
    let job = &party.jobs.of_generation(row.id).await.unwrap()[0];
    assert_eq!(job.state, job::State::Cancelled);
    ground.end().await;
}

async fn h8_pages_neither_repeat_nor_leave_out(base: Base) {
    let ground = Ground::new(base).await;
    let party = ground.party(Road::Rows).await;
    let mut made = Vec::new();
    for batch in 0..5 {
        let rows = join_all((0..5).map(|_| accept(&party, "alice", 1))).await;
        made.extend(rows.iter().map(|row| (row.created_at, row.id)));
        accept(&party, if batch % 2 == 0 { "bob" } else { "carol" }, 1).await;
    }
    made.sort_unstable();
    for ascending in [true, false] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let kind = generation::Kind::Image;
            let page = party.jobs.generations("alice", kind, after.as_ref(), ascending, 4).await.unwrap();
            assert!(page.len() <= 4);
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            seen.extend(page.iter().map(|row| (row.created_at, row.id)));
            if !ascending && seen.len() == 8 {
                // What is made meanwhile belongs in front of the first page.
                accept(&party, "alice", 1).await;
            }
        }
        if !ascending {
            seen.reverse();
        }
        assert_eq!(seen, made);
    }
    ground.end().await;
}

on_all!(
    j13_a_repeated_request_is_the_same_request,
    f16_fifty_duplicates_at_two_processes_make_one_request,
    i1_a_request_that_is_not_taken_leaves_nothing,
    f67_a_full_queue_is_said_to_be_full,
    k7_nobody_finds_what_others_asked_for,
    h8_pages_neither_repeat_nor_leave_out,
);
