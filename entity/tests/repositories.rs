//! The repositories do the same on every database.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;

use grok2api_entity::account::{self, Filter, Kind, NewAccount, StateChange, Status};
use grok2api_entity::account_budget::{self, Source};
use grok2api_entity::connect::{begin_write, take_time};
use grok2api_entity::testing::TestDatabase;
use grok2api_entity::{meta, setting};
use grok2api_migration::bring_up;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use uuid::Uuid;

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
                super::bring_up(&database.db).await.unwrap();
                super::$story(&database.db).await;
                database.remove().await.unwrap();
            })*
        }
    };
}

on_each_database!(
    a_known_fingerprint_is_skipped,
    an_account_comes_back_as_it_was_written,
    accounts_are_listed_page_by_page_in_the_order_of_arrival,
    the_pool_is_loaded_with_its_budgets,
    f54_a_deleted_account_is_not_brought_back,
    a_disabled_account_stays_disabled,
    uses_add_up_and_states_are_written,
    budgets_are_written_over,
    each_change_of_settings_has_its_own_version,
    a_fact_stays_unless_it_is_set,
    f55_half_a_change_is_never_stored,
    who_reads_everything_may_take_its_time,
);

fn new_account(fingerprint: &str) -> NewAccount {
    NewAccount {
        id: NewAccount::new_id(),
        kind: Kind::Sso,
        secret: format!("v1:00000000:{fingerprint}"),
        fingerprint: fingerprint.to_owned(),
        hint: "cdef".to_owned(),
        status: Status::Active,
        status_reason: None,
        failures: account::Failures::default(),
        tags: vec!["team ä".to_owned()],
        note: " spare 🛰 ".to_owned(),
        created_at: 1_761_189_611_000,
    }
}

async fn add(db: &DatabaseConnection, fingerprint: &str) -> Uuid {
    let account = new_account(fingerprint);
    let id = account.id;
    assert!(account::insert(db, account).await.unwrap());
    id
}

fn budget(account_id: Uuid, name: &str, remaining: i64) -> account_budget::Model {
    account_budget::Model {
        account_id,
        budget: name.to_owned(),
        unit: "tokens".to_owned(),
        remaining,
        total: 80,
        window_secs: 72_000,
        read_at: 1_761_189_611_000,
        reset_at: None,
        cooling_until: Some(1_761_189_612_000),
        source: Source::Measured,
    }
}

fn change(id: Uuid, status: Status) -> StateChange {
    StateChange {
        id,
        status,
        status_reason: Some("limited".to_owned()),
        status_until: Some(5),
        failed_count: 2,
        last_failure_at: Some(3),
        last_failure_reason: Some("429: slow down".to_owned()),
        uses: 2,
        last_used_at: Some(4),
        updated_at: 6,
    }
}

async fn a_known_fingerprint_is_skipped(db: &DatabaseConnection) {
    let first = add(db, "a").await;
    let again = NewAccount { note: "other".to_owned(), ..new_account("a") };
    assert!(!account::insert(db, again).await.unwrap());
    let list = ["b", "a", "c", "b"].map(new_account).into_iter().collect();
    let inserted = account::insert_many(db, list).await.unwrap();
    assert_eq!((inserted.added, inserted.skipped), (2, 2));
    let kept = account::find_by_fingerprints(db, &["x".to_owned(), "a".to_owned()]).await.unwrap().unwrap();
    assert_eq!((kept.id, kept.note.as_str()), (first, "spare 🛰"));
    assert!(account::find_by_fingerprints(db, &["x".to_owned()]).await.unwrap().is_none());
    let known = account::known_fingerprints(db, &["x", "c", "a"].map(str::to_owned)).await.unwrap();
    assert_eq!(known, ["a", "c"].map(str::to_owned).into());
}

async fn an_account_comes_back_as_it_was_written(db: &DatabaseConnection) {
    let mut written = new_account("a");
    written.kind = Kind::SsoSuper;
    written.status = Status::Expired;
    written.status_reason = Some("imported".to_owned());
    account::insert(db, written.clone()).await.unwrap();
    let row = account::find(db, written.id).await.unwrap().unwrap();
    assert_eq!((row.kind, row.status, row.status_reason), (Kind::SsoSuper, Status::Expired, written.status_reason));
    assert_eq!((row.secret, row.hint, row.created_at), (written.secret, written.hint, written.created_at));
    assert_eq!(account::decode_tags(&row.tags), ["team ä"]);
    assert_eq!((row.use_count, row.failed_count, row.last_used_at), (0, 0, None));
    assert!(account::find(db, Uuid::nil()).await.unwrap().is_none());
}

async fn accounts_are_listed_page_by_page_in_the_order_of_arrival(db: &DatabaseConnection) {
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(add(db, &number.to_string()).await);
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = account::list(db, Filter::default(), after, 2).await.unwrap();
        seen.extend(page.rows.iter().map(|row| row.account.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ids);
    let filter = Filter { kind: Some(Kind::SsoSuper), status: None };
    assert!(account::list(db, filter, None, 10).await.unwrap().rows.is_empty());
    assert_eq!(account::count(db, Filter { kind: None, status: Some(Status::Active) }).await.unwrap(), 5);
}

async fn the_pool_is_loaded_with_its_budgets(db: &DatabaseConnection) {
    let (first, second, third) = (add(db, "1").await, add(db, "2").await, add(db, "3").await);
    let written = [budget(third, "grok-4", 7), budget(first, "grok-4", 8), budget(first, "grok-3", 9)];
    account_budget::record(db, &written).await.unwrap();
    let page = account::load_page(db, None, 2).await.unwrap();
    assert_eq!(page.iter().map(|loaded| loaded.account.id).collect::<Vec<_>>(), [first, second]);
    assert_eq!(page[0].budgets, [written[2].clone(), written[1].clone()]);
    assert!(page[1].budgets.is_empty());
    let rest = account::load_page(db, Some(second), 2).await.unwrap();
    assert_eq!((rest.len(), rest[0].budgets.len()), (1, 1));
    assert!(account::load_page(db, Some(third), 2).await.unwrap().is_empty());
}

async fn f54_a_deleted_account_is_not_brought_back(db: &DatabaseConnection) {
    let (gone, kept) = (add(db, "1").await, add(db, "2").await);
    account_budget::record(db, &[budget(gone, "grok-3", 1)]).await.unwrap();
    assert!(account::delete(db, gone).await.unwrap());
    assert!(!account::delete(db, gone).await.unwrap());
    let changes = [change(gone, Status::Cooling), change(kept, Status::Cooling)];
    assert_eq!(account::record_states(db, &changes).await.unwrap(), 1);
    account_budget::record(db, &[budget(gone, "grok-3", 1), budget(kept, "grok-3", 2)]).await.unwrap();
    let page = account::load_page(db, None, 10).await.unwrap();
    assert_eq!((page.len(), page[0].account.id, page[0].budgets.len()), (1, kept, 1));
}

async fn a_disabled_account_stays_disabled(db: &DatabaseConnection) {
    let id = add(db, "1").await;
    assert_eq!(account::record_states(db, &[change(id, Status::Disabled)]).await.unwrap(), 1);
    assert_eq!(account::record_states(db, &[change(id, Status::Cooling)]).await.unwrap(), 1);
    let row = account::find(db, id).await.unwrap().unwrap();
    assert_eq!((row.status, row.use_count), (Status::Disabled, 4));
}

async fn uses_add_up_and_states_are_written(db: &DatabaseConnection) {
    let id = add(db, "1").await;
    for _ in 0..3 {
        account::record_states(db, &[change(id, Status::Cooling)]).await.unwrap();
    }
    let row = account::find(db, id).await.unwrap().unwrap();
    assert_eq!(
        (row.status, row.status_until, row.status_reason.as_deref()),
        (Status::Cooling, Some(5), Some("limited"))
    );
    assert_eq!((row.use_count, row.failed_count, row.last_used_at, row.updated_at), (6, 2, Some(4), 6));
    assert_eq!((row.last_failure_at, row.last_failure_reason.as_deref()), (Some(3), Some("429: slow down")));
    let mut fine = change(id, Status::Active);
    (fine.status_reason, fine.status_until) = (None, None);
    account::record_states(db, &[fine]).await.unwrap();
    let row = account::find(db, id).await.unwrap().unwrap();
    assert_eq!((row.status, row.status_until, row.status_reason), (Status::Active, None, None));
}

async fn budgets_are_written_over(db: &DatabaseConnection) {
    let id = add(db, "1").await;
    account_budget::record(db, &[budget(id, "grok-3", 9), budget(id, "grok-4", 9)]).await.unwrap();
    let mut newer = budget(id, "grok-3", 5);
    (newer.cooling_until, newer.reset_at, newer.source) = (None, Some(8), Source::Estimated);
    account_budget::record(db, std::slice::from_ref(&newer)).await.unwrap();
    let page = account::load_page(db, None, 1).await.unwrap();
    assert_eq!(page[0].budgets, [newer, budget(id, "grok-4", 9)]);
}

async fn each_change_of_settings_has_its_own_version(db: &DatabaseConnection) {
    let set = |key: &str, value: Option<&str>| setting::Change { key: key.to_owned(), value: value.map(str::to_owned) };
    assert_eq!(setting::version(db).await.unwrap(), 0);
    assert_eq!(setting::store(db, &[set("a", Some("1")), set("b", Some("2"))]).await.unwrap(), 1);
    assert_eq!(setting::store(db, &[set("a", Some("3"))]).await.unwrap(), 2);
    assert_eq!(setting::store(db, &[set("b", None), set("c", None)]).await.unwrap(), 3);
    let stored = setting::load_all(db).await.unwrap();
    let expected = setting::Model { key: "a".to_owned(), value: "3".to_owned(), version: 2 };
    assert_eq!(stored, [expected]);
    assert_eq!(setting::version(db).await.unwrap(), 3);
}

async fn a_fact_stays_unless_it_is_set(db: &DatabaseConnection) {
    assert!(meta::get(db, meta::VAULT_CHECK).await.unwrap().is_none());
    assert_eq!(meta::get_or_insert(db, meta::VAULT_CHECK, "first").await.unwrap(), "first");
    assert_eq!(meta::get_or_insert(db, meta::VAULT_CHECK, "second").await.unwrap(), "first");
    meta::set(db, "accounts_version", "1").await.unwrap();
    meta::set(db, "accounts_version", "2").await.unwrap();
    assert_eq!(meta::get(db, "accounts_version").await.unwrap().as_deref(), Some("2"));
}

async fn f55_half_a_change_is_never_stored(db: &DatabaseConnection) {
    let work = begin_write(db).await.unwrap();
    let change = setting::Change { key: "a".to_owned(), value: Some("1".to_owned()) };
    setting::store(&*work, &[change]).await.unwrap();
    account::insert_many(&*work, vec![new_account("1")]).await.unwrap();
    drop(work);
    assert_eq!(setting::version(db).await.unwrap(), 0);
    let counts: BTreeMap<&str, u64> = BTreeMap::from([
        ("settings", setting::load_all(db).await.unwrap().len() as u64),
        ("accounts", account::count(db, Filter::default()).await.unwrap()),
    ]);
    assert!(counts.values().all(|count| *count == 0), "{counts:?}");
}

async fn who_reads_everything_may_take_its_time(db: &DatabaseConnection) {
    let backend = db.get_database_backend();
    let limit = match backend {
        DbBackend::Postgres => "SELECT current_setting('idle_in_transaction_session_timeout')",
        DbBackend::MySql => "SELECT CAST(@@idle_transaction_timeout AS CHAR)",
        _ => "SELECT '0'",
    };
    let work = begin_write(db).await.unwrap();
    take_time(&*work).await.unwrap();
    let row = work.query_one_raw(Statement::from_string(backend, limit)).await.unwrap().unwrap();
    assert_eq!(row.try_get_by_index::<String>(0).unwrap(), "0");
}
