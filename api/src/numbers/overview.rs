//! `GET /api/stats/overview`: the figures of a range at a glance, beside those of the time before.

use grok2api_entity::usage_span::{self, Column, Figures, Of, Share};
use grok2api_entity::{clock, usage_span::STEPS};
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use sea_orm::{DatabaseConnection, DbErr};
use serde::Serialize;

use super::object::KeyNames;
use super::range::Range;
use crate::access::Admin;
use crate::error::ApiError;
use crate::state::AppState;
use crate::tags::Tag;

/// Lines of a list of those with the most.
const TOP: usize = 10;

/// Figures at a glance.
pub(crate) struct OverviewApi;

/// The figures of a range at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct Overview {
    /// `overview`
    pub object: &'static str,
    /// `15m`, `1h`, `6h`, `24h`, `7d`, `30d` or `90d`.
    pub range: &'static str,
    /// Its begin, in Unix milliseconds.
    pub from_ms: i64,
    /// Its end, in Unix milliseconds.
    pub to_ms: i64,
    /// Its length in minutes, by which rates can be computed.
    pub minutes: i64,
    /// Requests of the last whole minute.
    pub requests_last_minute: i64,
    /// Its figures.
    pub now: Totals,
    /// The figures of a time of the same length before it; all zero where nothing is on record.
    pub previous: Totals,
    /// Models with the most requests, at most ten.
    pub top_models: Vec<Top>,
    /// Client keys with the most requests, at most ten.
    pub top_keys: Vec<Top>,
    /// What went wrong most often, at most ten.
    pub top_errors: Vec<TopError>,
}

/// Figures of some time. Times are those of 50, 95 and 99 of 100 requests, to a tenth, in milliseconds; null where nothing
/// was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct Totals {
    /// Requests answered, well or not.
    pub requests: i64,
    /// Of these, with an error, without those whose client went away.
    pub errors: i64,
    /// Of these, those whose client did not wait for the end.
    pub client_gone: i64,
    /// Estimated.
    pub prompt_tokens: i64,
    /// Estimated; reasoning included.
    pub completion_tokens: i64,
    /// Pictures delivered.
    pub images: i64,
    /// Videos made.
    pub videos: i64,
    /// From the request to the end of the answer.
    #[oai(nullable)]
    pub latency_p50_ms: Option<i64>,
    /// From the request to the end of the answer.
    #[oai(nullable)]
    pub latency_p95_ms: Option<i64>,
    /// From the request to the end of the answer.
    #[oai(nullable)]
    pub latency_p99_ms: Option<i64>,
    /// From the request to the first event.
    #[oai(nullable)]
    pub first_p50_ms: Option<i64>,
    /// From the request to the first event.
    #[oai(nullable)]
    pub first_p95_ms: Option<i64>,
    /// From the request to the first event.
    #[oai(nullable)]
    pub first_p99_ms: Option<i64>,
}

/// A model or client key with many requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct Top {
    /// The model's id, or what the key's requests are filed under.
    pub id: String,
    /// What the operator calls the key; null for models, for the key of the settings, and for one that is no more.
    #[oai(nullable)]
    pub name: Option<String>,
    /// Requests answered.
    pub requests: i64,
    /// Of these, with an error or without their client.
    pub errors: i64,
    /// Estimated; of prompts and answers together.
    pub tokens: i64,
}

/// Something that went wrong often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct TopError {
    /// For programs, from a closed list.
    pub code: String,
    /// How often.
    pub count: u64,
}

#[OpenApi(prefix_path = "/api/stats", tag = "Tag::Numbers")]
impl OverviewApi {
    /// Retrieve the figures of a range at a glance.
    #[oai(path = "/overview", method = "get", operation_id = "retrieve_overview")]
    async fn overview(
        &self,
        state: Data<&AppState>,
        _admin: Admin,
        /// `15m`, `1h` (the default), `6h`, `24h`, `7d`, `30d` or `90d`.
        range: Query<Option<String>>,
    ) -> Result<Json<Overview>, ApiError> {
        let range = Range::parse(range.0.as_deref())?;
        let db = &state.db;
        let now = clock::read(db).await?;
        let (from, to) = range.around(now);
        let sum = sum(db, range, (from, to)).await?;
        let names = KeyNames::read(db).await?;
        let top = TOP as u64;
        let models = usage_span::most(db, Column::Model, range.recorded_secs, from, to, top).await?;
        let keys = usage_span::most(db, Column::Owner, range.recorded_secs, from, to, top).await?;
        Ok(Json(Overview {
            object: "overview",
            range: range.name,
            from_ms: from,
            to_ms: to,
            minutes: range.minutes(),
            requests_last_minute: last_minute(db, now).await?,
            top_errors: top_errors(&sum),
            now: Totals::from(&sum),
            previous: Totals::from(&self::sum(db, range, range.before(now)).await?),
            top_models: models.into_iter().map(|share| Top::new(share, None)).collect(),
            top_keys: keys
                .into_iter()
                .map(|share| {
                    let name = names.of(&share.name);
                    Top::new(share, name)
                })
                .collect(),
        }))
    }
}

async fn sum(db: &DatabaseConnection, range: Range, (from, to): (i64, i64)) -> Result<Figures, DbErr> {
    let spans = usage_span::between(db, range.recorded_secs, Of::All, from, to).await?;
    Ok(spans.iter().fold(Figures::default(), |mut sum, span| {
        sum.add(&Figures::from(span));
        sum
    }))
}

async fn last_minute(db: &DatabaseConnection, now: i64) -> Result<i64, DbErr> {
    let this = usage_span::begin_of(now, STEPS[0]);
    let spans = usage_span::between(db, STEPS[0], Of::All, this - 60_000, this).await?;
    Ok(spans.iter().map(|span| span.requests).sum())
}

fn top_errors(sum: &Figures) -> Vec<TopError> {
    let mut errors: Vec<TopError> =
        sum.error_codes.iter().map(|(code, count)| TopError { code: code.clone(), count: *count }).collect();
    errors.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.code.cmp(&other.code)));
    errors.truncate(TOP);
    errors
}

impl Top {
    fn new(share: Share, name: Option<String>) -> Self {
        Self { id: share.name, name, requests: share.requests, errors: share.errors, tokens: share.tokens }
    }
}

impl From<&Figures> for Totals {
    fn from(sum: &Figures) -> Self {
        Self {
            requests: sum.requests,
            errors: sum.errors - sum.gone,
            client_gone: sum.gone,
            prompt_tokens: sum.prompt_tokens,
            completion_tokens: sum.completion_tokens,
            images: sum.images,
            videos: sum.videos,
            latency_p50_ms: sum.total_times.quantile(50),
            latency_p95_ms: sum.total_times.quantile(95),
            latency_p99_ms: sum.total_times.quantile(99),
            first_p50_ms: sum.first_times.quantile(50),
            first_p95_ms: sum.first_times.quantile(95),
            first_p99_ms: sum.first_times.quantile(99),
        }
    }
}
