//! `[health]`: how accounts are tested in the background.

use serde_json::json;

use super::Settings;
use crate::spec::{Shape, Spec, accept};

/// `[health]`: how accounts are tested in the background.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthSettings {
    /// Accounts that one job asks about, one after the other. Default 20; 1 to 1000.
    pub batch: u64,
    /// Hours after which an account that nothing was heard of is tested. Default 24; 0 to 8760, 0 for never.
    pub stale_hours: u32,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self { batch: 20, stale_hours: 24 }
    }
}

pub(super) const SPECS: &[Spec<Settings>] = &[
    Spec {
        key: "health.batch",
        doc: "Accounts that one job asks the upstream about, one after the other (1 to 1000).",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.health.batch),
        write: |settings, value| accept::whole(value, 1, 1000).map(|most| settings.health.batch = most),
    },
    Spec {
        key: "health.stale_hours",
        doc: "Hours after which an account that nothing was heard of is tested (0 to 8760); 0 for never.",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.health.stale_hours),
        write: |settings, value| accept::whole(value, 0, 8760).map(|hours| settings.health.stale_hours = hours),
    },
];
