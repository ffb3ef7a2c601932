//! `[scheduler]`: a process that only says what is due.

use std::net::SocketAddr;

use serde_json::json;

use super::StartUp;
use crate::spec::{Shape, Spec, accept};

/// `[scheduler]`: a process that only says what is due.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchedulerConfig {
    /// Where it answers health checks and scrapers. Default none: it does not.
    pub listen: Option<SocketAddr>,
}

pub(super) const SPECS: &[Spec<StartUp>] = &[Spec {
    key: "scheduler.listen",
    doc: "Address and port where a process that only schedules answers health checks and scrapers; without it, nowhere.",
    shape: Shape::Text,
    secret: false,
    read: |startup| json!(startup.scheduler.listen.map(|address| address.to_string())),
    write: |startup, value| accept::listen(value).map(|address| startup.scheduler.listen = Some(address)),
}];
