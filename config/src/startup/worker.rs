//! `[worker]`: how many jobs a process works on, and how it ends.

use std::net::SocketAddr;

use serde_json::json;

use super::StartUp;
use crate::spec::{Shape, Spec, accept};

/// `[worker]`: how many jobs a process works on, and how it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerConfig {
    /// Drawing turns at once. Default 4; 1 to 256.
    pub image_concurrency: usize,
    /// Videos at once. Default 4; 1 to 256.
    pub video_concurrency: usize,
    /// Downloads into the media store at once. Default 8; 1 to 256.
    pub cache_concurrency: usize,
    /// Where a process that only works answers health checks and scrapers. Default none: it does not.
    pub listen: Option<SocketAddr>,
    /// How long jobs under way may go on after a stop signal, in seconds. Default 30; 0 to 3600.
    pub drain_secs: u64,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self { image_concurrency: 4, video_concurrency: 4, cache_concurrency: 8, listen: None, drain_secs: 30 }
    }
}

pub(super) const SPECS: &[Spec<StartUp>] = &[
    Spec {
        key: "worker.image_concurrency",
        doc: "Drawing turns that one process works on at once (1 to 256).",
        shape: Shape::Whole,
        secret: false,
        read: |startup| json!(startup.worker.image_concurrency),
        write: |startup, value| accept::whole(value, 1, 256).map(|most| startup.worker.image_concurrency = most),
    },
    Spec {
        key: "worker.video_concurrency",
        doc: "Videos that one process works on at once (1 to 256).",
        shape: Shape::Whole,
        secret: false,
        read: |startup| json!(startup.worker.video_concurrency),
        write: |startup, value| accept::whole(value, 1, 256).map(|most| startup.worker.video_concurrency = most),
    },
    Spec {
        key: "worker.cache_concurrency",
        doc: "Downloads into the media store that one process works on at once (1 to 256).",
        shape: Shape::Whole,
        secret: false,
        read: |startup| json!(startup.worker.cache_concurrency),
        write: |startup, value| accept::whole(value, 1, 256).map(|most| startup.worker.cache_concurrency = most),
    },
    Spec {
        key: "worker.listen",
        doc: "Address and port where a process that only works answers health checks and scrapers; without it, nowhere.",
        shape: Shape::Text,
        secret: false,
        read: |startup| json!(startup.worker.listen.map(|address| address.to_string())),
        write: |startup, value| accept::listen(value).map(|address| startup.worker.listen = Some(address)),
    },
    Spec {
        key: "worker.drain_secs",
        doc: "How long jobs under way may go on after a stop signal, in seconds (0 to 3600).",
        shape: Shape::Whole,
        secret: false,
        read: |startup| json!(startup.worker.drain_secs),
        write: |startup, value| accept::whole(value, 0, 3600).map(|secs| startup.worker.drain_secs = secs),
    },
];
