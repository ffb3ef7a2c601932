//! Requests that are written together: their rows, and what they add to the hours.

use std::collections::BTreeMap;

use grok2api_entity::connect::begin_write;
use grok2api_entity::{request_log, usage_hour};
use sea_orm::{DatabaseConnection, DbErr, SqlErr};
use uuid::Uuid;

use super::entry::{Entry, Recorded, millis};

const HOUR_MS: i64 = 3_600_000;
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
}

impl Batch {
    pub(super) fn new(entries: Vec<Recorded>) -> Self {
        let rows: Vec<_> = entries.into_iter().map(row).collect();
        let mut hours: BTreeMap<(i64, String, String), usage_hour::Model> = BTreeMap::new();
        for row in &rows {
            let key = (row.at - row.at.rem_euclid(HOUR_MS), row.model.clone(), row.owner.clone());
            let hour = hours.entry(key).or_insert_with_key(empty_hour);
            add(hour, row);
        }
        Self { rows, hours: hours.into_values().collect() }
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
        if let Err(error) = request_log::insert(&work, &self.rows).await {
            work.rollback().await?;
            let is_known = matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)));
            return if is_known && request_log::exists(db, first.id).await? { Ok(()) } else { Err(error) };
        }
        usage_hour::add(&work, &self.hours).await?;
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

fn empty_hour((hour, model, owner): &(i64, String, String)) -> usage_hour::Model {
    usage_hour::Model {
        hour: *hour,
        model: model.clone(),
        owner: owner.clone(),
        requests: 0,
        errors: 0,
        prompt_tokens: 0,
        completion_tokens: 0,
        reasoning_tokens: 0,
        images: 0,
        videos: 0,
        first_ms: 0,
        firsts: 0,
        total_ms: 0,
    }
}

fn add(hour: &mut usage_hour::Model, row: &request_log::Model) {
    hour.requests += 1;
    hour.errors += i64::from(row.error_code.is_some());
    hour.prompt_tokens += row.prompt_tokens;
    hour.completion_tokens += row.completion_tokens;
    hour.reasoning_tokens += row.reasoning_tokens;
    hour.images += i64::from(row.images);
    hour.videos += i64::from(row.videos);
    hour.first_ms += row.first_ms.unwrap_or(0);
    hour.firsts += i64::from(row.first_ms.is_some());
    hour.total_ms += row.total_ms;
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
