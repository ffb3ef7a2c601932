//! `[jobs]`: durable work.

use serde_json::json;

use super::Settings;
use crate::spec::{Shape, Spec, accept};

/// `[jobs]`: durable work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSettings {
    /// Jobs of one kind that may wait. Default 100 000; 1 to 10 000 000.
    pub max_queued: u64,
    /// Jobs of one kind that may wait for one client key. Default 10 000; 1 to 10 000 000.
    pub max_queued_per_key: u64,
    /// Days that finished requests for pictures and videos are kept. Default 30; 1 to 3650.
    pub keep_days: u64,
    /// Whether a job whose paid call may or may not have counted is sent once more, instead of failing. Default false.
    pub resubmit_unknown: bool,
}

impl Default for JobSettings {
    fn default() -> Self {
        Self { max_queued: 100_000, max_queued_per_key: 10_000, keep_days: 30, resubmit_unknown: false }
    }
}

pub(super) const SPECS: &[Spec<Settings>] = &[
    Spec {
        key: "jobs.max_queued",
        doc: "Jobs of one kind that may wait (1 to 10000000).",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.jobs.max_queued),
        write: |settings, value| accept::whole(value, 1, 10_000_000).map(|most| settings.jobs.max_queued = most),
    },
    Spec {
        key: "jobs.max_queued_per_key",
        doc: "Jobs of one kind that may wait for one client key (1 to 10000000).",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.jobs.max_queued_per_key),
        write: |settings, value| {
            accept::whole(value, 1, 10_000_000).map(|most| settings.jobs.max_queued_per_key = most)
        },
    },
    Spec {
        key: "jobs.keep_days",
        doc: "Days that finished requests for pictures and videos are kept (1 to 3650).",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.jobs.keep_days),
        write: |settings, value| accept::whole(value, 1, 3650).map(|days| settings.jobs.keep_days = days),
    },
    Spec {
        key: "jobs.resubmit_unknown",
        doc: "Send a job once more whose paid call may or may not have counted, instead of failing it.",
        shape: Shape::Flag,
        secret: false,
        read: |settings| json!(settings.jobs.resubmit_unknown),
        write: |settings, value| accept::flag(value).map(|on| settings.jobs.resubmit_unknown = on),
    },
];
