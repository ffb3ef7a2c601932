//! Requests that are written together: their rows, and what they add to the hours.

use std::collections::BTreeMap;

use grok2api_entity::connect::begin_write;
use grok2api_entity::usage_span::{Figures, Spans};
use grok2api_entity::{request_log, usage_hour};
use sea_orm::{DatabaseConnection, DbErr, SqlErr};
use uuid::Uuid;

use super::entry::{Entry, Recorded, millis};

// Widths of the columns, in characters.
const REQUEST_ID: usize = 64;
const ENDPOINT: usize = 64;
const MODEL: usize = 100;
const OWNER: usize = 64;
const ERROR_CODE: usize = 40;

/// Requests that are written together or not at all.
///
/// The ids of the rows are given here, once: a batch that is written again because nobody knows what became of its
/// commit meets its own rows and adds nothing.
#[derive(Debug)]
pub(super) struct Batch {
    rows: Vec<request_log::Model>,
    hours: Vec<usage_hour::Model>,
    spans: Spans,
}

impl Batch {
    pub(super) fn new(entries: Vec<Recorded>) -> Self {
        let mut hours: BTreeMap<(i64, String, String), usage_hour::Model> = BTreeMap::new();
        let mut spans = Spans::default();
        let mut rows = Vec::with_capacity(entries.len());
        for recorded in entries {
            // Videos that jobs make count when they are made, whoever is shown them later.
            let videos = if recorded.entry.by_jobs { 0 } else { clamped(recorded.entry.videos) };
            let row = row(recorded);
            let key = (usage_hour::hour_of(row.at), row.model.clone(), row.owner.clone());
            let hour = hours
                .entry(key)
                .or_insert_with_key(|(hour, model, owner)| usage_hour::Model::empty(*hour, model, owner));
            add(hour, &row);
            hour.videos += i64::from(videos);
            spans.add(row.at, &row.model, &row.owner, &figures(&row, videos));
            rows.push(row);
        }
        Self { rows, hours: hours.into_values().collect(), spans }
    }

    pub(super) fn rows(&self) -> &[request_log::Model] {
        &self.rows
    }

    /// Writes everything in one transaction, unless that was done before.
    ///
    /// # Errors
    /// When the database does not answer or refuses. Whether the batch is written is unknown then: try again.
    pub(super) async fn write(&self, db: &DatabaseConnection) -> Result<(), DbErr> {
        let Some(first) = self.rows.first() else { return Ok(()) };
        let work = begin_write(db).await?;
        // The rows come first: where an earlier try of this batch is still being committed, this waits for it.
        if let Err(error) = request_log::insert(&*work, &self.rows).await {
            work.rollback().await?;
            let is_known = matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)));
            return if is_known && request_log::exists(db, first.id).await? { Ok(()) } else { Err(error) };
        }
        usage_hour::add(&*work, &self.hours).await?;
        self.spans.store(&*work).await?;
        work.commit().await
    }
}

fn row(recorded: Recorded) -> request_log::Model {
    let Recorded { entry, at } = recorded;
    request_log::Model {
        id: Uuid::now_v7(),
        at,
        request_id: cut(&entry.request_id, REQUEST_ID),
        endpoint: cut(&entry.endpoint, ENDPOINT),
        model: cut(&entry.model, MODEL),
        owner: cut(&entry.owner, OWNER),
        status: i32::from(entry.status),
        error_code: entry.error_code.map(|code| cut(code, ERROR_CODE)),
        streamed: entry.streamed,
        attempts: clamped(entry.attempts),
        account_id: entry.account,
        prompt_tokens: signed(entry.prompt_tokens),
        completion_tokens: signed(entry.completion_tokens),
        reasoning_tokens: signed(entry.reasoning_tokens),
        images: clamped(entry.images),
        videos: clamped(entry.videos),
        first_ms: first_ms(&entry),
        total_ms: millis(entry.total),
    }
}

fn first_ms(entry: &Entry) -> Option<i64> {
    entry.first.map(millis)
}

fn add(hour: &mut usage_hour::Model, row: &request_log::Model) {
    hour.requests += 1;
    hour.errors += i64::from(row.error_code.is_some());
    hour.prompt_tokens += row.prompt_tokens;
    hour.completion_tokens += row.completion_tokens;
    hour.reasoning_tokens += row.reasoning_tokens;
    hour.images += i64::from(row.images);
    hour.first_ms += row.first_ms.unwrap_or(0);
    hour.firsts += i64::from(row.first_ms.is_some());
    hour.total_ms += row.total_ms;
}

/// What one request adds to the spans it came in.
fn figures(row: &request_log::Model, videos: i32) -> Figures {
    let mut figures = Figures {
        requests: 1,
        errors: i64::from(row.error_code.is_some()),
        gone: i64::from(row.error_code.as_deref() == Some("client_gone")),
        prompt_tokens: row.prompt_tokens,
        completion_tokens: row.completion_tokens,
        reasoning_tokens: row.reasoning_tokens,
        images: row.images.into(),
        videos: videos.into(),
        ..Figures::default()
    };
    figures.total_times.record(row.total_ms);
    if let Some(first) = row.first_ms {
        figures.first_times.record(first);
    }
    figures.error_codes.extend(row.error_code.clone().map(|code| (code, 1)));
    figures
}

/// A text that fits its column: one that does not would hold up everything behind it.
fn cut(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

fn clamped(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Far more than any real figure, and far from an overflow of the sums.
const MOST: i64 = 1 << 40;

fn signed(count: u64) -> i64 {
    i64::try_from(count).map_or(MOST, |count| count.min(MOST))
}
