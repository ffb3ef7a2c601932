//! What plots are drawn of, on every database.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use grok2api_entity::request_log::{self, Ended, Filter};
use grok2api_entity::testing::TestDatabase;
use grok2api_entity::usage_span::{self, Figures, Of, Spans};
use grok2api_entity::{account, account::Kind, account::Status, gauge_minute};
use sea_orm::{DatabaseConnection, EntityTrait, PaginatorTrait, TransactionTrait};
use uuid::Uuid;

const NOW: i64 = 1_795_401_871_000;
const MINUTE: i64 = 60_000;

async fn everywhere(test: impl AsyncFn(&DatabaseConnection)) {
    for which in ["sqlite", "postgres", "mariadb"] {
        let base = TestDatabase::patiently(which).await;
        grok2api_migration::bring_up(&base.db).await.unwrap();
        test(&base.db).await;
        base.remove().await.unwrap();
    }
}

fn one(ms: i64, code: Option<&str>) -> Figures {
    let mut figures =
        Figures { requests: 1, errors: i64::from(code.is_some()), prompt_tokens: 3, ..Figures::default() };
    figures.total_times.record(ms);
    figures.error_codes.extend(code.map(|code| (code.to_owned(), 1)));
    figures
}

#[tokio::test]
async fn spans_add_up_whoever_adds_to_them_at_the_same_time() {
    everywhere(async |db| {
        let add = async |ms: i64| {
            let mut spans = Spans::default();
            spans.add(NOW, "m", "k", &one(ms, Some("upstream_error")));
            spans.add(NOW + MINUTE, "n", "k", &one(ms, None));
            // Writers that meet may be told to try again, as the usage log does.
            loop {
                let tx = grok2api_entity::connect::begin_write(db).await.unwrap();
                if spans.store(&*tx).await.is_ok() && tx.commit().await.is_ok() {
                    return;
                }
            }
        };
        futures_util::future::join_all((0..20).map(|n| add(100 * n))).await;
        for step in usage_span::STEPS {
            let (from, to) = (NOW - 3_600_000, NOW + 3_600_000);
            let sum = async |of| {
                let spans = usage_span::between(db, step, of, from, to).await.unwrap();
                spans.iter().fold(Figures::default(), |mut sum, span| {
                    sum.add(&Figures::from(span));
                    sum
                })
            };
            let all = sum(Of::All).await;
            assert_eq!((all.requests, all.errors, all.prompt_tokens), (40, 20, 120));
            assert_eq!(all.total_times.count(), 40);
            assert_eq!(all.error_codes.get("upstream_error"), Some(&20));
            assert_eq!(sum(Of::Model("m")).await.requests, 20);
            assert_eq!(sum(Of::Owner("k")).await, all);
            assert_eq!(sum(Of::Owner("other")).await, Figures::default());
            let most = usage_span::most(db, usage_span::Column::Model, step, from, to, 1).await.unwrap();
            assert_eq!((most[0].name.as_str(), most[0].requests, most[0].errors, most[0].tokens), ("m", 20, 20, 60));
        }
        let minutes = usage_span::between(db, 60, Of::All, NOW - MINUTE, NOW + 2 * MINUTE).await.unwrap();
        assert_eq!(minutes.len(), 2);
        while usage_span::delete_before(db, 60, NOW + 2 * MINUTE, 3).await.unwrap() > 0 {}
        let left = usage_span::Entity::find().all(db).await.unwrap();
        assert!(!left.is_empty() && left.iter().all(|span| span.step_secs == 3_600));
    })
    .await;
}

#[tokio::test]
async fn what_is_not_committed_adds_nothing() {
    everywhere(async |db| {
        let tx = db.begin().await.unwrap();
        let mut spans = Spans::default();
        spans.add(NOW, "m", "k", &one(5, None));
        spans.store(&tx).await.unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(usage_span::Entity::find().count(db).await.unwrap(), 0);
    })
    .await;
}

fn request(at: i64, model: &str, status: i32, code: Option<&str>) -> request_log::Model {
    request_log::Model {
        id: Uuid::now_v7(),
        at,
        request_id: format!("req-{at}"),
        endpoint: "/v1/chat/completions".to_owned(),
        model: model.to_owned(),
        owner: "k".to_owned(),
        status,
        error_code: code.map(str::to_owned),
        streamed: true,
        attempts: 1,
        account_id: None,
        prompt_tokens: 1,
        completion_tokens: 2,
        reasoning_tokens: 0,
        images: 0,
        videos: 0,
        first_ms: Some(3),
        total_ms: 4,
    }
}

#[tokio::test]
async fn requests_come_page_by_page_the_latest_first() {
    everywhere(async |db| {
        // Two at each time, so that pages begin between rows of the same time.
        let rows: Vec<_> = (0..20)
            .map(|n| match n % 4 {
                0 => request(NOW + n / 2, "m", 200, None),
                1 => request(NOW + n / 2, "n", 429, Some("upstream_rate_limited")),
                2 => request(NOW + n / 2, "m", 499, Some("client_gone")),
                _ => request(NOW + n / 2, "n", 200, None),
            })
            .collect();
        request_log::insert(db, &rows).await.unwrap();
        let all = async |filter: Filter, limit| {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = request_log::page(db, &filter, after, limit).await.unwrap();
                assert!(page.rows.len() as u64 <= limit);
                found.extend(page.rows);
                after = page.next;
                if after.is_none() {
                    return found;
                }
            }
        };
        let mut wanted = rows.clone();
        wanted.sort_by_key(|row| std::cmp::Reverse((row.at, row.id)));
        for limit in [1, 3, 20, 200] {
            assert_eq!(all(Filter::default(), limit).await, wanted, "{limit}");
        }
        let count = async |filter| all(filter, 3).await.len();
        assert_eq!(count(Filter { model: Some("m".to_owned()), ..Filter::default() }).await, 10);
        assert_eq!(count(Filter { status: Some((400, 499)), ..Filter::default() }).await, 10);
        assert_eq!(count(Filter { outcome: Some(Ended::Well), ..Filter::default() }).await, 10);
        assert_eq!(count(Filter { outcome: Some(Ended::Badly), ..Filter::default() }).await, 5);
        assert_eq!(count(Filter { outcome: Some(Ended::Gone), ..Filter::default() }).await, 5);
        assert_eq!(count(Filter { from: Some(NOW + 2), to: Some(NOW + 4), ..Filter::default() }).await, 4);
        assert_eq!(count(Filter { request_id: Some(format!("req-{NOW}")), ..Filter::default() }).await, 2);
        assert_eq!(count(Filter { account_id: Some(Uuid::nil()), ..Filter::default() }).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_minute_is_written_down_once_and_hours_are_kept_longer() {
    everywhere(async |db| {
        for (name, status) in [("one", Status::Active), ("two", Status::Disabled), ("three", Status::Expired)] {
            let new = account::NewAccount {
                id: account::NewAccount::new_id(),
                kind: Kind::Sso,
                secret: "sealed".to_owned(),
                fingerprint: name.to_owned(),
                hint: String::new(),
                status,
                status_reason: None,
                failures: account::Failures::default(),
                tags: Vec::new(),
                note: String::new(),
                created_at: 1,
            };
            assert!(account::insert(db, new).await.unwrap());
        }
        let hour = NOW - NOW.rem_euclid(3_600_000);
        for at in [hour - 1, hour, hour + 7, hour + MINUTE] {
            let is_new = gauge_minute::record(db, at).await.unwrap();
            assert_eq!(is_new, at != hour + 7);
        }
        let rows = gauge_minute::between(db, hour - MINUTE, hour + 2 * MINUTE, MINUTE).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.at).collect::<Vec<_>>(), [hour - MINUTE, hour, hour + MINUTE]);
        let row = &rows[1];
        assert_eq!((row.accounts_unused, row.accounts_disabled, row.accounts_expired), (1, 1, 1));
        assert_eq!((row.accounts_active, row.queued, row.running), (0, 0, 0));
        let hours = gauge_minute::between(db, hour - MINUTE, hour + 2 * MINUTE, 3_600_000).await.unwrap();
        assert_eq!(hours.iter().map(|row| row.at).collect::<Vec<_>>(), [hour]);
        assert_eq!(gauge_minute::delete_before(db, hour + 2 * MINUTE, 0, 9).await.unwrap(), 2, "the hour stays");
        assert_eq!(gauge_minute::delete_before(db, 0, hour + 1, 9).await.unwrap(), 1);
    })
    .await;
}
