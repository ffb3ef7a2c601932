//! `[schedules]`: what becomes due by itself, and how often.

use serde_json::json;

use super::{Cadence, Settings};
use crate::spec::{Refusal, Shape, Spec, accept};

/// `[schedules]`: what becomes due by itself, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSettings {
    /// Tests of accounts that are suspect, cooled down, new, or not heard of for long. Default `every 10m`.
    pub token_test: Cadence,
    /// Readings of budgets that should be full again. Default `every 5m`.
    pub quota_reset: Cadence,
    /// Sums of the use by day, and removal of what is old. Default `7 * * * *`: each hour.
    pub stats_rollup: Cadence,
    /// Keeping the store of pictures and videos within its limits. Default `every 1m`.
    pub sweep_media: Cadence,
    /// Jobs begin up to so many seconds after they are due, at random, so that not all begin at once. Default 5; 0 to 3600.
    pub jitter_secs: u64,
    /// Days that it is kept on record what became due. Default 7; 1 to 3650.
    pub keep_ticks_days: u32,
}

impl Default for ScheduleSettings {
    fn default() -> Self {
        let cadence = |text| Cadence::parse(text).unwrap_or_else(|| unreachable!("{text} is a cadence"));
        Self {
            token_test: cadence("every 10m"),
            quota_reset: cadence("every 5m"),
            stats_rollup: cadence("7 * * * *"),
            sweep_media: cadence("every 1m"),
            jitter_secs: 5,
            keep_ticks_days: 7,
        }
    }
}

impl ScheduleSettings {
    /// The cadence of the schedule of that name, as in `schedules.token_test`; `None` when there is none.
    pub fn cadence(&self, name: &str) -> Option<&Cadence> {
        match name {
            "token_test" => Some(&self.token_test),
            "quota_reset" => Some(&self.quota_reset),
            "stats_rollup" => Some(&self.stats_rollup),
            "sweep_media" => Some(&self.sweep_media),
            _ => None,
        }
    }
}

fn cadence(value: &serde_json::Value) -> Result<Cadence, Refusal> {
    Cadence::parse(accept::text(value)?).ok_or(Refusal::Expected(Cadence::FORM))
}

pub(super) const SPECS: &[Spec<Settings>] = &[
    Spec {
        key: "schedules.token_test",
        doc: "How often accounts are tested that are suspect, cooled down, new, or not heard of for long.",
        shape: Shape::Text,
        secret: false,
        read: |settings| json!(settings.schedules.token_test.to_string()),
        write: |settings, value| cadence(value).map(|cadence| settings.schedules.token_test = cadence),
    },
    Spec {
        key: "schedules.quota_reset",
        doc: "How often budgets are read that should be full again.",
        shape: Shape::Text,
        secret: false,
        read: |settings| json!(settings.schedules.quota_reset.to_string()),
        write: |settings, value| cadence(value).map(|cadence| settings.schedules.quota_reset = cadence),
    },
    Spec {
        key: "schedules.stats_rollup",
        doc: "How often the use by day is summed up, and what is old removed.",
        shape: Shape::Text,
        secret: false,
        read: |settings| json!(settings.schedules.stats_rollup.to_string()),
        write: |settings, value| cadence(value).map(|cadence| settings.schedules.stats_rollup = cadence),
    },
    Spec {
        key: "schedules.sweep_media",
        doc: "How often the store of pictures and videos is brought within its limits.",
        shape: Shape::Text,
        secret: false,
        read: |settings| json!(settings.schedules.sweep_media.to_string()),
        write: |settings, value| cadence(value).map(|cadence| settings.schedules.sweep_media = cadence),
    },
    Spec {
        key: "schedules.jitter_secs",
        doc: "Jobs begin up to so many seconds after they are due, at random (0 to 3600).",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.schedules.jitter_secs),
        write: |settings, value| accept::whole(value, 0, 3600).map(|secs| settings.schedules.jitter_secs = secs),
    },
    Spec {
        key: "schedules.keep_ticks_days",
        doc: "Days that it is kept on record what became due (1 to 3650).",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.schedules.keep_ticks_days),
        write: |settings, value| accept::whole(value, 1, 3650).map(|days| settings.schedules.keep_ticks_days = days),
    },
];
