//! `[upstream]`: how we reach Grok.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::json;
use url::Url;

use super::StartUp;
use crate::spec::{Shape, Spec, accept};

/// `[upstream]`: how we reach Grok.
#[derive(Clone)]
pub struct UpstreamConfig {
    /// Where chat calls go, no trailing slash in its path. Default `https://grok.com`; plain `http` only to loopback (C7).
    pub base_url: Url,
    /// Where pictures and videos lie. Default `https://assets.grok.com`; plain `http` only to loopback (C7).
    pub assets_base_url: Url,
    /// Value of the `User-Agent` header. Default `grok2api/` and our version.
    pub user_agent: String,
    /// Headers added to each upstream call, by name in lower case.
    pub extra_headers: BTreeMap<String, String>,
    /// Longest wait for a connection, in milliseconds. Default 10 000; 100 to 300 000.
    pub connect_timeout_ms: u64,
    /// Longest wait for a whole short answer (upload, rate limits), in milliseconds. Default 30 000; 100 to 600 000.
    pub request_timeout_ms: u64,
    /// Longest line of an answer stream, in bytes. Default 8 388 608; 65 536 to 268 435 456.
    pub max_line_bytes: usize,
    /// Largest answer stream, in bytes. Default 268 435 456; 1 048 576 to 17 179 869 184.
    pub max_answer_bytes: u64,
    /// Most bytes that one received byte may inflate to. Default 200; 2 to 10 000.
    pub max_inflate_ratio: u64,
    /// How we fetch pictures that clients name by their address.
    pub fetch: FetchConfig,
}

/// `[upstream.fetch]`: how we fetch pictures that clients name by their address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchConfig {
    /// Whether plain `http` is allowed. Default false.
    pub allow_http: bool,
    /// Ports allowed beside 443 (and 80 with `allow_http`). Default none.
    pub allow_ports: Vec<u16>,
    /// Whether private and loopback addresses are allowed: for tests and labs only. Default false.
    pub allow_private: bool,
    /// Deadline of one fetch with its redirects, in milliseconds. Default 15 000; 100 to 120 000.
    pub timeout_ms: u64,
    /// Largest picture, in bytes. Default 20 971 520; 1 024 to 268 435 456.
    pub max_bytes: usize,
}

impl Default for UpstreamConfig {
    fn default() -> Self {
        Self {
            base_url: built_in("https://grok.com"),
            assets_base_url: built_in("https://assets.grok.com"),
            user_agent: concat!("grok2api/", env!("CARGO_PKG_VERSION")).to_owned(),
            extra_headers: BTreeMap::new(),
            connect_timeout_ms: 10_000,
            request_timeout_ms: 30_000,
            max_line_bytes: 8 << 20,
            max_answer_bytes: 256 << 20,
            max_inflate_ratio: 200,
            fetch: FetchConfig::default(),
        }
    }
}

impl Default for FetchConfig {
    fn default() -> Self {
        Self {
            allow_http: false,
            allow_ports: Vec::new(),
            allow_private: false,
            timeout_ms: 15_000,
            max_bytes: 20 << 20,
        }
    }
}

/// Extra headers may hold cookies, so only their names are shown.
impl fmt::Debug for UpstreamConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamConfig")
            .field("base_url", &self.base_url.as_str())
            .field("assets_base_url", &self.assets_base_url.as_str())
            .field("user_agent", &self.user_agent)
            .field("extra_headers", &self.extra_headers.keys())
            .field("connect_timeout_ms", &self.connect_timeout_ms)
            .field("request_timeout_ms", &self.request_timeout_ms)
            .field("max_line_bytes", &self.max_line_bytes)
            .field("max_answer_bytes", &self.max_answer_bytes)
            .field("max_inflate_ratio", &self.max_inflate_ratio)
            .field("fetch", &self.fetch)
            .finish()
    }
}

/// Parses an address that is part of this program; a test holds that each one is good.
fn built_in(address: &'static str) -> Url {
    match Url::parse(address) {
        Ok(url) => url,
        Err(error) => unreachable!("built-in address {address}: {error}"),
    }
}

pub(super) const SPECS: &[Spec<StartUp>] = &[
    Spec {
        key: "upstream.base_url",
        doc: "Where chat calls go (https; plain http only to this machine).",
        shape: Shape::Text,
        secret: false,
        read: |startup| json!(startup.upstream.base_url.as_str()),
        write: |startup, value| accept::upstream_url(value).map(|url| startup.upstream.base_url = url),
    },
    Spec {
        key: "upstream.assets_base_url",
        doc: "Where pictures and videos lie (https; plain http only to this machine).",
        shape: Shape::Text,
        secret: false,
        read: |startup| json!(startup.upstream.assets_base_url.as_str()),
        write: |startup, value| accept::upstream_url(value).map(|url| startup.upstream.assets_base_url = url),
    },
    Spec {
        key: "upstream.user_agent",
        doc: "Value of the User-Agent header.",
        shape: Shape::Text,
        secret: false,
        read: |startup| json!(startup.upstream.user_agent),
        write: |startup, value| accept::header_text(value).map(|text| startup.upstream.user_agent = text),
    },
    Spec {
        key: "upstream.extra_headers",
        doc: "Headers added to each upstream call: a table of names and values.",
        shape: Shape::Map,
        secret: true,
        read: |startup| json!(startup.upstream.extra_headers),
        write: |startup, value| accept::headers(value).map(|headers| startup.upstream.extra_headers = headers),
    },
    Spec {
        key: "upstream.connect_timeout_ms",
        doc: "Longest wait for a connection, in milliseconds (100 to 300000).",
        shape: Shape::Whole,
        secret: false,
        read: |startup| json!(startup.upstream.connect_timeout_ms),
        write: |startup, value| accept::whole(value, 100, 300_000).map(|ms| startup.upstream.connect_timeout_ms = ms),
    },
    Spec {
        key: "upstream.request_timeout_ms",
        doc: "Longest wait for a whole short answer (upload, rate limits), in milliseconds (100 to 600000).",
        shape: Shape::Whole,
        secret: false,
        read: |startup| json!(startup.upstream.request_timeout_ms),
        write: |startup, value| accept::whole(value, 100, 600_000).map(|ms| startup.upstream.request_timeout_ms = ms),
    },
    Spec {
        key: "upstream.max_line_bytes",
        doc: "Longest line of an answer stream, in bytes (65536 to 268435456).",
        shape: Shape::Whole,
        secret: false,
        read: |startup| json!(startup.upstream.max_line_bytes),
        write: |startup, value| {
            accept::whole(value, 1 << 16, 1 << 28).map(|bytes| startup.upstream.max_line_bytes = bytes)
        },
    },
    Spec {
        key: "upstream.max_answer_bytes",
        doc: "Largest answer stream, in bytes (1048576 to 17179869184).",
        shape: Shape::Whole,
        secret: false,
        read: |startup| json!(startup.upstream.max_answer_bytes),
        write: |startup, value| {
            accept::whole(value, 1 << 20, 1 << 34).map(|bytes| startup.upstream.max_answer_bytes = bytes)
        },
    },
    Spec {
        key: "upstream.max_inflate_ratio",
        doc: "Most bytes that one received byte may inflate to (2 to 10000).",
        shape: Shape::Whole,
        secret: false,
        read: |startup| json!(startup.upstream.max_inflate_ratio),
        write: |startup, value| accept::whole(value, 2, 10_000).map(|ratio| startup.upstream.max_inflate_ratio = ratio),
    },
    Spec {
        key: "upstream.fetch.allow_http",
        doc: "Fetch pictures over plain http too.",
        shape: Shape::Flag,
        secret: false,
        read: |startup| json!(startup.upstream.fetch.allow_http),
        write: |startup, value| accept::flag(value).map(|on| startup.upstream.fetch.allow_http = on),
    },
    Spec {
        key: "upstream.fetch.allow_ports",
        doc: "Ports allowed for pictures beside 443 (and 80 with allow_http).",
        shape: Shape::List,
        secret: false,
        read: |startup| json!(startup.upstream.fetch.allow_ports),
        write: |startup, value| accept::ports(value).map(|ports| startup.upstream.fetch.allow_ports = ports),
    },
    Spec {
        key: "upstream.fetch.allow_private",
        doc: "Fetch pictures from private and loopback addresses too: for tests and labs only.",
        shape: Shape::Flag,
        secret: false,
        read: |startup| json!(startup.upstream.fetch.allow_private),
        write: |startup, value| accept::flag(value).map(|on| startup.upstream.fetch.allow_private = on),
    },
    Spec {
        key: "upstream.fetch.timeout_ms",
        doc: "Deadline of one fetch with its redirects, in milliseconds (100 to 120000).",
        shape: Shape::Whole,
        secret: false,
        read: |startup| json!(startup.upstream.fetch.timeout_ms),
        write: |startup, value| accept::whole(value, 100, 120_000).map(|ms| startup.upstream.fetch.timeout_ms = ms),
    },
    Spec {
        key: "upstream.fetch.max_bytes",
        doc: "Largest picture, in bytes (1024 to 268435456).",
        shape: Shape::Whole,
        secret: false,
        read: |startup| json!(startup.upstream.fetch.max_bytes),
        write: |startup, value| {
            accept::whole(value, 1024, 1 << 28).map(|bytes| startup.upstream.fetch.max_bytes = bytes)
        },
    },
];
