//! How a schedule looks to the operator.

use grok2api_config::Settings;
use grok2api_entity::job;
use grok2api_entity::schedule::{Model, Name};
use grok2api_queue::ticks::Tick;
use poem_openapi::Object;
use serde::Serialize;

/// All schedules.
#[derive(Debug, Clone, PartialEq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct ScheduleList {
    /// `list`
    pub object: &'static str,
    /// The schedules, always in the same order.
    pub data: Vec<Schedule>,
}

/// Something that becomes due by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct Schedule {
    /// `token_test`, `quota_reset`, `stats_rollup` or `sweep_media`.
    pub name: &'static str,
    /// `schedule`
    pub object: &'static str,
    /// How often, as the setting `schedules.{name}` says; cron expressions are in UTC.
    pub cadence: String,
    /// Whether it is stopped until it is resumed.
    pub paused: bool,
    /// Unix milliseconds; null when it is off or paused.
    #[oai(nullable)]
    pub next_at_ms: Option<i64>,
    /// Unix milliseconds: when it last became due or was run; null for never.
    #[oai(nullable)]
    pub last_at_ms: Option<i64>,
    /// The job of that time.
    #[oai(nullable)]
    pub last_job_id: Option<String>,
    /// `queued`, `running`, `completed`, `failed` or `cancelled`; null when the job is no longer on record.
    #[oai(nullable)]
    pub last_status: Option<&'static str>,
    /// Why that job failed.
    #[oai(nullable)]
    pub last_error: Option<String>,
}

/// A schedule that was run by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct Started {
    /// The schedule.
    pub name: &'static str,
    /// Its job.
    pub job_id: String,
    /// Unix milliseconds: the time it stands under on record.
    pub due_ms: i64,
}

impl Schedule {
    /// The schedule of a row, whose latest job is `job`, at `now` in Unix milliseconds.
    pub(crate) fn new(row: &Model, job: Option<&job::Model>, settings: &Settings, now: i64) -> Self {
        let cadence = settings.schedules.cadence(row.name.as_str());
        Self {
            name: row.name.as_str(),
            object: "schedule",
            cadence: cadence.map(ToString::to_string).unwrap_or_default(),
            paused: row.paused,
            next_at_ms: cadence.filter(|_| !row.paused).and_then(|cadence| cadence.next(now)),
            last_at_ms: row.last_tick_at,
            last_job_id: row.last_job_id.map(|id| id.to_string()),
            last_status: job.map(|job| job.state.as_str()),
            last_error: job.and_then(|job| job.error_message.clone()),
        }
    }
}

impl Started {
    pub(crate) fn new(name: Name, tick: Tick) -> Self {
        Self { name: name.as_str(), job_id: tick.job_id.to_string(), due_ms: tick.due_ms }
    }
}
