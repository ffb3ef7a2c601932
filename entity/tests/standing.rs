//! How accounts stand, counted by the database as it is told of each, and their lists, on every database.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use grok2api_entity::account::{self, Kind, NewAccount, Standing, Start, Status, Tally};
use grok2api_entity::account_budget::{self, Source};
use grok2api_entity::testing::TestDatabase;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};
use uuid::Uuid;

const NOW: i64 = 1_795_401_871_000;

async fn everywhere(test: impl AsyncFn(&DatabaseConnection)) {
    for which in ["sqlite", "postgres", "mariadb"] {
        let base = TestDatabase::patiently(which).await;
        grok2api_migration::bring_up(&base.db).await.unwrap();
        test(&base.db).await;
        base.remove().await.unwrap();
    }
}

async fn add(db: &DatabaseConnection, kind: Kind, status: Status, until: Option<i64>, tags: &[&str]) -> Uuid {
    let new = NewAccount {
        id: NewAccount::new_id(),
        kind,
        secret: "sealed".to_owned(),
        fingerprint: Uuid::new_v4().simple().to_string(),
        hint: "abcd".to_owned(),
        status,
        status_reason: None,
        failures: account::Failures::default(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        note: String::new(),
        created_at: 7,
    };
    let id = new.id;
    assert!(account::insert(db, new).await.unwrap());
    let update = account::Entity::update_many().col_expr(account::Column::StatusUntil, Expr::value(until));
    update.filter(account::Column::Id.eq(id)).exec(db).await.unwrap();
    id
}

fn budget(
    account_id: Uuid,
    name: &str,
    remaining: i64,
    reset: Option<i64>,
    cooling: Option<i64>,
) -> account_budget::Model {
    account_budget::Model {
        account_id,
        budget: name.to_owned(),
        unit: "tokens".to_owned(),
        remaining,
        total: 80,
        window_secs: 72_000,
        read_at: 1,
        reset_at: reset,
        cooling_until: cooling,
        source: Source::Estimated,
    }
}

/// What is left, when the window is over, and until when the budget rests.
type Left = (i64, Option<i64>, Option<i64>);

/// All pairs of states of an account and of budgets.
async fn furnish(db: &DatabaseConnection) {
    let times = [None, Some(NOW), Some(NOW + 1)];
    let mut budgets: Vec<Vec<Left>> = vec![Vec::new()];
    for remaining in [0, 3] {
        for reset in times {
            for cooling in times {
                budgets.push(vec![(remaining, reset, cooling)]);
                budgets.push(vec![(0, None, None), (remaining, reset, cooling)]);
            }
        }
    }
    let states = [
        (Status::Active, None),
        (Status::Expired, None),
        (Status::Disabled, None),
        (Status::Cooling, None),
        (Status::Cooling, Some(NOW)),
        (Status::Cooling, Some(NOW + 1)),
    ];
    for (turn, (status, until)) in states.into_iter().enumerate() {
        for (number, budgets) in budgets.iter().enumerate() {
            let kind = if (turn + number) % 3 == 0 { Kind::SsoSuper } else { Kind::Sso };
            let id = add(db, kind, status, until, &[]).await;
            let rows: Vec<_> = budgets
                .iter()
                .zip(["grok-3", "grok-4"])
                .map(|((remaining, reset, cooling), name)| budget(id, name, *remaining, *reset, *cooling))
                .collect();
            account_budget::record(db, &rows).await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_database_counts_as_each_account_stands() {
    everywhere(async |db| {
        assert_eq!(account::tally(db, NOW).await.unwrap(), (Tally::default(), Tally::default()));
        furnish(db).await;
        let counted = account::tally(db, NOW).await.unwrap();
        for (kind, counted) in [(Kind::Sso, counted.0), (Kind::SsoSuper, counted.1)] {
            let mut told = Tally::default();
            for (row, budgets) in account::summaries(db, kind, Start::Skip(0), 1000).await.unwrap() {
                *match Standing::of(row.status, row.status_until, &budgets, NOW) {
                    Standing::Unused => &mut told.unused,
                    Standing::Active => &mut told.active,
                    Standing::Limited => &mut told.limited,
                    Standing::Invalid => &mut told.invalid,
                } += 1;
            }
            assert_eq!(counted, told);
            assert!([told.unused, told.active, told.limited, told.invalid].iter().all(|count| *count > 0), "{told:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn pages_of_a_kind_come_with_their_budgets_and_others_are_left_out() {
    everywhere(async |db| {
        let mut basics = Vec::new();
        for number in 0..6 {
            let kind = if number % 2 == 0 { Kind::Sso } else { Kind::SsoSuper };
            let id = add(db, kind, Status::Active, None, &["b", "a"]).await;
            account_budget::record(db, &[budget(id, "grok-3", number, None, None)]).await.unwrap();
            if kind == Kind::Sso {
                basics.push((id, number));
            }
        }
        let page = async |start, limit| {
            let rows = account::summaries(db, Kind::Sso, start, limit).await.unwrap();
            rows.iter().map(|(row, budgets)| (row.id, budgets[0].remaining)).collect::<Vec<_>>()
        };
        assert_eq!(page(Start::Skip(0), 2).await, basics[..2]);
        assert_eq!(page(Start::After(basics[1].0), 2).await, basics[2..]);
        assert_eq!(page(Start::Skip(1), 5).await, basics[1..]);
        assert!(page(Start::After(basics[2].0), 2).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn labels_and_notes_are_kept_trimmed_and_only_those_of_the_kind_go() {
    everywhere(async |db| {
        let (ann, sue) = (
            add(db, Kind::Sso, Status::Active, None, &["b"]).await,
            add(db, Kind::SsoSuper, Status::Active, None, &["ä", "b"]).await,
        );
        assert!(account::set_tags(db, ann, &[" c ".to_owned(), String::new()], 9).await.unwrap());
        assert!(account::set_note(db, ann, " n ", 9).await.unwrap());
        assert!(!account::set_note(db, Uuid::now_v7(), "n", 9).await.unwrap());
        let row = account::find(db, ann).await.unwrap().unwrap();
        assert_eq!((row.tags.as_str(), row.note.as_str(), row.updated_at), (r#"["c"]"#, "n", 9));
        let tags: Vec<String> = account::all_tags(db).await.unwrap().into_iter().collect();
        assert_eq!(tags, ["b", "c", "ä"]);

        let prints = [row.fingerprint];
        assert_eq!(account::ids_by_fingerprints(db, Kind::Sso, &prints).await.unwrap(), [ann]);
        assert!(account::ids_by_fingerprints(db, Kind::SsoSuper, &prints).await.unwrap().is_empty());
        account_budget::record(db, &[budget(ann, "grok-3", 1, None, None)]).await.unwrap();
        assert_eq!(account::delete_many(db, Kind::Sso, &[sue, ann, ann]).await.unwrap(), [ann]);
        assert!(account_budget::Entity::find().all(db).await.unwrap().is_empty());
        assert!(account::find(db, sue).await.unwrap().is_some());
    })
    .await;
}
