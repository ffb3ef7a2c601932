//! The life of a job, on every database.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use grok2api_entity::failure::Code;
use grok2api_entity::job::{self, Column, Entity, Kind, State, Step};
use grok2api_entity::{generation, idempotency, job_attempt, meta};
use grok2api_queue::{End, Failure, Lost, Note, Sweeper, Ticket, now_ms};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};
use uuid::Uuid;

use crate::support::{Base, Ground, Party, Road, accept, in_time, job, on_all, wait_for};

const KIND: Kind = Kind::GenerateVideo;
const DAY_MS: i64 = 24 * 3_600_000;

fn sweeper(party: &Party) -> Sweeper {
    Sweeper::new(party.jobs.clone(), Duration::from_secs(3_600))
}

fn step(step: Step) -> Note {
    Note { step: Some(step), ..Note::default() }
}

async fn i2_of_fifty_claims_one_wins(base: Base) {
    let ground = Ground::new(base).await;
    let parties = [ground.party(Road::Rows).await, ground.party(Road::Rows).await];
    let ticket = parties[0].put(vec![job(KIND)]).await[0];
    let claims = (0..50).map(|n| parties[n % 2].claim(ticket, Uuid::from_u128(n as u128)));
    let won: Vec<_> = join_all(claims).await.into_iter().flatten().collect();
    assert_eq!(won.len(), 1);
    let row = parties[0].row(ticket.id).await;
    assert_eq!((row.state, row.epoch, row.holder), (State::Running, 1, won[0].row().holder));
    assert_eq!(&row, won[0].row());
    assert_eq!(parties[0].hub.running() + parties[1].hub.running(), 1, "the losers hold nothing");
    ground.end().await;
}

async fn i2_after_a_takeover_every_write_is_refused(base: Base) {
    let ground = Ground::new(base).await;
    let party = ground.party(Road::Rows).await;
    let ticket = party.put(vec![job(KIND)]).await[0];
    let mut zombie = party.claim(ticket, Uuid::now_v7()).await.unwrap();
    assert!(!zombie.lost().is_cancelled());
    assert_eq!(sweeper(&party).take_over(None).await.unwrap(), 1, "its holder is no worker there is");
    assert!(zombie.lost().is_cancelled(), "it was told");
    let mut heir = party.claim(Ticket { epoch: 2, ..ticket }, Uuid::now_v7()).await.unwrap();
    heir.note(Note { progress: Some(10), ..Note::default() }).await.unwrap();
    let before = party.row(ticket.id).await;
    assert_eq!(zombie.note(Note { progress: Some(99), ..step(Step::Submitted) }).await, Err(Lost));
    let also = zombie.step_with(step(Step::Archiving), |tx| Box::pin(meta::set(tx, "zombie", "was here"))).await;
    assert_eq!(also, Err(Lost));
    assert_eq!(zombie.end(End::Completed).await, Err(Lost));
    assert_eq!(party.row(ticket.id).await, before);
    assert_eq!(meta::get(ground.db(), "zombie").await.unwrap(), None);
    assert_eq!(heir.end(End::Completed).await.unwrap().epoch, 4);
    ground.end().await;
}

async fn a_worker_lets_go_in_four_ways(base: Base) {
    let ground = Ground::new(base).await;
    let party = ground.party(Road::Rows).await;
    let tickets = party.put((0..4).map(|_| job(KIND)).collect()).await;
    let run_at = now_ms() + 50_000;
    let failure = Failure::new(Code::UpstreamError, format!("it said \0{}", "x".repeat(5_000)));
    let ends =
        [End::Completed, End::Failed(failure), End::Again { run_at, step: Step::Start, counted: true }, End::HandOver];
    let mut rows = Vec::new();
    for (ticket, end) in tickets.iter().zip(ends) {
        let mut job = party.claim(*ticket, Uuid::now_v7()).await.unwrap();
        job.note(Note { progress: Some(50), ..step(Step::Sending) }).await.unwrap();
        let told = job.end(end).await.unwrap();
        let row = party.row(ticket.id).await;
        assert_eq!(row, told, "what is answered is what is written");
        assert_eq!((row.epoch, row.holder, row.crashes), (2, None, 0));
        rows.push(row);
    }
    assert_eq!((rows[0].state, rows[0].progress, rows[0].error_code.as_deref()), (State::Completed, 100, None));
    assert_eq!((rows[1].state, rows[1].error_code.as_deref()), (State::Failed, Some("upstream_error")));
    assert!(rows[1].error_message.as_ref().is_some_and(|text| text.len() == 2_000 && !text.contains('\0')));
    assert!(rows[..2].iter().all(|row| row.finished_at.is_some()));
    assert_eq!((rows[2].state, rows[2].step, rows[2].tries, rows[2].run_at), (State::Queued, Step::Start, 1, run_at));
    assert_eq!((rows[3].state, rows[3].step, rows[3].tries), (State::Queued, Step::Sending, 0));
    assert!(rows[2..].iter().all(|row| row.finished_at.is_none() && row.started_at.is_some()));
    ground.end().await;
}

async fn f9_three_crashes_end_a_job_and_progress_forgives(base: Base) {
    let ground = Ground::new(base).await;
    let party = ground.party(Road::Rows).await;
    let tickets = party.put(vec![job(KIND), job(KIND)]).await;
    let sweeper = sweeper(&party);
    for round in 0..3_i64 {
        for ticket in &tickets {
            let ticket = Ticket { epoch: round * 2, ..*ticket };
            let mut held = party.claim(ticket, Uuid::now_v7()).await.unwrap();
            held.note(step(Step::Sending)).await.unwrap();
            if round == 2 && ticket.id == tickets[1].id {
                held.note(step(Step::Submitted)).await.unwrap();
            }
        }
        assert_eq!(sweeper.take_over(None).await.unwrap(), 2);
    }
    let (poison, lucky) = (party.row(tickets[0].id).await, party.row(tickets[1].id).await);
    assert_eq!((poison.state, poison.crashes, poison.error_code.as_deref()), (State::Failed, 3, Some("job_crashed")));
    assert_eq!((lucky.state, lucky.crashes, lucky.step), (State::Queued, 1, Step::Submitted));
    ground.end().await;
}

async fn f7_a_ticket_that_comes_after_the_end_changes_nothing(base: Base) {
    let ground = Ground::new(base).await;
    let party = ground.party(Road::Rows).await;
    let ticket = party.put(vec![job(KIND)]).await[0];
    let held = party.claim(ticket, Uuid::now_v7()).await.unwrap();
    let row = held.end(End::Completed).await.unwrap();
    for epoch in 0..4 {
        assert!(party.claim(Ticket { epoch, ..ticket }, Uuid::now_v7()).await.is_none());
    }
    assert_eq!(party.row(ticket.id).await, row);
    assert!(party.claim(Ticket { id: Uuid::now_v7(), ..ticket }, Uuid::now_v7()).await.is_none(), "no such job");
    ground.end().await;
}

async fn j8_cancelling_stops_what_waits_and_what_runs(base: Base) {
    let ground = Ground::new(base).await;
    let party = ground.party(Road::Rows).await;
    let request = accept(&party, "alice", 4).await;
    let jobs = party.jobs.of_generation(request.id).await.unwrap();
    assert_eq!(jobs.len(), 2);
    let mut running = party.claim(Ticket::of(&jobs[0]), Uuid::now_v7()).await.unwrap();
    running.note(step(Step::Sending)).await.unwrap();
    assert!(party.jobs.cancel_generation(request.id).await.unwrap());
    in_time("the worker to be told", running.lost().cancelled()).await;
    assert_eq!(running.end(End::Completed).await, Err(Lost));
    for job in party.jobs.of_generation(request.id).await.unwrap() {
        assert_eq!((job.state, job.holder), (State::Cancelled, None));
        assert!(party.jobs.cancel(&job).await.unwrap().is_none(), "it is over");
    }
    let request = party.jobs.generation("alice", &request.public_id).await.unwrap().unwrap();
    assert_eq!((request.state, request.pending), (generation::State::Cancelled, 0));
    assert!(request.completed_at.is_some());
    assert!(!party.jobs.cancel_generation(request.id).await.unwrap());
    ground.end().await;
}

async fn a_request_settles_exactly_when_its_last_job_ends(base: Base) {
    let ground = Ground::new(base).await;
    let parties = [ground.party(Road::Rows).await, ground.party(Road::Rows).await];
    for round in 0..crate::support::chaos(8, 200) {
        let request = accept(&parties[0], "alice", 10).await;
        let jobs = parties[0].jobs.of_generation(request.id).await.unwrap();
        assert_eq!((jobs.len(), request.pending), (5, 5));
        // All but the last `round % 6` complete.
        let ends = jobs.iter().enumerate().map(async |(n, job)| {
            let party = &parties[n % 2];
            let held = party.claim(Ticket::of(job), Uuid::now_v7()).await.unwrap();
            let failed = End::Failed(Failure::new(Code::UpstreamError, format!("failure {n}")));
            held.end(if n + round % 6 >= 5 { failed } else { End::Completed }).await.unwrap();
        });
        join_all(ends).await;
        let request = parties[1].jobs.generation("alice", &request.public_id).await.unwrap().unwrap();
        let all_failed = round % 6 == 5;
        let expected = if all_failed { generation::State::Failed } else { generation::State::Completed };
        assert_eq!((request.state, request.pending), (expected, 0), "round {round}");
        assert_eq!(request.error_message.as_deref(), all_failed.then_some("failure 0"));
        assert!(request.completed_at.is_some());
    }
    ground.end().await;
}

async fn a_request_is_as_far_as_its_jobs_are(base: Base) {
    let ground = Ground::new(base).await;
    let party = ground.party(Road::Rows).await;
    let request = accept(&party, "alice", 4).await;
    let jobs = party.jobs.of_generation(request.id).await.unwrap();
    let look = async || party.jobs.generation("alice", &request.public_id).await.unwrap().unwrap();
    let mut first = party.claim(Ticket::of(&jobs[0]), Uuid::now_v7()).await.unwrap();
    assert_eq!(look().await.state, generation::State::Queued, "taken, but nothing was done");
    first.note(step(Step::Sending)).await.unwrap();
    assert_eq!((look().await.state, look().await.progress), (generation::State::InProgress, 0));
    let mut following = party.jobs.follow(request.id);
    first.note(Note { progress: Some(140), ..Note::default() }).await.unwrap();
    let soon = tokio::time::Instant::now() + crate::support::LONG;
    assert_eq!(following.wait(soon).await, Some(100));
    assert_eq!(look().await.progress, 50);
    first.end(End::HandOver).await.unwrap();
    assert_eq!(look().await.state, generation::State::InProgress, "it does not go back");
    let second = party.claim(Ticket::of(&jobs[1]), Uuid::now_v7()).await.unwrap();
    second.end(End::Completed).await.unwrap();
    let open = look().await;
    assert_eq!((open.state, open.pending, open.completed_at), (generation::State::InProgress, 1, None));
    let first = party.claim(Ticket { epoch: 2, ..Ticket::of(&jobs[0]) }, Uuid::now_v7()).await.unwrap();
    let waiting = party.jobs.finished(request.id, soon);
    let (over, _) = tokio::join!(waiting, async { first.end(End::Completed).await.unwrap() });
    let over = over.unwrap().unwrap();
    assert_eq!((over.state, over.progress, over.pending), (generation::State::Completed, 100, 0));
    ground.end().await;
}

async fn attempts_are_written_once_and_closed(base: Base) {
    let ground = Ground::new(base).await;
    let party = ground.party(Road::Rows).await;
    let ticket = party.put(vec![job(KIND)]).await[0];
    let mut held = party.claim(ticket, Uuid::now_v7()).await.unwrap();
    let account = Uuid::now_v7();
    let note = Note { account_id: Some(account), attempt: Some(1), ..step(Step::Sending) };
    held.note(note.clone()).await.unwrap();
    held.note(note).await.unwrap();
    let outcome = Some((1, "rate_limited".repeat(9)));
    let written = AtomicUsize::new(0);
    held.step_with(Note { attempt_outcome: outcome, ..step(Step::Archiving) }, |tx| {
        written.fetch_add(1, Ordering::Relaxed);
        Box::pin(meta::set(tx, "beside", "it"))
    })
    .await
    .unwrap();
    let attempts = job_attempt::Entity::find().all(ground.db()).await.unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].account_id, attempts[0].epoch, attempts[0].number), (account, 1, 1));
    assert_eq!(attempts[0].outcome.as_ref().map(String::len), Some(40));
    assert!(attempts[0].finished_at.is_some());
    assert_eq!((held.row().step, held.row().account_id), (Step::Archiving, Some(account)));
    assert_eq!(meta::get(ground.db(), "beside").await.unwrap().as_deref(), Some("it"));
    ground.end().await;
}

async fn j7_what_waited_for_too_long_is_given_up(base: Base) {
    let ground = Ground::new(base).await;
    let party = ground.party(Road::Rows).await;
    let mut late = job(KIND);
    late.deadline_at = now_ms() - 1;
    let fine = job(KIND);
    let (late_id, fine_id) = (late.id, fine.id);
    party.put(vec![late, fine]).await;
    assert_eq!(sweeper(&party).expire().await.unwrap(), 1);
    let late = party.row(late_id).await;
    assert_eq!((late.state, late.error_code.as_deref()), (State::Failed, Some("expired")));
    assert_eq!(party.row(fine_id).await.state, State::Queued);
    ground.end().await;
}

async fn a_survey_counts_what_waits_and_runs_and_times_what_is_due(base: Base) {
    let ground = Ground::new(base).await;
    let party = ground.party(Road::Rows).await;
    let (mut first, mut future) = (job(KIND), job(KIND));
    first.run_at = now_ms() - 90_000;
    future.run_at = now_ms() + DAY_MS;
    let (mut picture, done) = (job(Kind::GenerateImage), job(Kind::CacheMedia));
    picture.run_at = future.run_at;
    let tickets = party.put(vec![first, job(KIND), future, picture, job(KIND), done]).await;
    let held = party.claim(tickets[4], Uuid::now_v7()).await.unwrap();
    party.claim(tickets[5], Uuid::now_v7()).await.unwrap().end(End::Completed).await.unwrap();
    let survey = party.jobs.survey().await.unwrap();
    let of = |kind: Kind| *survey.iter().find(|one| one.kind == kind).unwrap();
    let videos = of(KIND);
    assert_eq!((videos.queued, videos.running), (3, 1));
    assert!(videos.oldest >= Duration::from_secs(90) && videos.oldest < Duration::from_secs(900), "{videos:?}");
    assert_eq!((of(Kind::GenerateImage).queued, of(Kind::GenerateImage).oldest), (1, Duration::ZERO), "not due yet");
    assert_eq!((of(Kind::CacheMedia).queued, of(Kind::CacheMedia).running), (0, 0), "what is over counts no more");
    drop(held);
    ground.end().await;
}

async fn j10_old_rows_go_and_young_ones_stay(base: Base) {
    let ground = Ground::new(base).await;
    let party = ground.party(Road::Rows).await;
    let mut kept = HashSet::new();
    for old in [true, false] {
        let request = accept(&party, if old { "old" } else { "young" }, 2).await;
        let of_request = party.jobs.of_generation(request.id).await.unwrap()[0].id;
        let own = party.put(vec![job(Kind::CacheMedia)]).await[0].id;
        for id in [of_request, own] {
            let ticket = Ticket::of(&party.row(id).await);
            let mut held = party.claim(ticket, Uuid::now_v7()).await.unwrap();
            held.note(Note { account_id: Some(id), attempt: Some(1), ..Note::default() }).await.unwrap();
            held.end(End::Completed).await.unwrap();
        }
        if old {
            age(ground.db(), &[of_request, own]).await;
        } else {
            kept.extend([of_request, own]);
        }
    }
    let open = accept(&party, "old", 2).await;
    kept.insert(party.jobs.of_generation(open.id).await.unwrap()[0].id);
    sweeper(&party).tidy().await.unwrap();
    let ids = |rows: Vec<job::Model>| rows.into_iter().map(|row| row.id).collect::<HashSet<_>>();
    assert_eq!(ids(Entity::find().all(ground.db()).await.unwrap()), kept);
    assert_eq!(job_attempt::Entity::find().all(ground.db()).await.unwrap().len(), 2);
    assert_eq!(generation::Entity::find().all(ground.db()).await.unwrap().len(), 2);
    let keys = idempotency::Entity::find().all(ground.db()).await.unwrap();
    assert_eq!(keys.len(), 2, "the key of the open request, and the young one's");
    ground.end().await;
}

/// Makes everything of these jobs a week old.
async fn age(db: &sea_orm::DatabaseConnection, jobs: &[Uuid]) {
    let past = now_ms() - 7 * DAY_MS;
    let aged = job::ActiveModel { finished_at: Set(Some(past)), ..Default::default() };
    Entity::update_many().set(aged).filter(Column::Id.is_in(jobs.iter().copied())).exec(db).await.unwrap();
    let aged = generation::ActiveModel { completed_at: Set(Some(past)), ..Default::default() };
    generation::Entity::update_many().set(aged).exec(db).await.unwrap();
    let aged = idempotency::ActiveModel { created_at: Set(past), ..Default::default() };
    idempotency::Entity::update_many().set(aged).exec(db).await.unwrap();
}

async fn f28_lost_tickets_are_repeated_and_done_once(base: Base) {
    let ground = Ground::new(base).await;
    let party = ground.party(Road::Redis).await;
    let tickets = party.put((0..1_200).map(|_| job(KIND)).collect()).await;
    assert_eq!(sweeper(&party).repeat_tickets().await.unwrap(), 0, "all are there");
    crate::support::clear(&ground.redis, &ground.prefix).await;
    assert_eq!(sweeper(&party).repeat_tickets().await.unwrap(), 1_200);
    // One that was taken by a worker that died before its claim (F1).
    let taken = party.transport.take(KIND, 1).await.unwrap().tickets;
    assert_eq!(sweeper(&party).repeat_tickets().await.unwrap(), 0, "it comes again by itself");
    let mut found = party.transport.take(KIND, 2_000).await.unwrap().tickets;
    assert_eq!(found.len(), 1_199);
    for ticket in &found {
        party.transport.tried(*ticket);
    }
    wait_for("the ticket of the dead", async || {
        found.extend(party.transport.take(KIND, 1).await.unwrap().tickets);
        found.len() == 1_200
    })
    .await;
    assert_eq!(found[1_199].id, taken[0].id);
    assert_eq!(found.iter().map(|ticket| ticket.id).collect::<HashSet<_>>().len(), tickets.len());
    // One that is given back is due at once, and one that was tried is not there any more.
    party.transport.give_back(&found[1_199..]).await.unwrap();
    let again = party.transport.take(KIND, 9).await.unwrap().tickets;
    assert_eq!(again.iter().map(|ticket| ticket.id).collect::<Vec<_>>(), [taken[0].id]);
    ground.end().await;
}

async fn f27_this_machine_and_its_database_agree_about_the_time(base: Base) {
    let ground = Ground::new(base).await;
    let apart = grok2api_queue::check_clocks(ground.db()).await.unwrap();
    assert!(apart < Duration::from_secs(2), "{apart:?}");
    ground.end().await;
}

async fn a_forgotten_job_is_freed_by_its_own_process(base: Base) {
    let ground = Ground::new(base).await;
    let party = ground.party(Road::Rows).await;
    let registry =
        grok2api_queue::Registry::enter(ground.db().clone(), party.hub.clone(), &[KIND], false).await.unwrap();
    let tickets = party.put(vec![job(KIND), job(KIND)]).await;
    let held = party.claim(tickets[0], registry.id()).await.unwrap();
    drop(party.claim(tickets[1], registry.id()).await.unwrap());
    let mut sweeper = sweeper(&party);
    assert_eq!(sweeper.take_over(None).await.unwrap(), 0, "their worker lives");
    assert_eq!(sweeper.free_unheld(&registry).await.unwrap(), 0, "it may just be ending");
    assert_eq!(sweeper.free_unheld(&registry).await.unwrap(), 1);
    assert_eq!(party.row(tickets[1].id).await.state, State::Queued);
    assert_eq!(party.row(tickets[0].id).await.state, State::Running);
    drop(held);
    wait_for("the other one", async || sweeper.free_unheld(&registry).await.unwrap() == 1).await;
    ground.end().await;
}

on_all!(
    i2_of_fifty_claims_one_wins,
    i2_after_a_takeover_every_write_is_refused,
    a_worker_lets_go_in_four_ways,
    f9_three_crashes_end_a_job_and_progress_forgives,
    f7_a_ticket_that_comes_after_the_end_changes_nothing,
    j8_cancelling_stops_what_waits_and_what_runs,
    a_request_settles_exactly_when_its_last_job_ends,
    a_request_is_as_far_as_its_jobs_are,
    attempts_are_written_once_and_closed,
    j7_what_waited_for_too_long_is_given_up,
    a_survey_counts_what_waits_and_runs_and_times_what_is_due,
    j10_old_rows_go_and_young_ones_stay,
    f28_lost_tickets_are_repeated_and_done_once,
    f27_this_machine_and_its_database_agree_about_the_time,
    a_forgotten_job_is_freed_by_its_own_process,
);
