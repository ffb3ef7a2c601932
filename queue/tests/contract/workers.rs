//! Crews of real workers, in one process.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use grok2api_entity::job::{Kind, State, Step};
use grok2api_entity::worker;
use grok2api_queue::{Claimed, Crew, CrewOptions, End, Handler, LEASE_MS, Lane, Note, Sweeper, Ticket};
use parking_lot::Mutex;
use sea_orm::{EntityTrait, PaginatorTrait};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{Base, Ground, LONG, Party, Road, act, in_time, job, job_in, wait_for, worker_row};

const KIND: Kind = Kind::GenerateImage;

async fn all_completed(party: &Party, count: u64) {
    wait_for("all jobs to complete", async || party.count(State::Completed).await == count).await;
}

/// Jobs that wait at a gate.
#[derive(Clone)]
struct Watched {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

/// Lets the jobs of a sort wait for a permit each, and counts those that do; all others are done at once.
fn watched(of_sort: fn(&Claimed) -> bool) -> (Watched, Arc<dyn Handler>) {
    let watched = Watched { now: Arc::default(), most: Arc::default(), gate: Arc::new(Semaphore::new(0)) };
    let seen = watched.clone();
    let handler = act(move |job| {
        let Watched { now, most, gate } = seen.clone();
        Box::pin(async move {
            if of_sort(job) {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                now.fetch_sub(1, Ordering::SeqCst);
            }
            Ok(End::Completed)
        })
    });
    (watched, handler)
}

async fn as_many_run_as_may_and_never_more(road: Road) {
    let ground = Ground::new(Base::Sqlite).await;
    let party = ground.party(road).await;
    let (Watched { now, most, gate }, handler) = watched(|_| true);
    let crew = party.crew(KIND, 5, handler).await;
    party.put((0..40).map(|_| job(KIND)).collect()).await;
    wait_for("five to run", async || now.load(Ordering::SeqCst) == 5).await;
    assert_eq!(party.count(State::Running).await, 5, "the others were left for other workers");
    gate.add_permits(40);
    all_completed(&party, 40).await;
    assert_eq!(most.load(Ordering::SeqCst), 5);
    crew.stop(LONG).await;
    ground.end().await;
}

#[tokio::test]
async fn as_many_run_as_may_and_never_more_by_rows() {
    as_many_run_as_may_and_never_more(Road::Rows).await;
}

#[tokio::test]
async fn as_many_run_as_may_and_never_more_by_redis() {
    as_many_run_as_may_and_never_more(Road::Redis).await;
}

async fn f9_jobs_that_may_be_poison_run_one_at_a_time(road: Road) {
    let ground = Ground::new(Base::Sqlite).await;
    let party = ground.party(road).await;
    let suspects = party.put((0..4).map(|_| job(KIND)).collect()).await;
    let sweeper = Sweeper::new(party.jobs.clone(), Duration::ZERO);
    for round in 0..2_i64 {
        for ticket in &suspects {
            party.claim(Ticket { epoch: round * 2, ..*ticket }, Uuid::now_v7()).await.unwrap();
        }
        assert_eq!(sweeper.take_over(None).await.unwrap(), 4, "their workers died");
    }
    let (Watched { now, most, gate }, handler) = watched(|job| job.row().crashes == 2);
    let crew = party.crew(KIND, 3, handler).await;
    wait_for("one of them to run", async || now.load(Ordering::SeqCst) == 1).await;
    party.put((0..20).map(|_| job(KIND)).collect()).await;
    all_completed(&party, 20).await;
    assert_eq!((party.count(State::Running).await, party.count(State::Queued).await), (1, 3));
    gate.add_permits(4);
    all_completed(&party, 24).await;
    assert_eq!(most.load(Ordering::SeqCst), 1);
    crew.stop(LONG).await;
    ground.end().await;
}

#[tokio::test]
async fn f9_jobs_that_may_be_poison_run_one_at_a_time_by_rows() {
    f9_jobs_that_may_be_poison_run_one_at_a_time(Road::Rows).await;
}

#[tokio::test]
async fn f9_jobs_that_may_be_poison_run_one_at_a_time_by_redis() {
    f9_jobs_that_may_be_poison_run_one_at_a_time(Road::Redis).await;
}

#[tokio::test]
async fn f10_a_panic_costs_a_try_and_no_worker() {
    let ground = Ground::new(Base::Sqlite).await;
    let party = ground.party(Road::Rows).await;
    let [poison, sent, good] = [job(KIND), job(KIND), job(KIND)];
    let (bad, after_sending) = (poison.id, sent.id);
    let runs: Arc<Mutex<HashMap<Uuid, Vec<Step>>>> = Arc::default();
    let seen = Arc::clone(&runs);
    let handler = act(move |job| {
        let seen = Arc::clone(&seen);
        Box::pin(async move {
            let (id, step) = (job.row().id, job.row().step);
            seen.lock().entry(id).or_default().push(step);
            assert_ne!(id, bad, "as the test wants it");
            if id == after_sending && step == Step::Start {
                job.note(Note { step: Some(Step::Sending), ..Note::default() }).await?;
                panic!("as the test wants it");
            }
            Ok(End::Completed)
        })
    });
    let crew = party.crew(KIND, 1, handler).await;
    party.put(vec![poison, sent, good]).await;
    all_completed(&party, 2).await;
    wait_for("the poison to be given up", async || party.count(State::Failed).await == 1).await;
    let row = party.row(bad).await;
    assert_eq!((row.error_code.as_deref(), row.tries, row.crashes), (Some("internal_error"), 2, 0));
    assert_eq!(runs.lock()[&bad].len(), 3);
    assert_eq!(runs.lock()[&after_sending], [Step::Start, Step::Sending], "what was sent is not forgotten");
    crew.stop(LONG).await;
    ground.end().await;
}

#[tokio::test]
async fn j7_work_that_hangs_is_ended_at_its_deadline() {
    let ground = Ground::new(Base::Sqlite).await;
    let party = ground.party(Road::Rows).await;
    let (runs, dropped) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
    let handler = {
        let (runs, dropped) = (Arc::clone(&runs), dropped.clone());
        act(move |_| {
            let (runs, guard) = (Arc::clone(&runs), dropped.clone().drop_guard());
            Box::pin(async move {
                let _guard = guard;
                runs.fetch_add(1, Ordering::SeqCst);
                std::future::pending().await
            })
        })
    };
    let crew = party.crew(KIND, 2, handler).await;
    let (mut hangs, mut late) = (job(KIND), job(KIND));
    hangs.deadline_at = hangs.run_at + 700;
    late.deadline_at = late.run_at - 1;
    let ids = [hangs.id, late.id];
    party.put(vec![hangs, late]).await;
    wait_for("both to be given up", async || party.count(State::Failed).await == 2).await;
    assert_eq!(party.row(ids[0]).await.error_code.as_deref(), Some("upstream_timeout"));
    assert_eq!(party.row(ids[1]).await.error_code.as_deref(), Some("expired"));
    assert_eq!(runs.load(Ordering::SeqCst), 1, "what comes too late is not begun");
    assert!(dropped.is_cancelled(), "everything the work held ended with it");
    crew.stop(LONG).await;
    ground.end().await;
}

/// Work without an end, and what is cancelled when it is dropped.
fn endless() -> (Arc<dyn Handler>, CancellationToken) {
    let dropped = CancellationToken::new();
    let guard = dropped.clone();
    let handler = act(move |_| {
        let guard = guard.clone().drop_guard();
        Box::pin(async move {
            let _guard = guard;
            std::future::pending().await
        })
    });
    (handler, dropped)
}

#[tokio::test]
async fn j8_a_cancelled_job_stops_while_it_runs() {
    let ground = Ground::new(Base::Sqlite).await;
    let (here, there) = (ground.party(Road::Redis).await, ground.party(Road::Redis).await);
    let (handler, dropped) = endless();
    let crew = here.crew(KIND, 1, handler).await;
    let id = there.jobs.submit(job(KIND)).await.unwrap();
    wait_for("it to run", async || there.row(id).await.state == State::Running).await;
    let row = there.row(id).await;
    there.jobs.cancel(&row).await.unwrap().unwrap();
    in_time("its work to end", dropped.cancelled()).await;
    wait_for("the hand to be free", async || here.hub.running() == 0).await;
    crew.stop(LONG).await;
    assert_eq!(there.row(id).await.state, State::Cancelled);
    ground.end().await;
}

/// Half of the jobs hand over when they are asked to, one ends in time, one never does.
#[tokio::test]
async fn f11_a_crew_that_stops_leaves_nothing_undone_and_nothing_held() {
    let ground = Ground::new(Base::Sqlite).await;
    let (first, second) = (ground.party(Road::Redis).await, ground.party(Road::Redis).await);
    let release = Arc::new(Notify::new());
    let handler = {
        let release = Arc::clone(&release);
        act(move |job| {
            let release = Arc::clone(&release);
            Box::pin(async move {
                job.note(Note { step: Some(Step::Submitted), ..Note::default() }).await?;
                match job.row().args.as_str() {
                    "hands over" => {
                        job.draining().cancelled().await;
                        Ok(End::HandOver)
                    }
                    "ends in time" => {
                        release.notified().await;
                        Ok(End::Completed)
                    }
                    _ => std::future::pending().await,
                }
            })
        })
    };
    let crew = first.crew(KIND, 4, handler).await;
    let new = ["hands over", "hands over", "ends in time", "never ends", "never begun", "never begun"];
    let new = new.map(|args| grok2api_queue::NewJob { args: args.to_owned(), ..job(KIND) }).to_vec();
    let ids: Vec<Uuid> = new.iter().map(|new| new.id).collect();
    first.put(new).await;
    wait_for("four to run", async || first.count(State::Running).await == 4).await;
    wait_for("them to be submitted", async || first.row(ids[3]).await.step == Step::Submitted).await;
    let stopping = tokio::spawn(crew.stop(Duration::from_millis(1_500)));
    wait_for("the hand-over", async || first.count(State::Queued).await == 4).await;
    assert!(!stopping.is_finished(), "it waits for the others");
    release.notify_one();
    in_time("the crew to stop", stopping).await.unwrap();
    assert_eq!(worker::Entity::find().count(ground.db()).await.unwrap(), 0, "it left");
    let rows: Vec<_> = futures_util::future::join_all(ids.iter().map(|id| first.row(*id))).await;
    assert_eq!((rows[2].state, rows[3].state, rows[3].crashes), (State::Completed, State::Queued, 0));
    for row in [&rows[0], &rows[1], &rows[3]] {
        assert_eq!((row.state, row.step, row.epoch, row.tries), (State::Queued, Step::Submitted, 2, 0));
    }
    assert!(rows[4..].iter().all(|row| row.epoch == 0), "what was not begun was not touched");
    let other = second.crew(KIND, 4, act(|_| Box::pin(async { Ok(End::Completed) }))).await;
    all_completed(&second, 6).await;
    other.stop(LONG).await;
    ground.end().await;
}

#[tokio::test]
async fn j8_a_cancelled_job_stops_although_its_worker_was_not_told() {
    let ground = Ground::new(Base::Sqlite).await;
    let (here, deaf) = (ground.party(Road::Rows).await, ground.party(Road::Rows).await);
    let (handler, dropped) = endless();
    let crew = deaf.crew(KIND, 1, handler).await;
    let id = here.jobs.submit(job(KIND)).await.unwrap();
    wait_for("it to run", async || here.row(id).await.state == State::Running).await;
    here.jobs.cancel(&here.row(id).await).await.unwrap().unwrap();
    in_time("its work to end", dropped.cancelled()).await;
    crew.stop(LONG).await;
    assert_eq!(here.row(id).await.state, State::Cancelled);
    ground.end().await;
}

#[tokio::test]
async fn the_dead_are_not_judged_before_the_living_could_show_themselves() {
    let ground = Ground::new(Base::Sqlite).await;
    let party = ground.party(Road::Rows).await;
    let dead = worker_row(ground.db(), 1).await;
    let ticket = party.put(vec![job(KIND)]).await[0];
    drop(party.claim(ticket, dead).await.unwrap());
    let began = std::time::Instant::now();
    let crew = party.crew(KIND, 1, act(|_| Box::pin(async { Ok(End::Completed) }))).await;
    all_completed(&party, 1).await;
    let lease = Duration::from_millis(LEASE_MS.unsigned_abs());
    assert!(began.elapsed() >= lease, "a database that just came back has had no signs of life");
    crew.stop(LONG).await;
    ground.end().await;
}

#[tokio::test]
async fn i9_alone_everything_open_is_driven_again_at_once() {
    let ground = Ground::new(Base::Sqlite).await;
    let party = ground.party(Road::Rows).await;
    let earlier = worker_row(ground.db(), i64::MAX / 2).await;
    let tickets = party.put((0..20).map(|_| job(KIND)).collect()).await;
    for ticket in &tickets[..10] {
        drop(party.claim(*ticket, earlier).await.unwrap());
    }
    let handler = act(|_| Box::pin(async { Ok(End::Completed) }));
    let lane = Lane { kind: KIND, concurrency: 2, handler };
    let crew = Crew::start(party.jobs.clone(), vec![lane], CrewOptions { alone: true, keep: LONG }).await.unwrap();
    all_completed(&party, 20).await;
    crew.stop(LONG).await;
    ground.end().await;
}

#[tokio::test]
async fn f28_a_queue_that_was_emptied_is_filled_again_and_each_job_done_once() {
    let ground = Ground::new(Base::Sqlite).await;
    let party = ground.party(Road::Redis).await;
    let runs: Arc<Mutex<HashMap<Uuid, usize>>> = Arc::default();
    let seen = Arc::clone(&runs);
    let handler = act(move |job| {
        *seen.lock().entry(job.row().id).or_default() += 1;
        Box::pin(async { Ok(End::Completed) })
    });
    let tickets = party.put((0..300).map(|_| job(KIND)).collect()).await;
    party.put(vec![job_in(KIND, 1_500)]).await;
    crate::support::clear(&ground.redis, &ground.prefix).await;
    let crew = party.crew(KIND, 4, handler).await;
    wait_for("some to be done", async || runs.lock().len() > 20).await;
    crate::support::clear(&ground.redis, &ground.prefix).await;
    all_completed(&party, 301).await;
    crew.stop(LONG).await;
    assert_eq!(runs.lock().len(), 301);
    assert!(tickets.iter().all(|ticket| runs.lock()[&ticket.id] == 1), "each once");
    ground.end().await;
}
