//! `[log]`: how log lines look.

use serde_json::json;

use super::StartUp;
use crate::spec::{Refusal, Shape, Spec, accept};

/// `[log]`: how log lines look. Their level is a runtime setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// Shape of a line. Default `auto`.
    pub format: LogFormat,
    /// Whether lines for people are coloured on a terminal. Default true; `NO_COLOR` switches it off.
    pub color: bool,
    /// Directives that replace the runtime log level, in the form of `RUST_LOG`. Default none.
    pub filter: Option<String>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Auto, color: true, filter: None }
    }
}

/// Shape of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum LogFormat {
    /// `Pretty` on a terminal, else `Json`.
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    const NAMES: &'static [&'static str] = &["auto", "pretty", "json"];

    /// The format of that name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "auto" => Some(Self::Auto),
            "pretty" => Some(Self::Pretty),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    /// The name as the operator writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Pretty => "pretty",
            Self::Json => "json",
        }
    }
}

pub(super) const SPECS: &[Spec<StartUp>] = &[
    Spec {
        key: "log.format",
        doc: "Shape of log lines: for people, JSON, or auto (people on a terminal, else JSON).",
        shape: Shape::Choice(LogFormat::NAMES),
        secret: false,
        read: |startup| json!(startup.log.format.as_str()),
        write: |startup, value| {
            startup.log.format = LogFormat::parse(accept::text(value)?).ok_or(Refusal::NotOneOf(LogFormat::NAMES))?;
            Ok(())
        },
    },
    Spec {
        key: "log.color",
        doc: "Colour log lines for people on a terminal.",
        shape: Shape::Flag,
        secret: false,
        read: |startup| json!(startup.log.color),
        write: |startup, value| accept::flag(value).map(|on| startup.log.color = on),
    },
    Spec {
        key: "log.filter",
        doc: "Directives that replace global.log_level, in the form of RUST_LOG.",
        shape: Shape::Text,
        secret: false,
        read: |startup| json!(startup.log.filter),
        write: |startup, value| {
            let text = accept::text(value)?.trim();
            startup.log.filter = (!text.is_empty()).then(|| text.to_owned());
            Ok(())
        },
    },
];
