//! What holds for the database file.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use grok2api_entity::account::{self, Failures, Filter, Kind, NewAccount, Status};
use grok2api_entity::connect::{begin_write, begin_write_first, file};
use grok2api_entity::trouble::{self, Trouble};
use grok2api_migration::bring_up;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinSet;

fn place() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("data with blank/100%/grok2api.db");
    (home, path)
}

async fn pragma(db: &DatabaseConnection, name: &str) -> String {
    let row = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, format!("PRAGMA {name}"))).await;
    let row = row.unwrap().unwrap();
    row.try_get_by_index::<String>(0).or_else(|_| row.try_get_by_index::<i64>(0).map(|n| n.to_string())).unwrap()
}

fn accounts(count: usize) -> Vec<NewAccount> {
    let one = |number: usize| NewAccount {
        id: NewAccount::new_id(),
        kind: Kind::Sso,
        secret: "v1:00000000:".to_owned() + &"x".repeat(300),
        fingerprint: format!("{number:064}"),
        hint: String::new(),
        status: Status::Active,
        status_reason: None,
        failures: Failures::default(),
        tags: Vec::new(),
        note: String::new(),
        created_at: 0,
    };
    (0..count).map(one).collect()
}

#[tokio::test]
async fn f39_a_commit_waits_for_the_disk_and_readers_do_not_wait_for_writers() {
    let (_home, path) = place();
    let db = file(&path).await.unwrap();
    assert_eq!(pragma(&db, "journal_mode").await, "wal");
    assert_eq!(pragma(&db, "synchronous").await, "2");
    assert_eq!(pragma(&db, "foreign_keys").await, "1");
    assert_eq!(pragma(&db, "busy_timeout").await, "5000");
    bring_up(&db).await.unwrap();
    let writer = begin_write(&db).await.unwrap();
    account::insert_many(&*writer, accounts(1)).await.unwrap();
    assert_eq!(account::count(&db, Filter::default()).await.unwrap(), 0);
    writer.commit().await.unwrap();
    assert_eq!(account::count(&db, Filter::default()).await.unwrap(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_database() {
    use std::os::unix::fs::PermissionsExt;

    let (_home, path) = place();
    let db = file(&path).await.unwrap();
    bring_up(&db).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&path.with_extension("db-wal")), 0o600);
}

#[tokio::test]
async fn f37_a_locked_file_is_waited_for_and_then_reported() {
    let (_home, path) = place();
    let (ours, theirs) = (file(&path).await.unwrap(), file(&path).await.unwrap());
    bring_up(&ours).await.unwrap();
    // Another process takes no turns with us.
    let immediate = Some(SqliteTransactionMode::Immediate);
    let options = TransactionOptions { sqlite_transaction_mode: immediate, ..TransactionOptions::default() };
    let lock = theirs.begin_with_options(options).await.unwrap();
    let started = Instant::now();
    let error = begin_write(&ours).await.unwrap_err();
    assert_eq!(trouble::of(&error), Some(Trouble::Away), "{error:?}");
    assert!(started.elapsed() >= Duration::from_secs(4) && started.elapsed() < Duration::from_secs(8));
    drop(lock);
    assert!(begin_write(&ours).await.is_ok());
}

#[tokio::test]
async fn f36_writers_take_turns_and_keep_no_connection_from_readers() {
    let (_home, path) = place();
    let db = file(&path).await.unwrap();
    bring_up(&db).await.unwrap();
    let (done, began) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Notify::new()));
    let first = begin_write(&db).await.unwrap();
    let mut writers = JoinSet::new();
    for number in 0..50 {
        let (db, done, asks) = (db.clone(), Arc::clone(&done), Arc::clone(&began));
        writers.spawn(async move {
            asks.notify_one();
            let work = begin_write(&db).await.unwrap();
            done.lock().unwrap().push(number);
            work.commit().await.unwrap();
        });
        // It stands in line before the next one comes.
        began.notified().await;
    }
    let (place, others) = (db.clone(), Arc::clone(&done));
    let urgent = tokio::spawn(async move {
        let work = begin_write_first(&place).await.unwrap();
        let before = others.lock().unwrap().len();
        work.commit().await.unwrap();
        before
    });
    tokio::task::yield_now().await;
    // With a connection for each waiting writer, there would be none for a reader.
    assert_eq!(account::count(&db, Filter::default()).await.unwrap(), 0);
    first.commit().await.unwrap();
    assert_eq!(urgent.await.unwrap(), 1, "behind the one whose turn it was already");
    writers.join_all().await;
    assert_eq!(*done.lock().unwrap(), (0..50).collect::<Vec<_>>());
}

#[tokio::test]
async fn f38_a_full_disk_is_told_from_other_trouble_and_nothing_is_half_written() {
    let (_home, path) = place();
    let db = file(&path).await.unwrap();
    bring_up(&db).await.unwrap();
    let work = begin_write(&db).await.unwrap();
    // A limit of its own stands for the end of the disk: what the database says is the same.
    work.execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
    let error = account::insert_many(&*work, accounts(2500)).await.unwrap_err();
    assert_eq!(trouble::of(&error), Some(Trouble::Full), "{error:?}");
    drop(work);
    assert_eq!(account::count(&db, Filter::default()).await.unwrap(), 0);
    assert_eq!(pragma(&db, "integrity_check").await, "ok");
    let wrong = db.execute_unprepared("INSERT INTO no_such_table VALUES (1)").await.unwrap_err();
    assert_eq!(trouble::of(&wrong), None, "{wrong:?}");
}

#[tokio::test]
async fn many_accounts_come_in_by_one_transaction_and_the_second_time_none() {
    let (_home, path) = place();
    let db = file(&path).await.unwrap();
    bring_up(&db).await.unwrap();
    for (added, skipped) in [(2500, 0), (0, 2500)] {
        let work = begin_write(&db).await.unwrap();
        let inserted = account::insert_many(&*work, accounts(2500)).await.unwrap();
        work.commit().await.unwrap();
        assert_eq!((inserted.added, inserted.skipped), (added, skipped));
    }
    let first = account::load_page(&db, None, 1000).await.unwrap();
    let second = account::load_page(&db, first.last().map(|row| row.account.id), 2000).await.unwrap();
    assert_eq!((first.len(), second.len()), (1000, 1500));
    assert!(second[0].account.fingerprint.ends_with("1000"));
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let (home, _) = place();
    let path = home.path().join("text.db");
    std::fs::write(&path, "this is no database, whatever its name says; it is long enough to be looked at").unwrap();
    assert!(file(&path).await.is_err());
    assert!(file(home.path()).await.is_err());
}
