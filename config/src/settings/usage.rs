//! `[usage]`: what is kept about requests.

use serde_json::json;

use super::Settings;
use crate::spec::{Shape, Spec, accept};

/// `[usage]`: what is kept about requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageSettings {
    /// How long single requests are kept, in days; the sums of each hour stay. Default 30; 1 to 3650.
    pub keep_requests_days: u32,
}

impl Default for UsageSettings {
    fn default() -> Self {
        Self { keep_requests_days: 30 }
    }
}

pub(super) const SPECS: &[Spec<Settings>] = &[Spec {
    key: "usage.keep_requests_days",
    doc: "How long single requests are kept, in days (1 to 3650); the sums of each hour stay.",
    shape: Shape::Whole,
    secret: false,
    read: |settings| json!(settings.usage.keep_requests_days),
    write: |settings, value| accept::whole(value, 1, 3650).map(|days| settings.usage.keep_requests_days = days),
}];
