//! What all handlers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use grok2api_config::{StorageMode, Vault};
use grok2api_entity::job::State;
use grok2api_entity::keeper::{Keeper, NotKept};
use grok2api_gateway::Gateway;
use grok2api_gateway::settings_store::SettingsStore;
use grok2api_gateway::usage_log::UsageLog;
use grok2api_media::Library;
use grok2api_queue::{Jobs, LOOK_EVERY};
use metrics_exporter_prometheus::PrometheusHandle;
use sea_orm::DatabaseConnection;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::access::Access;
use crate::asset_fetcher::AssetFetcher;
use crate::auth::ClientKeys;
use crate::browser::Audience;
use crate::client_address::TrustedProxies;
use crate::loop_guard::LoopMark;
use crate::management::StatsMemo;
use crate::media::MediaWaits;

/// How long files are waited for unless the operator says otherwise.
const MEDIA_WAIT: Duration = Duration::from_secs(30);

/// Shared by all handlers; clones are cheap.
#[derive(Clone)]
pub struct AppState {
    /// Serves chats.
    pub gateway: Gateway,
    /// For the operator and the readiness check: the hot path keeps off the database.
    pub db: DatabaseConnection,
    /// Where settings are changed.
    pub settings: Arc<SettingsStore>,
    /// Where records are kept, for those who ask.
    pub storage_mode: StorageMode,
    /// How many accounts there were a moment ago.
    pub(crate) stats: Arc<StatsMemo>,
    /// Knows clients by their keys.
    pub keys: Arc<ClientKeys>,
    /// Takes down every answered request.
    pub usage: UsageLog,
    /// Durable work.
    pub jobs: Jobs,
    /// Pictures and videos.
    pub media: Library,
    /// Asks workers to fetch files.
    pub fetcher: Arc<dyn AssetFetcher>,
    /// How long files are waited for.
    pub media_waits: MediaWaits,
    /// Renders `/metrics`; `None` when no recorder is installed (in tests of other things).
    pub metrics: Option<PrometheusHandle>,
    /// Lets scrapers from other machines read `/metrics`.
    pub metrics_token: Option<Arc<SecretString>>,
    /// What logging in needs to know.
    pub access: Arc<Access>,
    /// Opens the operator's paths beside the sessions of administrators.
    pub admin_token: Option<Arc<SecretString>>,
    /// Whether this process uses accounts, so that it needs some to be ready.
    pub serves: bool,
    /// Has a copy of what must outlive the disk, in the mode with one: changes count when it has them.
    pub keeper: Option<Arc<dyn Keeper>>,
    /// Limits of request bodies.
    pub body_limits: BodyLimits,
    /// Proxies that say truly for whom they ask.
    pub trusted_proxies: TrustedProxies,
    /// By which requests are known that have passed this installation before.
    pub loop_mark: LoopMark,
    /// Cancelled when streams that are still open must end.
    pub cut_off: CancellationToken,
    /// Cancelled when the workers of this process, and there are no others, begin nothing more.
    pub leaving: CancellationToken,
    draining: Arc<AtomicBool>,
}

/// What an [`AppState`] is made of.
pub struct AppParts {
    /// Serves chats.
    pub gateway: Gateway,
    /// The records.
    pub db: DatabaseConnection,
    /// Where settings are changed.
    pub settings: Arc<SettingsStore>,
    /// Makes the ids of client keys.
    pub vault: Arc<Vault>,
    /// Takes down every answered request.
    pub usage: UsageLog,
    /// Durable work.
    pub jobs: Jobs,
    /// Pictures and videos.
    pub media: Library,
    /// Asks workers to fetch files.
    pub fetcher: Arc<dyn AssetFetcher>,
}

/// Limits of request bodies.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// Longest body in bytes.
    pub max_bytes: usize,
    /// Longest body in bytes on the operator's paths, except where many accounts are named.
    pub max_operator_bytes: usize,
    /// Longest time for a whole body.
    pub timeout: Duration,
    /// From then on a body must have come at the rate below.
    pub grace: Duration,
    /// Lowest rate of a body, on average after the grace.
    pub min_bytes_per_sec: usize,
}

impl BodyLimits {
    /// Longest body on a path, in bytes.
    pub(crate) fn max_bytes_on(&self, path: &str) -> usize {
        let names_accounts = ["/api/bulk/", "/api/tokens/"].iter().any(|area| path.starts_with(area));
        let is_small = Audience::of(path) == Audience::Operator && !names_accounts;
        if is_small { self.max_operator_bytes.min(self.max_bytes) } else { self.max_bytes }
    }
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            max_bytes: 32 * 1024 * 1024,
            max_operator_bytes: 1024 * 1024,
            timeout: Duration::from_secs(60),
            grace: Duration::from_secs(5),
            min_bytes_per_sec: 1024,
        }
    }
}

impl AppState {
    /// State around its parts, with nothing optional.
    pub fn new(parts: AppParts) -> Self {
        Self {
            loop_mark: LoopMark::new(&parts.vault),
            trusted_proxies: TrustedProxies::default(),
            gateway: parts.gateway,
            db: parts.db,
            keys: Arc::new(ClientKeys::new(Arc::clone(&parts.vault))),
            access: Arc::new(Access::new(parts.vault)),
            settings: parts.settings,
            storage_mode: StorageMode::File,
            stats: Arc::default(),
            usage: parts.usage,
            jobs: parts.jobs,
            media: parts.media,
            fetcher: parts.fetcher,
            media_waits: MediaWaits::new(MEDIA_WAIT),
            metrics: None,
            metrics_token: None,
            admin_token: None,
            serves: true,
            keeper: None,
            body_limits: BodyLimits::default(),
            cut_off: CancellationToken::new(),
            leaving: CancellationToken::new(),
            draining: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Ends when a request's work can no longer be waited for: answers must end now, or nobody works on it and those who
    /// would go down. The work itself is on record and goes on later.
    pub(crate) async fn given_up(&self, generation: Uuid) {
        tokio::select! {
            () = self.cut_off.cancelled() => {}
            () = self.left_undone(generation) => {}
        }
    }

    async fn left_undone(&self, generation: Uuid) {
        self.leaving.cancelled().await;
        loop {
            let states = self.jobs.of_generation(generation).await;
            let states: Vec<State> = states.unwrap_or_default().iter().map(|job| job.state).collect();
            if states.contains(&State::Queued) && !states.contains(&State::Running) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until a change that was made before is also where it must be.
    pub(crate) async fn kept(&self) -> Result<(), NotKept> {
        match &self.keeper {
            Some(keeper) => keeper.caught_up().await,
            None => Ok(()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h2_the_operators_bodies_are_small_but_where_accounts_are_named() {
        let limits = BodyLimits::default();
        let (small, large) = (limits.max_operator_bytes, limits.max_bytes);
        for (path, most) in [
            ("/api/schedules/token_test", small),
            ("/api/bulk/import", large),
            ("/api/bulk/test", large),
            ("/api/tokens/add", large),
            ("/api/settings", small),
            ("/v1/chat/completions", large),
        ] {
            assert_eq!(limits.max_bytes_on(path), most, "{path}");
        }
        assert_eq!(BodyLimits { max_bytes: 4096, ..limits }.max_bytes_on("/api/schedules/x"), 4096);
    }
}
