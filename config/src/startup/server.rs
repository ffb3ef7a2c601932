//! `[server]`: limits of the HTTP server.

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::StartUp;
use crate::spec::{Shape, Spec, accept};

/// `[server]`: limits of the HTTP server.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Largest request body, in bytes. Default 33 554 432; 1 024 to 1 073 741 824.
    pub max_body_bytes: usize,
    /// Most connections at the same time. Default 10 000; 1 to 1 000 000. The file descriptor limit may lower it.
    pub max_connections: usize,
    /// Most of them from one address, a /64 of IPv6; trusted proxies and this machine are exempt. Default 1 024; 1 to
    /// 1 000 000.
    pub max_connections_per_ip: usize,
    /// Proxies whose word about a request's origin counts. Default none.
    pub trusted_proxies: Vec<IpNet>,
    /// Longest time a request body may take to arrive, in seconds. Default 60; 1 to 3600.
    pub request_timeout_secs: u64,
    /// How long requests are still taken after `SIGTERM` while `/readyz` answers 503, in seconds. Default 5; 0 to 3600.
    pub drain_delay_secs: u64,
    /// How long answers under way may go on after that, in seconds. Default 30; 0 to 3600.
    pub shutdown_grace_secs: u64,
    /// Bearer token that `/metrics` asks for; `None` leaves it to the caller's address.
    pub metrics_token: Option<SecretString>,
    /// Bearer token of the operator's paths below `/api`; `None` closes them.
    pub admin_token: Option<SecretString>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            max_body_bytes: 33_554_432,
            max_connections: 10_000,
            max_connections_per_ip: 1024,
            trusted_proxies: Vec::new(),
            request_timeout_secs: 60,
            drain_delay_secs: 5,
            shutdown_grace_secs: 30,
            metrics_token: None,
            admin_token: None,
        }
    }
}

pub(super) const SPECS: &[Spec<StartUp>] = &[
    Spec {
        key: "server.max_body_bytes",
        doc: "Largest request body, in bytes (1024 to 1073741824).",
        shape: Shape::Whole,
        secret: false,
        read: |startup| json!(startup.server.max_body_bytes),
        write: |startup, value| accept::whole(value, 1024, 1 << 30).map(|bytes| startup.server.max_body_bytes = bytes),
    },
    Spec {
        key: "server.max_connections",
        doc: "Most connections at the same time (1 to 1000000).",
        shape: Shape::Whole,
        secret: false,
        read: |startup| json!(startup.server.max_connections),
        write: |startup, value| accept::whole(value, 1, 1_000_000).map(|most| startup.server.max_connections = most),
    },
    Spec {
        key: "server.max_connections_per_ip",
        doc: "Most connections from one address, or one /64 of IPv6 (1 to 1000000); trusted proxies and this machine are exempt.",
        shape: Shape::Whole,
        secret: false,
        read: |startup| json!(startup.server.max_connections_per_ip),
        write: |startup, value| {
            accept::whole(value, 1, 1_000_000).map(|most| startup.server.max_connections_per_ip = most)
        },
    },
    Spec {
        key: "server.trusted_proxies",
        doc: "Addresses and networks (CIDR) of proxies whose Forwarded and X-Forwarded-* headers are believed.",
        shape: Shape::List,
        secret: false,
        read: |startup| startup.server.trusted_proxies.iter().map(ToString::to_string).collect(),
        write: |startup, value| accept::networks(value).map(|networks| startup.server.trusted_proxies = networks),
    },
    Spec {
        key: "server.request_timeout_secs",
        doc: "Longest time a request body may take to arrive, in seconds (1 to 3600).",
        shape: Shape::Whole,
        secret: false,
        read: |startup| json!(startup.server.request_timeout_secs),
        write: |startup, value| accept::whole(value, 1, 3600).map(|secs| startup.server.request_timeout_secs = secs),
    },
    Spec {
        key: "server.drain_delay_secs",
        doc: "How long requests are still taken after SIGTERM while /readyz answers 503, in seconds (0 to 3600).",
        shape: Shape::Whole,
        secret: false,
        read: |startup| json!(startup.server.drain_delay_secs),
        write: |startup, value| accept::whole(value, 0, 3600).map(|secs| startup.server.drain_delay_secs = secs),
    },
    Spec {
        key: "server.shutdown_grace_secs",
        doc: "How long answers under way may go on once no more are taken, in seconds (0 to 3600).",
        shape: Shape::Whole,
        secret: false,
        read: |startup| json!(startup.server.shutdown_grace_secs),
        write: |startup, value| accept::whole(value, 0, 3600).map(|secs| startup.server.shutdown_grace_secs = secs),
    },
    Spec {
        key: "server.metrics_token",
        doc: "Bearer token that /metrics asks for: 8 to 256 visible characters.",
        shape: Shape::Text,
        secret: true,
        read: |startup| json!(startup.server.metrics_token.as_ref().map(ExposeSecret::expose_secret)),
        write: |startup, value| {
            accept::client_key(value).map(|token| startup.server.metrics_token = accept::present(token))
        },
    },
    Spec {
        key: "server.admin_token",
        doc: "Bearer token of the operator's paths below /api: 16 to 256 visible characters; without it they are closed.",
        shape: Shape::Text,
        secret: true,
        read: |startup| json!(startup.server.admin_token.as_ref().map(ExposeSecret::expose_secret)),
        write: |startup, value| {
            accept::admin_token(value).map(|token| startup.server.admin_token = accept::present(token))
        },
    },
];
