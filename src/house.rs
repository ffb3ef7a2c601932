//! All rooms put together: what one process needs to answer requests.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use grok2api_api::server::{self, ServerOptions};
use grok2api_api::{AppState, BodyLimits};
use grok2api_config::{ModelTable, StartUp};
use grok2api_gateway::{Gateway, Parts};
use grok2api_pool::{Clock, MemoryPool, Policy, Pool, PoolState, persist};
use grok2api_upstream::client::GrokWeb;
use sea_orm::DatabaseConnection;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::store::Store;

/// Descriptors kept free for the database, the upstream and whatever else is open.
const SPARE_DESCRIPTORS: usize = 512;

/// A process ready to serve.
pub struct House {
    /// What is recorded.
    pub store: Store,
    /// Serves chats.
    pub gateway: Gateway,
    /// What the handlers share.
    pub state: AppState,
    options: ServerOptions,
    clock: Clock,
    tasks: TaskTracker,
    background: CancellationToken,
}

impl House {
    /// Opens the store and loads the pool; the process can answer when this returns.
    ///
    /// # Errors
    /// As [`Store::open`], and when the upstream client cannot be built.
    pub async fn open(startup: &StartUp) -> Result<Self> {
        let store = Store::open(startup).await?;
        let models = Arc::new(ModelTable::new(&startup.models));
        let settings = store.settings.handle().clone();
        let clock = Clock::System;
        let policy = Policy::from(&settings.load().pool);
        let state: Arc<dyn PoolState> = Arc::new(MemoryPool::new(&models, policy, clock.clone()));
        let accounts =
            persist::load(&store.db, &*state, policy.strategy).await.context("the accounts cannot be read")?;
        tracing::debug!(accounts, "pool loaded");
        let shutdown = CancellationToken::new();
        let gateway = Gateway::new(Parts {
            models,
            pool: Arc::new(Pool::new(state, Arc::clone(&store.vault), settings.clone())),
            upstream: GrokWeb::new(&startup.upstream).context("the upstream client cannot be built")?,
            settings,
            max_line_bytes: startup.upstream.max_line_bytes,
            asset_hosts: asset_hosts(startup),
            shutdown,
        });
        let mut state = AppState::new(gateway.clone(), store.db.clone());
        state.body_limits = BodyLimits {
            max_bytes: startup.server.max_body_bytes,
            timeout: Duration::from_secs(startup.server.request_timeout_secs),
        };
        state.metrics_token = startup.server.metrics_token.clone().map(Arc::new);
        Ok(Self {
            store,
            gateway,
            state,
            options: ServerOptions {
                max_connections: max_connections(startup.server.max_connections),
                grace: Duration::from_secs(startup.server.shutdown_grace_secs),
            },
            clock,
            tasks: TaskTracker::new(),
            background: CancellationToken::new(),
        })
    }

    /// Takes over accounts that were added since the house was opened.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn load_accounts(&self) -> Result<usize> {
        let strategy = self.gateway.settings().load().pool.strategy;
        let state = self.gateway.pool().state();
        persist::load(&self.store.db, &**state, strategy).await.context("the accounts cannot be read")
    }

    /// Serves until `stop` is cancelled, then ends in order and writes down what is left to write.
    ///
    /// # Errors
    /// The listener cannot be used.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> Result<()> {
        self.start_background();
        let app = grok2api_api::app(self.state.clone());
        server::serve(listener, app, self.state.clone(), self.options, stop).await?;
        self.gateway.shutdown().cancel();
        self.gateway.drain().await;
        self.background.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.store.db.close().await.context("the database could not be closed")
    }

    /// Starts what runs beside requests: following settings and accounts, writing the pool's state.
    fn start_background(&self) {
        let settings = Arc::clone(&self.store.settings);
        let stop = self.background.clone();
        self.tasks.spawn(async move { settings.watch(stop).await });
        let state = Arc::clone(self.gateway.pool().state());
        let db: DatabaseConnection = self.store.db.clone();
        self.tasks.spawn(persist::keep_following(db.clone(), Arc::clone(&state), self.background.clone()));
        self.tasks.spawn(persist::keep_flushing(db, state, self.clock.clone(), self.background.clone()));
        if let Some(metrics) = self.state.metrics.clone() {
            let stop = self.background.clone();
            self.tasks.spawn(async move { grok2api_api::metrics::keep_tidy(metrics, stop).await });
        }
        crate::telemetry::follow_log_level(&self.tasks, self.store.settings.handle(), &self.background);
    }
}

/// Hosts whose addresses may name a picture or a video of the upstream's.
fn asset_hosts(startup: &StartUp) -> Arc<[Box<str>]> {
    let own = startup.upstream.assets_base_url.host_str().map(|host| match startup.upstream.assets_base_url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    });
    grok2api_upstream::asset::TRUSTED_HOSTS.into_iter().map(Box::from).chain(own.map(Box::from)).collect()
}

/// The configured number, or what the process's descriptors allow if that is less.
fn max_connections(configured: usize) -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let descriptors = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .and_then(|line| line.split_whitespace().nth(3))
        .and_then(|soft| soft.parse::<usize>().ok());
    descriptors.map_or(configured, |most| configured.min(most.saturating_sub(SPARE_DESCRIPTORS).max(16)))
}
