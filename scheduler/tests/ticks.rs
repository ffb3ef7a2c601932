//! Each time that something is due, one tick and one job: whoever looks, whatever the clocks say (I6, F24–F27).
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use grok2api_config::{Cadence, Settings};
use grok2api_entity::audit::Note;
use grok2api_entity::schedule::{self, Name};
use grok2api_entity::testing::TestDatabase;
use grok2api_entity::{clock, connect, job, tick};
use grok2api_queue::ticks::{self, RunError, Tick, Timetable as _};
use grok2api_queue::{Hub, Jobs, RowTransport};
use grok2api_scheduler::{Timetable, make_due};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    Statement,
};

const SCHEDULERS: usize = 5;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn by_test() -> Note {
    Note::by_hand("schedule.test", "", serde_json::Value::Null)
}

/// Records of one test, and jobs over connections of its own for each scheduler.
struct Ground {
    base: TestDatabase,
    parties: Vec<Jobs>,
}

impl Ground {
    async fn new(base: TestDatabase, schedulers: usize) -> Self {
        grok2api_migration::bring_up(&base.db).await.unwrap();
        ticks::ensure(&base.db).await.unwrap();
        let mut parties = Vec::new();
        for _ in 0..schedulers {
            parties.push(party(&base.db).await);
        }
        Self { base, parties }
    }

    fn db(&self) -> &DatabaseConnection {
        &self.base.db
    }

    async fn now(&self) -> i64 {
        ticks::database_time(self.db()).await.unwrap()
    }

    /// As if everything until `at` were done.
    async fn done_until(&self, at: i64) {
        let update = schedule::Entity::update_many().col_expr(schedule::Column::AfterMs, Expr::value(at));
        update.exec(self.db()).await.unwrap();
    }

    async fn ticks(&self, name: Name) -> Vec<tick::Model> {
        let of = tick::Entity::find().filter(tick::Column::Schedule.eq(name)).order_by_asc(tick::Column::DueMs);
        of.all(self.db()).await.unwrap()
    }

    /// Every tick has its job and every job its tick.
    async fn expect_pairs(&self) -> i64 {
        let ticks = tick::Entity::find().all(self.db()).await.unwrap();
        let jobs = job::Entity::find().all(self.db()).await.unwrap();
        let of_ticks: BTreeSet<_> = ticks.iter().map(|tick| (tick.job_id, tick.schedule.kind().as_str())).collect();
        let of_jobs: BTreeSet<_> = jobs.iter().map(|job| (job.id, job.kind.as_str())).collect();
        assert_eq!(of_ticks, of_jobs);
        assert_eq!(of_ticks.len(), ticks.len());
        i64::try_from(ticks.len()).unwrap()
    }

    async fn end(self) {
        for party in self.parties {
            party.db().clone().close().await.unwrap();
        }
        self.base.remove().await.unwrap();
    }
}

/// Jobs of another process.
async fn party(db: &DatabaseConnection) -> Jobs {
    let db = beside(db).await;
    let hub = Hub::default();
    Jobs::new(db.clone(), Arc::new(RowTransport::new(db, hub.clone())), hub)
}

/// Connections of another process to the same records.
async fn beside(db: &DatabaseConnection) -> DatabaseConnection {
    let backend = db.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => "SELECT current_database()::text AS name",
        DbBackend::MySql => "SELECT DATABASE() AS name",
        _ => "SELECT file AS name FROM pragma_database_list WHERE name = 'main'",
    };
    let row = db.query_one_raw(Statement::from_string(backend, sql)).await.unwrap().unwrap();
    let name: String = row.try_get("", "name").unwrap();
    match backend {
        DbBackend::Postgres => connect::server(&format!("postgres://postgres@127.0.0.1:5432/{name}")).await.unwrap(),
        DbBackend::MySql => connect::server(&format!("mysql://root@127.0.0.1:3306/{name}")).await.unwrap(),
        _ => connect::file(name.as_ref()).await.unwrap(),
    }
}

/// Due at the times that the test says, each a second after the one before.
struct Injected(AtomicI64);

impl ticks::Timetable for Injected {
    fn last(&self, _now: i64) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed))
    }

    fn next(&self, now: i64) -> Option<i64> {
        Some(now + 1000)
    }
}

/// All schedulers come at once, for each of many times.
async fn each_tick_once(base: TestDatabase, times: i64) {
    let ground = Ground::new(base, SCHEDULERS).await;
    ground.done_until(0).await;
    let begin = ground.now().await / 1000 * 1000 - times * 1000;
    let timetable = Injected(AtomicI64::new(0));
    for time in 0..times {
        timetable.0.store(begin + time * 1000, Ordering::Relaxed);
        let made = ground.parties.iter().map(|jobs| make(jobs, Name::TokenTest, &timetable));
        let made: Vec<Tick> = futures_util::future::join_all(made).await.into_iter().flatten().collect();
        assert_eq!(made.len(), 1, "time {time}");
    }
    let due: Vec<i64> = ground.ticks(Name::TokenTest).await.iter().map(|tick| tick.due_ms).collect();
    assert_eq!(due, (0..times).map(|time| begin + time * 1000).collect::<Vec<_>>());
    assert_eq!(ground.expect_pairs().await, times);
    ground.end().await;
}

async fn make(jobs: &Jobs, name: Name, timetable: &dyn ticks::Timetable) -> Option<Tick> {
    ticks::make(jobs, name, timetable, Duration::ZERO).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f24_five_schedulers_make_each_tick_once_on_sqlite() {
    each_tick_once(TestDatabase::patiently("sqlite").await, 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f24_five_schedulers_make_each_tick_once_on_postgres() {
    each_tick_once(TestDatabase::patiently("postgres").await, 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f24_five_schedulers_make_each_tick_once_on_mariadb() {
    each_tick_once(TestDatabase::patiently("mariadb").await, 300).await;
}

/// Schedulers that break off anywhere, and others that come by, leave pairs of a tick and its job.
async fn broken_off_anywhere(base: TestDatabase) {
    let ground = Ground::new(base, 1).await;
    ground.done_until(0).await;
    let begin = ground.now().await / 1000 * 1000 - 60_000;
    let timetable = Injected(AtomicI64::new(0));
    let mut broken = 0;
    for time in 0..40 {
        timetable.0.store(begin + time * 1000, Ordering::Relaxed);
        // After so many polls it is dropped, wherever it is then, as a killed process's connection is.
        let breaking = party(ground.db()).await;
        let mut making = Box::pin(make(&breaking, Name::QuotaReset, &timetable));
        let mut polls = 0;
        let made = std::future::poll_fn(|cx| {
            polls += 1;
            if polls > time {
                return std::task::Poll::Ready(None);
            }
            making.as_mut().poll(cx).map(Some)
        });
        broken += i32::from(made.await.is_none());
        drop(making);
        breaking.db().clone().close().await.unwrap();
        ground.expect_pairs().await;
        make(&ground.parties[0], Name::QuotaReset, &timetable).await;
        assert_eq!(ground.expect_pairs().await, time + 1, "the other makes it, or finds it made");
    }
    assert!(broken > 3, "{broken} of 40 were broken off");
    ground.end().await;
}

#[tokio::test]
async fn f25_a_scheduler_that_ends_around_the_tick_leaves_no_tick_without_its_job() {
    broken_off_anywhere(TestDatabase::patiently("sqlite").await).await;
    broken_off_anywhere(TestDatabase::patiently("postgres").await).await;
    broken_off_anywhere(TestDatabase::patiently("mariadb").await).await;
}

#[tokio::test]
async fn f26_only_the_last_missed_tick_runs() {
    let ground = Ground::new(TestDatabase::patiently("sqlite").await, 2).await;
    let cadence = Cadence::parse("every 1m").unwrap();
    let timetable = Timetable::from(cadence);
    let now = ground.now().await;
    ground.done_until(now - 7 * HOUR).await;
    let first = make(&ground.parties[0], Name::SweepMedia, &timetable).await.unwrap();
    assert_eq!(Some(first.due_ms), timetable.last(first.due_ms));
    assert!(now - first.due_ms < 2 * MINUTE);
    // Nothing is made up for; only when the minute is over is the next one due.
    for jobs in &ground.parties {
        if let Some(next) = make(jobs, Name::SweepMedia, &timetable).await {
            assert_eq!(next.due_ms, first.due_ms + MINUTE);
        }
    }
    assert!(ground.ticks(Name::SweepMedia).await.len() <= 2);
    ground.end().await;
}

#[tokio::test]
async fn what_was_due_before_the_first_start_or_in_a_pause_is_not_made_up_for() {
    let ground = Ground::new(TestDatabase::patiently("sqlite").await, 1).await;
    let yearly = Timetable::from(Cadence::parse("0 0 1 1 *").unwrap());
    assert_eq!(make(&ground.parties[0], Name::StatsRollup, &yearly).await, None);
    ground.done_until(0).await;
    ticks::set_paused(ground.db(), Name::StatsRollup, true, &by_test()).await.unwrap();
    assert_eq!(make(&ground.parties[0], Name::StatsRollup, &yearly).await, None);
    ticks::set_paused(ground.db(), Name::StatsRollup, false, &by_test()).await.unwrap();
    assert_eq!(make(&ground.parties[0], Name::StatsRollup, &yearly).await, None);
    let off = Timetable::from(Cadence::parse("off").unwrap());
    ground.done_until(0).await;
    assert_eq!(make(&ground.parties[0], Name::StatsRollup, &off).await, None);
    assert!(make(&ground.parties[0], Name::StatsRollup, &yearly).await.is_some());
    ground.end().await;
}

/// Schedulers whose own clocks are wrong by an hour, and a database whose clock was.
async fn clocks_step(base: TestDatabase) {
    let ground = Ground::new(base, SCHEDULERS).await;
    let settings = Settings::default();
    let begun = ground.now().await;
    ground.done_until(begun - 12 * HOUR).await;
    // What they believe decides when they look, and never what is due.
    for round in 0..6 {
        let looks = ground.parties.iter().zip([0, HOUR, -HOUR, 5_000, -5_000]).map(|(jobs, wrong)| {
            let believed = begun + wrong * (1 - round % 3);
            make_due(jobs, &settings, believed)
        });
        for made in futures_util::future::join_all(looks).await {
            made.unwrap();
        }
    }
    let over = ground.now().await;
    for name in Name::ALL {
        let timetable = Timetable::of(&settings, name);
        let due: Vec<i64> = ground.ticks(name).await.iter().map(|tick| tick.due_ms).collect();
        let mut wanted = vec![timetable.last(begun).unwrap()];
        while let Some(next) = timetable.next(wanted[wanted.len() - 1]).filter(|next| *next <= over) {
            wanted.push(next);
        }
        assert!(wanted.ends_with(&due) || wanted.starts_with(&due), "{}: {due:?} of {wanted:?}", name.as_str());
        assert!(!due.is_empty(), "{}", name.as_str());
    }
    // The database's clock was an hour ahead for a moment, and is right again: what is due now runs, once.
    let timetable = Timetable::from(Cadence::parse("every 1m").unwrap());
    let ahead = ground.now().await + HOUR;
    ground.done_until(ahead - ahead % MINUTE).await;
    tick::Entity::delete_many().exec(ground.db()).await.unwrap();
    job::Entity::delete_many().exec(ground.db()).await.unwrap();
    let mut due = BTreeSet::new();
    let mut made = 0;
    for _ in 0..4 {
        let all = ground.parties.iter().map(|jobs| make(jobs, Name::TokenTest, &timetable));
        for tick in futures_util::future::join_all(all).await.into_iter().flatten() {
            made += 1;
            assert!(tick.due_ms <= ground.now().await);
            assert!(due.insert(tick.due_ms));
        }
    }
    assert!((1..=2).contains(&made), "{made}");
    ground.expect_pairs().await;
    ground.end().await;
}

#[tokio::test]
async fn f27_clock_steps_of_an_hour_neither_double_nor_skip() {
    clocks_step(TestDatabase::patiently("sqlite").await).await;
    clocks_step(TestDatabase::patiently("postgres").await).await;
    clocks_step(TestDatabase::patiently("mariadb").await).await;
}

#[tokio::test]
async fn a_run_by_hand_has_a_tick_of_its_own_and_waits_for_nobodys_end_twice() {
    for which in ["sqlite", "postgres", "mariadb"] {
        let ground = Ground::new(TestDatabase::patiently(which).await, 2).await;
        let note = by_test();
        let asked = ground.parties.iter().map(|jobs| ticks::run_now(jobs, Name::TokenTest, &note));
        let (made, refused): (Vec<_>, Vec<_>) =
            futures_util::future::join_all(asked).await.into_iter().partition(Result::is_ok);
        assert_eq!((made.len(), refused.len()), (1, 1), "the job of the first is not over");
        let first = made.into_iter().next().unwrap().unwrap();
        assert!(matches!(&refused[0], Err(RunError::Open { job_id }) if *job_id == first.job_id));
        let row = ground.parties[0].find(first.job_id).await.unwrap().unwrap();
        assert_eq!(row.kind, job::Kind::TokenTest);
        ground.parties[0].cancel(&row).await.unwrap();
        let second = ticks::run_now(&ground.parties[1], Name::TokenTest, &by_test()).await.unwrap();
        assert!(second.due_ms != first.due_ms && second.due_ms % 1000 != 0);
        // The times that are due by themselves stay as they are.
        let rows = ground.ticks(Name::TokenTest).await;
        assert!(rows.iter().all(|tick| tick.manual) && rows.len() == 2);
        ground.done_until(0).await;
        let timetable = Timetable::from(Cadence::parse("every 1m").unwrap());
        assert!(make(&ground.parties[0], Name::TokenTest, &timetable).await.is_some());
        ground.expect_pairs().await;
        ground.end().await;
    }
}

#[tokio::test]
async fn old_ticks_are_removed_in_pieces() {
    let ground = Ground::new(TestDatabase::patiently("sqlite").await, 1).await;
    ground.done_until(0).await;
    let timetable = Injected(AtomicI64::new(0));
    for time in 1..=6 {
        timetable.0.store(time * 1000, Ordering::Relaxed);
        make(&ground.parties[0], Name::TokenTest, &timetable).await.unwrap();
        make(&ground.parties[0], Name::SweepMedia, &timetable).await.unwrap();
    }
    let later = clock::read(ground.db()).await.unwrap() + 1;
    assert_eq!(tick::delete_before(ground.db(), later, 5).await.unwrap(), 5);
    assert_eq!(tick::delete_before(ground.db(), later - HOUR, 5).await.unwrap(), 0);
    assert_eq!(tick::Entity::find().count(ground.db()).await.unwrap(), 7);
    ground.end().await;
}
