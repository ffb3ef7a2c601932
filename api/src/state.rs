//! What all handlers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use grok2api_gateway::Gateway;
use metrics_exporter_prometheus::PrometheusHandle;
use sea_orm::DatabaseConnection;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

/// Shared by all handlers; clones are cheap.
#[derive(Clone)]
pub struct AppState {
    /// Serves chats.
    pub gateway: Gateway,
    /// For the readiness check only: the hot path keeps off the database.
    pub db: DatabaseConnection,
    /// Renders `/metrics`; `None` when no recorder is installed (in tests of other things).
    pub metrics: Option<PrometheusHandle>,
    /// Lets scrapers from other machines read `/metrics`.
    pub metrics_token: Option<Arc<SecretString>>,
    /// Limits of request bodies.
    pub body_limits: BodyLimits,
    /// Cancelled when streams that are still open must end.
    pub cut_off: CancellationToken,
    draining: Arc<AtomicBool>,
}

/// Limits of request bodies.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// Longest body in bytes.
    pub max_bytes: usize,
    /// Longest time for a whole body.
    pub timeout: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { max_bytes: 32 * 1024 * 1024, timeout: Duration::from_secs(60) }
    }
}

impl AppState {
    /// State around a gateway, with nothing optional.
    pub fn new(gateway: Gateway, db: DatabaseConnection) -> Self {
        Self {
            gateway,
            db,
            metrics: None,
            metrics_token: None,
            body_limits: BodyLimits::default(),
            cut_off: CancellationToken::new(),
            draining: Arc::new(AtomicBool::new(false)),
        }
    }

    /// From now on `/readyz` asks balancers to look elsewhere.
    pub fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the process is going down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
