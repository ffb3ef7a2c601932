//! `[image]`: how pictures are drawn.

use serde_json::json;

use super::Settings;
use crate::spec::{Shape, Spec, accept};

/// `[image]`: how pictures are drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSettings {
    /// The model of the table that draws when a request for pictures names none. Default `grok-3-fast`, the cheapest.
    pub model: String,
    /// Longest time for one drawing turn, in seconds. Default 300; 10 to 86 400.
    pub total_timeout: u64,
}

impl Default for ImageSettings {
    fn default() -> Self {
        Self { model: "grok-3-fast".to_owned(), total_timeout: 300 }
    }
}

pub(super) const SPECS: &[Spec<Settings>] = &[
    Spec {
        key: "image.model",
        doc: "The model of the table that draws when a request for pictures names none.",
        shape: Shape::Text,
        secret: false,
        read: |settings| json!(settings.image.model),
        write: |settings, value| accept::model_id(value).map(|model| settings.image.model = model),
    },
    Spec {
        key: "image.total_timeout",
        doc: "Longest time for one drawing turn, in seconds (10 to 86400).",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.image.total_timeout),
        write: |settings, value| accept::whole(value, 10, 86_400).map(|secs| settings.image.total_timeout = secs),
    },
];
