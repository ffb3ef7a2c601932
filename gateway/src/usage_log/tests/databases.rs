//! The same on every database.

use grok2api_entity::request_log;
use grok2api_entity::testing::TestDatabase;
use rand::seq::SliceRandom;
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait, PaginatorTrait};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::super::UsageLog;
use super::super::batch::Batch;
use super::super::entry::now_ms;
use super::super::retention::sweep;
use super::{assert_stored, entry, hours, recorded};

/// Runs each story on a fresh database of each kind.
macro_rules! on_each_database {
    ($($story:ident),* $(,)?) => {
        on_each_database!(@kind sqlite: $($story),*);
        on_each_database!(@kind postgres: $($story),*);
        on_each_database!(@kind mariadb: $($story),*);
    };
    (@kind $kind:ident: $($story:ident),*) => {
        mod $kind {
            $(#[tokio::test]
            async fn $story() {
                let database = super::TestDatabase::$kind().await.unwrap();
                grok2api_migration::bring_up(&database.db).await.unwrap();
                super::$story(&database.db).await;
                database.remove().await.unwrap();
            })*
        }
    };
}

on_each_database!(
    everything_recorded_is_written_when_the_process_ends,
    a_row_says_what_was_recorded,
    rows_come_without_an_end,
    sums_are_right_under_eight_writers_at_once,
    a_batch_that_was_committed_adds_nothing_when_it_is_written_again,
    a_batch_is_written_as_a_whole_or_not_at_all,
    old_requests_are_deleted_and_their_sums_stay,
);

async fn everything_recorded_is_written_when_the_process_ends(db: &DatabaseConnection) {
    let (log, writer) = UsageLog::new(db.clone());
    (0..1_234).for_each(|n| log.record(entry(n)));
    let stop = CancellationToken::new();
    stop.cancel();
    writer.run(stop).await;
    assert_stored(db, 0..1_234).await;
}

async fn a_row_says_what_was_recorded(db: &DatabaseConnection) {
    let at = 1_795_359_600_000 + 1_800_000;
    Batch::new(recorded([6], at)).write(db).await.unwrap();
    let row = request_log::Entity::find().one(db).await.unwrap().unwrap();
    let wanted = request_log::Model {
        id: row.id,
        at,
        request_id: "req_6".to_owned(),
        endpoint: "/v1/chat/completions".to_owned(),
        model: "grok-3-fast".to_owned(),
        owner: "key_a".to_owned(),
        status: 200,
        error_code: None,
        streamed: true,
        attempts: 1,
        account_id: Some(uuid::Uuid::from_u128(6)),
        prompt_tokens: 6,
        completion_tokens: 12,
        reasoning_tokens: 1,
        images: 2,
        videos: 1,
        first_ms: Some(6),
        total_ms: 60,
    };
    assert_eq!(row, wanted);
    assert_eq!(hours(db).await[0].hour, 1_795_359_600_000);
}

async fn rows_come_without_an_end(db: &DatabaseConnection) {
    let (log, writer) = UsageLog::new(db.clone());
    let stop = CancellationToken::new();
    let writing = tokio::spawn(writer.run(stop.clone()));
    log.record(entry(0));
    let written = async {
        while request_log::Entity::find().count(db).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), written).await.unwrap();
    stop.cancel();
    writing.await.unwrap();
    assert_stored(db, 0..1).await;
}

async fn sums_are_right_under_eight_writers_at_once(db: &DatabaseConnection) {
    const EACH: u64 = 240;
    let at = now_ms();
    let mut writers = JoinSet::new();
    for number in 0..8_u64 {
        let (_log, writer) = UsageLog::new(db.clone());
        let mut numbers: Vec<u64> = (number * EACH..(number + 1) * EACH).collect();
        numbers.shuffle(&mut rand::rng());
        writers.spawn(async move {
            for piece in numbers.chunks(20) {
                writer.write(&Batch::new(recorded(piece.iter().copied(), at))).await;
            }
        });
    }
    writers.join_all().await;
    assert_stored(db, 0..8 * EACH).await;
    assert_eq!(hours(db).await.len(), 6);
}

async fn a_batch_that_was_committed_adds_nothing_when_it_is_written_again(db: &DatabaseConnection) {
    let batch = Batch::new(recorded(0..40, now_ms()));
    for _ in 0..3 {
        batch.write(db).await.unwrap();
    }
    Batch::new(recorded(40..50, now_ms())).write(db).await.unwrap();
    assert_stored(db, 0..50).await;
}

async fn a_batch_is_written_as_a_whole_or_not_at_all(db: &DatabaseConnection) {
    let batch = Batch::new(recorded(0..40, now_ms()));
    db.execute_unprepared("ALTER TABLE usage_hour RENAME TO usage_hour_away").await.unwrap();
    assert!(batch.write(db).await.is_err());
    assert_eq!(request_log::Entity::find().count(db).await.unwrap(), 0);
    db.execute_unprepared("ALTER TABLE usage_hour_away RENAME TO usage_hour").await.unwrap();
    batch.write(db).await.unwrap();
    assert_stored(db, 0..40).await;
}

async fn old_requests_are_deleted_and_their_sums_stay(db: &DatabaseConnection) {
    const HOUR: i64 = 3_600_000;
    let now = now_ms();
    for piece in 0..5 {
        Batch::new(recorded(piece * 500..(piece + 1) * 500, now - 25 * HOUR)).write(db).await.unwrap();
    }
    Batch::new(recorded(2_500..2_510, now - 23 * HOUR)).write(db).await.unwrap();
    let before = hours(db).await;
    assert_eq!(sweep(db, 1).await.unwrap(), 2_500);
    assert_eq!(sweep(db, 1).await.unwrap(), 0);
    assert_eq!(request_log::Entity::find().count(db).await.unwrap(), 10);
    assert_eq!(hours(db).await, before);
}
