//! A hundred thousand jobs that wait (F67).

use std::sync::Arc;
use std::time::Duration;

use grok2api_entity::job::{Column, Entity, Kind, State};
use grok2api_queue::{Bounds, Crew, CrewOptions, End, Handler, Lane, QueueError, Sweeper, now_ms};
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};

use crate::support::{Base, Ground, LONG, Road, act, in_time, job, request, wait_for};

const KIND: Kind = Kind::GenerateImage;
const BACKLOG: u64 = 100_000;

/// So many queued rows of one owner, one due each millisecond.
async fn fill(ground: &Ground) {
    let db = ground.db();
    let (ids, id) = match db.get_database_backend() {
        DbBackend::Postgres => ("generate_series(1, 100000) AS s(n)", "gen_random_uuid()"),
        _ => (
            "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 100000) SELECT n FROM s)",
            "randomblob(16)",
        ),
    };
    let now = now_ms();
    let sql = format!(
        "INSERT INTO job (id, kind, state, step, epoch, crashes, tries, progress, args, owner, run_at, deadline_at, created_at) \
         SELECT {id}, 'generate_image', 'queued', 'start', 0, 0, 0, 0, '{{}}', 'alice', {} + n, {}, {now} FROM {ids}",
        now - 200_000,
        now + 3_600_000
    );
    db.execute_unprepared(&sql).await.unwrap();
}

async fn f67_a_long_backlog_wedges_nothing(base: Base, road: Road) {
    let ground = Ground::new(base).await;
    let party = ground.party(road).await;
    fill(&ground).await;
    if road == Road::Redis {
        let sweeper = Sweeper::new(party.jobs.clone(), LONG);
        let began = std::time::Instant::now();
        assert_eq!(in_time("all tickets", sweeper.repeat_tickets()).await.unwrap(), BACKLOG);
        eprintln!("all tickets were repeated in {:?}", began.elapsed());
    }
    assert_eq!(party.transport.depth(KIND).await.unwrap(), BACKLOG);
    party.jobs.set_bounds(Bounds { queued: BACKLOG, queued_per_owner: 1_000 });
    let full = party.jobs.accept(request("bob", 1), None).await;
    let Err(QueueError::Full { retry_after }) = full else { panic!("{full:?}") };
    assert!(retry_after >= Duration::from_secs(5));
    party.jobs.set_bounds(Bounds { queued: 2 * BACKLOG, queued_per_owner: 1_000 });
    let full = party.jobs.accept(request("alice", 1), None).await;
    assert!(matches!(full, Err(QueueError::Full { .. })), "her own are too many");
    party.jobs.accept(request("bob", 1), None).await.unwrap();

    let handler: Arc<dyn Handler> = act(|_| Box::pin(async { Ok(End::Completed) }));
    let lane = |kind| Lane { kind, concurrency: 16, handler: Arc::clone(&handler) };
    let options = CrewOptions { alone: road == Road::Rows, keep: LONG };
    let lanes = vec![lane(KIND), lane(Kind::GenerateVideo)];
    let crew = Crew::start(party.jobs.clone(), lanes, options).await.unwrap();
    let done = || Entity::find().filter(Column::State.eq(State::Completed)).filter(Column::Kind.eq(KIND));
    let sample = u32::try_from(crate::support::chaos(2_000, 20_000)).unwrap();
    let began = std::time::Instant::now();
    wait_for("a sample to be done", async || done().count(ground.db()).await.unwrap() >= u64::from(sample)).await;
    eprintln!("{road:?}: {:.0} jobs/s out of a backlog", f64::from(sample) / began.elapsed().as_secs_f64());
    // The other kind has a line of its own.
    let other = party.jobs.submit(job(Kind::GenerateVideo)).await.unwrap();
    wait_for("the other kind", async || party.row(other).await.state == State::Completed).await;
    crew.stop(LONG).await;
    // First come, first served: what was done are the first, but for those that ran side by side.
    let edge = async |of: sea_orm::Select<Entity>, at: sea_orm::sea_query::SimpleExpr| -> i64 {
        let edge: Option<Option<i64>> =
            of.select_only().column_as(at, "at").into_tuple().one(ground.db()).await.unwrap();
        edge.flatten().unwrap()
    };
    let (start, end) = (edge(Entity::find(), Column::RunAt.min()).await, edge(done(), Column::RunAt.max()).await);
    let count = done().count(ground.db()).await.unwrap();
    assert!(end - start < i64::try_from(count).unwrap() + 64, "{count} of the first {} are done", end - start);
    ground.end().await;
}

#[tokio::test]
async fn f67_a_long_backlog_wedges_nothing_by_rows() {
    f67_a_long_backlog_wedges_nothing(Base::Sqlite, Road::Rows).await;
}

#[tokio::test]
async fn f67_a_long_backlog_wedges_nothing_by_redis() {
    f67_a_long_backlog_wedges_nothing(Base::Postgres, Road::Redis).await;
}
