//! `[grok]`: how we deal with the Grok web service and who may use us.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::Settings;
use crate::spec::{Shape, Spec, accept};

/// `[grok]`: how we deal with the Grok web service and who may use us.
#[derive(Debug, Clone)]
pub struct GrokSettings {
    /// The key clients must send. At least 8 characters; empty when none is set.
    pub api_key: SecretString,
    /// Proxy for calls to the upstream (`http`, `https`, `socks5`, `socks5h`); empty for none.
    pub proxy_url: SecretString,
    /// Proxy for fetching pictures and videos; empty means `proxy_url`.
    pub cache_proxy_url: SecretString,
    /// Value of the `cf_clearance` cookie, without its name; empty for none.
    pub cf_clearance: SecretString,
    /// Value of the `x-statsig-id` header; empty for none.
    pub x_statsig_id: SecretString,
    /// Elements kept out of answers: names separated by commas, without blanks.
    pub filtered_tags: String,
    /// Longest silence inside an answer, in seconds. Default 120; 1 to 3600.
    pub stream_chunk_timeout: u64,
    /// Longest duration of an answer, in seconds. Default 600; 0 means no limit, at most 86 400.
    pub stream_total_timeout: u64,
    /// Longest wait for the first sign of an answer, in seconds. Default 30; 1 to 3600.
    pub stream_first_response_timeout: u64,
    /// Whether conversations are kept out of the account's history. Default true.
    pub temporary: bool,
    /// Whether the model's reasoning is shown at all. Default true.
    pub show_thinking: bool,
}

impl Default for GrokSettings {
    fn default() -> Self {
        Self {
            api_key: SecretString::default(),
            proxy_url: SecretString::default(),
            cache_proxy_url: SecretString::default(),
            cf_clearance: SecretString::default(),
            x_statsig_id: SecretString::default(),
            filtered_tags: "xaiartifact,xai:tool_usage_card,grok:render".to_owned(),
            stream_chunk_timeout: 120,
            stream_total_timeout: 600,
            stream_first_response_timeout: 30,
            temporary: true,
            show_thinking: true,
        }
    }
}

pub(super) const SPECS: &[Spec<Settings>] = &[
    Spec {
        key: "grok.api_key",
        doc: "The key clients must send: 8 to 256 visible characters. `grok2api key create` makes a good one.",
        shape: Shape::Text,
        secret: true,
        read: |settings| json!(settings.grok.api_key.expose_secret()),
        write: |settings, value| accept::client_key(value).map(|key| settings.grok.api_key = key),
    },
    Spec {
        key: "grok.proxy_url",
        doc: "Proxy for calls to the upstream (http, https, socks5, socks5h); empty for none.",
        shape: Shape::Text,
        secret: true,
        read: |settings| json!(settings.grok.proxy_url.expose_secret()),
        write: |settings, value| accept::proxy_url(value).map(|url| settings.grok.proxy_url = url),
    },
    Spec {
        key: "grok.cache_proxy_url",
        doc: "Proxy for fetching pictures and videos; empty means grok.proxy_url.",
        shape: Shape::Text,
        secret: true,
        read: |settings| json!(settings.grok.cache_proxy_url.expose_secret()),
        write: |settings, value| accept::proxy_url(value).map(|url| settings.grok.cache_proxy_url = url),
    },
    Spec {
        key: "grok.cf_clearance",
        doc: "Value of the cf_clearance cookie, with or without its name; empty for none.",
        shape: Shape::Text,
        secret: true,
        read: |settings| json!(settings.grok.cf_clearance.expose_secret()),
        write: |settings, value| accept::cookie_value(value, "cf_clearance").map(|it| settings.grok.cf_clearance = it),
    },
    Spec {
        key: "grok.x_statsig_id",
        doc: "Value of the x-statsig-id header; empty for none.",
        shape: Shape::Text,
        secret: true,
        read: |settings| json!(settings.grok.x_statsig_id.expose_secret()),
        write: |settings, value| accept::header_value(value).map(|it| settings.grok.x_statsig_id = it),
    },
    Spec {
        key: "grok.filtered_tags",
        doc: "Elements kept out of answers: names separated by commas.",
        shape: Shape::Text,
        secret: false,
        read: |settings| json!(settings.grok.filtered_tags),
        write: |settings, value| accept::element_names(value).map(|names| settings.grok.filtered_tags = names),
    },
    Spec {
        key: "grok.stream_chunk_timeout",
        doc: "Longest silence inside an answer, in seconds (1 to 3600).",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.grok.stream_chunk_timeout),
        write: |settings, value| accept::whole(value, 1, 3600).map(|secs| settings.grok.stream_chunk_timeout = secs),
    },
    Spec {
        key: "grok.stream_total_timeout",
        doc: "Longest duration of an answer, in seconds (0 for no limit, at most 86400).",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.grok.stream_total_timeout),
        write: |settings, value| accept::whole(value, 0, 86_400).map(|secs| settings.grok.stream_total_timeout = secs),
    },
    Spec {
        key: "grok.stream_first_response_timeout",
        doc: "Longest wait for the first sign of an answer, in seconds (1 to 3600).",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.grok.stream_first_response_timeout),
        write: |settings, value| {
            accept::whole(value, 1, 3600).map(|secs| settings.grok.stream_first_response_timeout = secs)
        },
    },
    Spec {
        key: "grok.temporary",
        doc: "Keep conversations out of the account's history.",
        shape: Shape::Flag,
        secret: false,
        read: |settings| json!(settings.grok.temporary),
        write: |settings, value| accept::flag(value).map(|on| settings.grok.temporary = on),
    },
    Spec {
        key: "grok.show_thinking",
        doc: "Show the model's reasoning at all; chat.reasoning_format says how.",
        shape: Shape::Flag,
        secret: false,
        read: |settings| json!(settings.grok.show_thinking),
        write: |settings, value| accept::flag(value).map(|on| settings.grok.show_thinking = on),
    },
];
