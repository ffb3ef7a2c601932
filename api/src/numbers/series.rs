//! `GET /api/stats/series`: what plots are drawn of.

use grok2api_entity::usage_span::{self, Figures, Of};
use grok2api_entity::{clock, gauge_minute};
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::query::text;
use super::range::Range;
use crate::access::Admin;
use crate::error::ApiError;
use crate::state::AppState;
use crate::tags::Tag;

/// Figures over time.
pub(crate) struct SeriesApi;

/// Figures over time, point by point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct Series {
    /// `series`
    pub object: &'static str,
    /// How far back it goes: `15m`, `1h`, `6h`, `24h`, `7d`, `30d` or `90d`.
    pub range: &'static str,
    /// Length of a point in seconds.
    pub step_secs: i64,
    /// Begin of the first point, in Unix milliseconds.
    pub from_ms: i64,
    /// End of the last point, which is not over yet, in Unix milliseconds.
    pub to_ms: i64,
    /// One for each step, also where nothing happened.
    pub points: Vec<Point>,
    /// How the pool and the queue stood, as far as it is on record.
    pub gauges: Vec<Gauge>,
}

/// What happened within one step. Times are those of 50, 95 and 99 of 100 requests, to a tenth, in milliseconds; null where
/// nothing was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct Point {
    /// Its begin, in Unix milliseconds.
    pub at_ms: i64,
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
    /// Estimated.
    pub reasoning_tokens: i64,
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

/// How the pool and the queue stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct Gauge {
    /// When, in Unix milliseconds.
    pub at_ms: i64,
    /// Accounts in service with something left.
    pub accounts_active: i64,
    /// Accounts in service of which nothing is known yet.
    pub accounts_unused: i64,
    /// Accounts that have nothing left.
    pub accounts_limited: i64,
    /// Accounts that rest after a refusal.
    pub accounts_cooling: i64,
    /// Accounts that the upstream refuses.
    pub accounts_expired: i64,
    /// Accounts that the operator switched off.
    pub accounts_disabled: i64,
    /// Jobs that waited.
    pub queued: i64,
    /// Jobs that a worker had.
    pub running: i64,
}

#[OpenApi(prefix_path = "/api/stats", tag = "Tag::Numbers")]
impl SeriesApi {
    /// Retrieve figures over time: requests, errors, times, tokens, the pool and the queue.
    #[oai(path = "/series", method = "get", operation_id = "retrieve_series")]
    async fn series(
        &self,
        state: Data<&AppState>,
        _admin: Admin,
        /// `15m`, `1h` (the default), `6h`, `24h`, `7d`, `30d` or `90d`.
        range: Query<Option<String>>,
        /// Only for this model.
        model: Query<Option<String>>,
        /// Only of the client key whose requests are filed under this.
        owner: Query<Option<String>>,
    ) -> Result<Json<Series>, ApiError> {
        let range = Range::parse(range.0.as_deref())?;
        let (model, owner) = (text("model", model.0)?, text("owner", owner.0)?);
        let of = match (model.as_deref(), owner.as_deref()) {
            (None, None) => Of::All,
            (Some(model), None) => Of::Model(model),
            (None, Some(owner)) => Of::Owner(owner),
            (Some(_), Some(_)) => {
                let message = "Figures are kept by model and by key, not by both: send one of them.";
                return Err(ApiError::invalid("owner", "invalid_value", message));
            }
        };
        let (from, to) = range.around(clock::read(&state.db).await?);
        let spans = usage_span::between(&state.db, range.recorded_secs, of, from, to).await?;
        let gauges = gauge_minute::between(&state.db, from, to, range.step_ms()).await?;
        Ok(Json(Series {
            object: "series",
            range: range.name,
            step_secs: range.step_secs,
            from_ms: from,
            to_ms: to,
            points: points(&spans, from, to, range.step_ms()),
            gauges: gauges.into_iter().map(Gauge::from).collect(),
        }))
    }
}

/// Spans, which are in order, gathered into points without a gap.
fn points(spans: &[usage_span::Model], from: i64, to: i64, step_ms: i64) -> Vec<Point> {
    let mut spans = spans.iter().peekable();
    let mut points = Vec::new();
    let mut at = from;
    while at < to {
        let mut sum = Figures::default();
        while let Some(span) = spans.next_if(|span| span.at < at + step_ms) {
            sum.add(&Figures::from(span));
        }
        points.push(Point::new(at, &sum));
        at += step_ms;
    }
    points
}

impl Point {
    fn new(at_ms: i64, sum: &Figures) -> Self {
        Self {
            at_ms,
            requests: sum.requests,
            errors: sum.errors - sum.gone,
            client_gone: sum.gone,
            prompt_tokens: sum.prompt_tokens,
            completion_tokens: sum.completion_tokens,
            reasoning_tokens: sum.reasoning_tokens,
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

impl From<gauge_minute::Model> for Gauge {
    fn from(row: gauge_minute::Model) -> Self {
        Self {
            at_ms: row.at,
            accounts_active: row.accounts_active,
            accounts_unused: row.accounts_unused,
            accounts_limited: row.accounts_limited,
            accounts_cooling: row.accounts_cooling,
            accounts_expired: row.accounts_expired,
            accounts_disabled: row.accounts_disabled,
            queued: row.queued,
            running: row.running,
        }
    }
}
