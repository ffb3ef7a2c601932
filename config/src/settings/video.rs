//! `[video]`: how videos are made.

use serde_json::json;

use super::Settings;
use crate::spec::{Refusal, Shape, Spec, accept};

/// `[video]`: how videos are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoSettings {
    /// The model of the table that films when a request for a video names none. Default `grok-imagine-0.9`.
    pub model: String,
    /// Whether a length or size that cannot be chosen is ignored instead of refused. Default false.
    pub lenient: bool,
    /// The words that tell how far a video is, in a chat. Default `plain`.
    pub progress_wording: ProgressWording,
    /// Longest time for one video, in seconds. Default 1800 (F52); 10 to 86 400.
    pub total_timeout: u64,
}

/// The words that tell how far a video is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProgressWording {
    /// `Video: 37 %`
    Plain,
    /// Those of the gateway that this one replaces.
    Seed,
}

impl ProgressWording {
    const NAMES: &'static [&'static str] = &["plain", "seed"];

    /// The wording of that name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "plain" => Some(Self::Plain),
            "seed" => Some(Self::Seed),
            _ => None,
        }
    }

    /// The name as the operator writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Seed => "seed",
        }
    }
}

impl Default for VideoSettings {
    fn default() -> Self {
        Self {
            model: "grok-imagine-0.9".to_owned(),
            lenient: false,
            progress_wording: ProgressWording::Plain,
            total_timeout: 1800,
        }
    }
}

pub(super) const SPECS: &[Spec<Settings>] = &[
    Spec {
        key: "video.model",
        doc: "The model of the table that films when a request for a video names none.",
        shape: Shape::Text,
        secret: false,
        read: |settings| json!(settings.video.model),
        write: |settings, value| accept::model_id(value).map(|model| settings.video.model = model),
    },
    Spec {
        key: "video.lenient",
        doc: "Ignore a length or size of a video that cannot be chosen, instead of refusing it.",
        shape: Shape::Flag,
        secret: false,
        read: |settings| json!(settings.video.lenient),
        write: |settings, value| accept::flag(value).map(|on| settings.video.lenient = on),
    },
    Spec {
        key: "video.progress_wording",
        doc: "The words that tell how far a video is, in a chat: plain, or those of the old gateway.",
        shape: Shape::Choice(ProgressWording::NAMES),
        secret: false,
        read: |settings| json!(settings.video.progress_wording.as_str()),
        write: |settings, value| {
            settings.video.progress_wording =
                ProgressWording::parse(accept::text(value)?).ok_or(Refusal::NotOneOf(ProgressWording::NAMES))?;
            Ok(())
        },
    },
    Spec {
        key: "video.total_timeout",
        doc: "Longest time for one video, in seconds (10 to 86400).",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.video.total_timeout),
        write: |settings, value| accept::whole(value, 10, 86_400).map(|secs| settings.video.total_timeout = secs),
    },
];
