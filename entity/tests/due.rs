//! Which accounts are asked about, the sums of the use by day, and bulk work, on every database.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use grok2api_entity::account::{self, Kind, NewAccount, Status};
use grok2api_entity::account_budget::{self, Source};
use grok2api_entity::testing::TestDatabase;
use grok2api_entity::{bulk, bulk_item, job, usage_day, usage_hour};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};
use uuid::Uuid;

const NOW: i64 = 1_795_401_871_000;
const HALF_HOUR: i64 = 30 * 60_000;

async fn everywhere(test: impl AsyncFn(&DatabaseConnection)) {
    for which in ["sqlite", "postgres", "mariadb"] {
        let base = TestDatabase::patiently(which).await;
        grok2api_migration::bring_up(&base.db).await.unwrap();
        test(&base.db).await;
        base.remove().await.unwrap();
    }
}

async fn add(db: &DatabaseConnection, name: &str, status: Status) -> Uuid {
    let new = NewAccount {
        id: NewAccount::new_id(),
        kind: Kind::Sso,
        secret: "sealed".to_owned(),
        fingerprint: name.to_owned(),
        hint: String::new(),
        status,
        status_reason: None,
        failures: account::Failures::default(),
        tags: Vec::new(),
        note: String::new(),
        created_at: 0,
    };
    let id = new.id;
    assert!(account::insert(db, new).await.unwrap());
    id
}

async fn failed_at(db: &DatabaseConnection, id: Uuid, at: i64) {
    let update = account::Entity::update_many().col_expr(account::Column::LastFailureAt, Expr::value(at));
    update.filter(account::Column::Id.eq(id)).exec(db).await.unwrap();
}

#[tokio::test]
async fn those_tested_longest_ago_come_first_and_each_status_by_itself() {
    everywhere(async |db| {
        let (ann, bob, sue) = (
            add(db, "a", Status::Active).await,
            add(db, "b", Status::Active).await,
            add(db, "c", Status::Active).await,
        );
        let (old, fresh) = (add(db, "d", Status::Expired).await, add(db, "e", Status::Expired).await);
        failed_at(db, old, NOW - 100).await;
        failed_at(db, fresh, NOW).await;
        account::mark_tested(db, &[ann], NOW - 10).await.unwrap();
        account::mark_tested(db, &[bob], NOW - 20).await.unwrap();
        let due = async |at, limit| {
            let due = account::of_status_tested_before(db, Status::Active, at, limit).await.unwrap();
            due.iter().map(|row| row.id).collect::<Vec<_>>()
        };
        assert_eq!(due(NOW, 9).await, [sue, bob, ann]);
        assert_eq!(due(NOW - 10, 9).await, [sue, bob]);
        assert_eq!(due(NOW, 1).await, [sue]);
        let expired = account::expired_and_untested(db, NOW - 50, 9).await.unwrap();
        assert_eq!(expired.iter().map(|row| row.id).collect::<Vec<_>>(), [old]);
        account::mark_tested(db, &[old], NOW - 40).await.unwrap();
        assert!(account::expired_and_untested(db, NOW - 50, 9).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn budgets_are_read_once_when_they_should_be_full_and_now_and_then_when_nobody_knows() {
    everywhere(async |db| {
        let budget = |account_id, name: &str, remaining, reset_at, cooling_until| account_budget::Model {
            account_id,
            budget: name.to_owned(),
            unit: "tokens".to_owned(),
            remaining,
            total: 80,
            window_secs: 72_000,
            read_at: NOW - 2 * HALF_HOUR,
            reset_at,
            cooling_until,
            source: Source::Measured,
        };
        let full = add(db, "full", Status::Active).await;
        let reset = add(db, "reset", Status::Active).await;
        let waiting = add(db, "waiting", Status::Active).await;
        let cooled = add(db, "cooled", Status::Cooling).await;
        let unknown = add(db, "unknown", Status::Active).await;
        let expired = add(db, "expired", Status::Expired).await;
        let rows = [
            budget(full, "m", 80, None, None),
            budget(reset, "m", 0, Some(NOW - 5), None),
            budget(reset, "n", 10, Some(NOW - 4), None),
            budget(waiting, "m", 0, Some(NOW + 1), Some(NOW + 1)),
            budget(cooled, "m", 70, None, Some(NOW - 1)),
            budget(unknown, "m", 3, None, None),
            budget(expired, "m", 0, Some(NOW - 9), None),
        ];
        account_budget::record(db, &rows).await.unwrap();
        let due = async |limit| account::with_budgets_to_read(db, NOW, NOW - HALF_HOUR, limit).await.unwrap();
        assert_eq!(due(9).await, [reset, cooled, unknown]);
        assert_eq!(due(1).await, [reset]);
        account::mark_quota_asked(db, &[reset, cooled, unknown], NOW).await.unwrap();
        assert!(due(9).await.is_empty(), "asked for, but not full: later");
        let later = NOW + 2 * HALF_HOUR;
        let again = account::with_budgets_to_read(db, later, later - HALF_HOUR, 9).await.unwrap();
        assert_eq!(again, [reset, waiting, cooled, unknown]);
    })
    .await;
}

#[tokio::test]
async fn a_day_is_the_sum_of_its_hours_however_often_it_is_summed_up() {
    everywhere(async |db| {
        let day = usage_day::day_of(NOW);
        let hour = |at, owner: &str| usage_hour::Model {
            requests: 2,
            total_ms: 1 << 40,
            ..usage_hour::Model::empty(at, "m", owner)
        };
        let hours = [day - 3_600_000, day, day + 23 * 3_600_000, day + usage_day::DAY_MS].map(|at| hour(at, "one"));
        usage_hour::add(db, &hours).await.unwrap();
        usage_hour::add(db, &[hour(day, "other")]).await.unwrap();
        for _ in 0..2 {
            usage_day::sum_up(db, day).await.unwrap();
            let mut days = usage_day::Entity::find().all(db).await.unwrap();
            days.sort_by(|one, other| one.owner.cmp(&other.owner));
            let sums: Vec<_> =
                days.iter().map(|row| (row.day, row.owner.as_str(), row.requests, row.total_ms)).collect();
            assert_eq!(sums, [(day, "one", 4, 2 << 40), (day, "other", 2, 1 << 40)]);
        }
    })
    .await;
}

#[tokio::test]
async fn old_bulk_work_goes_with_its_items_and_credentials_before_that() {
    everywhere(async |db| {
        for (made, secret) in [(1, Some("sealed")), (2, None)] {
            let id = Uuid::from_u128(made);
            let row = bulk::Model {
                id,
                kind: job::Kind::BulkImport,
                state: bulk::State::Open,
                params: "{}".to_owned(),
                cursor: None,
                total: 1,
                done: 0,
                failed: 0,
                created_at: i64::try_from(made).unwrap(),
                finished_at: None,
            };
            bulk::Entity::insert(bulk::ActiveModel::from(row)).exec_without_returning(db).await.unwrap();
            let item = bulk_item::ActiveModel {
                bulk_id: Set(id),
                number: Set(1),
                account_id: Set(None),
                secret: Set(secret.map(str::to_owned)),
                state: Set(bulk_item::State::Open),
                error: Set(None),
            };
            bulk_item::Entity::insert(item).exec_without_returning(db).await.unwrap();
        }
        let first = Uuid::from_u128(1);
        let open = async |id| bulk_item::page(db, id, bulk_item::State::Open, 0, 9).await.unwrap();
        assert_eq!(open(first).await[0].secret.as_deref(), Some("sealed"));
        bulk_item::forget_secrets(db, first).await.unwrap();
        assert_eq!(open(first).await[0].secret, None);
        assert_eq!(bulk::delete_before(db, 2, 10).await.unwrap(), 1);
        assert_eq!((open(first).await.len(), open(Uuid::from_u128(2)).await.len()), (0, 1));
    })
    .await;
}
