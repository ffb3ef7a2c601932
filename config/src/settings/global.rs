//! `[global]`: how we present ourselves.

use std::fmt;

use serde_json::json;

use super::Settings;
use crate::spec::{Refusal, Shape, Spec, accept};

/// `[global]`: how we present ourselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalSettings {
    /// Our own public address, put before the paths of pictures and videos. No trailing slash. Default empty: relative paths.
    pub base_url: String,
    /// Least important log level that is written. Default `INFO`.
    pub log_level: LogLevel,
    /// How pictures stand in an answer. Default `url`.
    pub image_mode: ImageMode,
    /// Room for cached pictures, in MiB. Default 512; 1 to 1 048 576.
    pub image_cache_max_size_mb: u64,
    /// Room for cached videos, in MiB. Default 1024; 1 to 1 048 576.
    pub video_cache_max_size_mb: u64,
}

/// How important a log line must be to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Everything, for looking into a problem.
    Debug,
    /// The normal course of things.
    Info,
    /// Something was odd, and we coped.
    Warning,
    /// A person has to act.
    Error,
}

/// How pictures stand in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageMode {
    /// As links to our own `/images/…`.
    Url,
    /// As `data:` addresses that hold the bytes.
    Base64,
}

impl Default for GlobalSettings {
    fn default() -> Self {
        Self {
            base_url: String::new(),
            log_level: LogLevel::Info,
            image_mode: ImageMode::Url,
            image_cache_max_size_mb: 512,
            video_cache_max_size_mb: 1024,
        }
    }
}

impl LogLevel {
    const NAMES: &'static [&'static str] = &["DEBUG", "INFO", "WARNING", "ERROR"];

    /// The level of that name, in any case; `WARN` and `CRITICAL` are understood too.
    pub fn parse(name: &str) -> Option<Self> {
        match name.trim().to_ascii_uppercase().as_str() {
            "DEBUG" => Some(Self::Debug),
            "INFO" => Some(Self::Info),
            "WARNING" | "WARN" => Some(Self::Warning),
            "ERROR" | "CRITICAL" => Some(Self::Error),
            _ => None,
        }
    }

    /// The name as the old gateway spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ImageMode {
    const NAMES: &'static [&'static str] = &["url", "base64"];

    /// The mode of that name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "url" => Some(Self::Url),
            "base64" => Some(Self::Base64),
            _ => None,
        }
    }

    /// The name as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Base64 => "base64",
        }
    }
}

pub(super) const SPECS: &[Spec<Settings>] = &[
    Spec {
        key: "global.base_url",
        doc: "Our own public address (http or https), put before the paths of pictures and videos; empty for relative paths.",
        shape: Shape::Text,
        secret: false,
        read: |settings| json!(settings.global.base_url),
        write: |settings, value| accept::base_url(value).map(|url| settings.global.base_url = url),
    },
    Spec {
        key: "global.log_level",
        doc: "Least important log level that is written.",
        shape: Shape::Choice(LogLevel::NAMES),
        secret: false,
        read: |settings| json!(settings.global.log_level.as_str()),
        write: |settings, value| {
            settings.global.log_level =
                LogLevel::parse(accept::text(value)?).ok_or(Refusal::NotOneOf(LogLevel::NAMES))?;
            Ok(())
        },
    },
    Spec {
        key: "global.image_mode",
        doc: "How pictures stand in an answer: as links to this server, or as data: addresses.",
        shape: Shape::Choice(ImageMode::NAMES),
        secret: false,
        read: |settings| json!(settings.global.image_mode.as_str()),
        write: |settings, value| {
            settings.global.image_mode =
                ImageMode::parse(accept::text(value)?).ok_or(Refusal::NotOneOf(ImageMode::NAMES))?;
            Ok(())
        },
    },
    Spec {
        key: "global.image_cache_max_size_mb",
        doc: "Room for cached pictures, in MiB (1 to 1048576).",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.global.image_cache_max_size_mb),
        write: |settings, value| {
            accept::whole(value, 1, 1 << 20).map(|mb| settings.global.image_cache_max_size_mb = mb)
        },
    },
    Spec {
        key: "global.video_cache_max_size_mb",
        doc: "Room for cached videos, in MiB (1 to 1048576).",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.global.video_cache_max_size_mb),
        write: |settings, value| {
            accept::whole(value, 1, 1 << 20).map(|mb| settings.global.video_cache_max_size_mb = mb)
        },
    },
];
