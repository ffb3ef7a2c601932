#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod databases;
mod lossy_link;
mod outage;

use std::sync::Arc;
use std::time::Duration;

use grok2api_entity::{request_log, usage_hour};
use metrics_exporter_prometheus::PrometheusBuilder;
use sea_orm::{DatabaseConnection, EntityTrait};

use super::batch::Batch;
use super::entry::{Recorded, millis};
use super::{Entry, UsageLog};

/// The `n`-th of many different requests.
fn entry(n: u64) -> Entry {
    Entry {
        endpoint: "/v1/chat/completions".into(),
        request_id: format!("req_{n}"),
        model: ["grok-3-fast", "grok-4-fast", "unknown"][(n % 3) as usize].to_owned(),
        owner: Arc::from(["key_a", "key_b"][(n % 2) as usize]),
        status: if n.is_multiple_of(5) { 502 } else { 200 },
        error_code: n.is_multiple_of(5).then_some("upstream_unreachable"),
        streamed: n.is_multiple_of(2),
        attempts: 1,
        account: Some(uuid::Uuid::from_u128(u128::from(n % 7))),
        prompt_tokens: n,
        completion_tokens: 2 * n,
        reasoning_tokens: 1,
        images: 2,
        videos: 1,
        by_jobs: false,
        first: (!n.is_multiple_of(5)).then_some(Duration::from_millis(n)),
        total: Duration::from_millis(10 * n),
    }
}

/// Requests of one moment, so that they fall into one hour.
fn recorded(numbers: impl IntoIterator<Item = u64>, at: i64) -> Vec<Recorded> {
    numbers.into_iter().map(|n| Recorded { entry: entry(n), at }).collect()
}

async fn hours(db: &DatabaseConnection) -> Vec<usage_hour::Model> {
    let mut hours = usage_hour::Entity::find().all(db).await.unwrap();
    hours.sort_by(|one, other| (&one.model, &one.owner).cmp(&(&other.model, &other.owner)));
    hours
}

/// Asserts that exactly the requests of these numbers are stored, in rows and in sums, whatever their hours.
async fn assert_stored(db: &DatabaseConnection, numbers: std::ops::Range<u64>) {
    let rows = request_log::Entity::find().all(db).await.unwrap();
    let mut stored: Vec<u64> = rows.iter().map(|row| row.request_id[4..].parse().unwrap()).collect();
    stored.sort_unstable();
    assert_eq!(stored, numbers.clone().collect::<Vec<_>>());
    for (model, owner) in [
        ("grok-3-fast", "key_a"),
        ("grok-3-fast", "key_b"),
        ("grok-4-fast", "key_a"),
        ("grok-4-fast", "key_b"),
        ("unknown", "key_a"),
        ("unknown", "key_b"),
    ] {
        let of: Vec<Entry> =
            numbers.clone().map(entry).filter(|entry| entry.model == model && &*entry.owner == owner).collect();
        let hours: Vec<_> =
            hours(db).await.into_iter().filter(|hour| hour.model == model && hour.owner == owner).collect();
        let sum = |figure: fn(&usage_hour::Model) -> i64| hours.iter().map(figure).sum::<i64>();
        let wanted = |figure: fn(&Entry) -> i64| of.iter().map(figure).sum::<i64>();
        assert_eq!(sum(|hour| hour.requests), wanted(|_| 1), "{model} {owner}");
        assert_eq!(sum(|hour| hour.errors), wanted(|entry| i64::from(entry.error_code.is_some())));
        assert_eq!(sum(|hour| hour.prompt_tokens), wanted(|entry| entry.prompt_tokens.cast_signed()));
        assert_eq!(sum(|hour| hour.completion_tokens), wanted(|entry| entry.completion_tokens.cast_signed()));
        assert_eq!(sum(|hour| hour.reasoning_tokens), wanted(|entry| entry.reasoning_tokens.cast_signed()));
        assert_eq!(sum(|hour| hour.images), wanted(|entry| i64::from(entry.images)));
        assert_eq!(sum(|hour| hour.videos), wanted(|entry| i64::from(entry.videos)));
        assert_eq!(sum(|hour| hour.firsts), wanted(|entry| i64::from(entry.first.is_some())));
        assert_eq!(sum(|hour| hour.first_ms), wanted(|entry| entry.first.map_or(0, millis)));
        assert_eq!(sum(|hour| hour.total_ms), wanted(|entry| millis(entry.total)));
    }
}

#[test]
fn i7_a_full_log_drops_what_comes_and_counts_it() {
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        let (log, writer) = UsageLog::with_capacity(DatabaseConnection::default(), 3);
        (0..5).for_each(|n| log.record(entry(n)));
        assert!(recorder.handle().render().contains("grok2api_usage_dropped_total 2"));
        drop(writer);
        log.record(entry(5));
    });
    assert!(recorder.handle().render().contains("grok2api_usage_dropped_total 3"));
}

#[test]
fn a_text_that_does_not_fit_its_column_is_cut() {
    let mut long = entry(1);
    long.request_id = "ä".repeat(128);
    long.model = "m".repeat(101);
    long.owner = Arc::from("o".repeat(65));
    let batch = Batch::new(vec![Recorded { entry: long, at: 0 }]);
    let row = &batch.rows()[0];
    let lengths = [&row.request_id, &row.model, &row.owner].map(|text| text.chars().count());
    assert_eq!(lengths, [64, 100, 64]);
}
