//! All rooms put together: what one process needs to answer requests.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use grok2api_api::server::{self, ServerOptions};
use grok2api_api::{AppParts, AppState, BodyLimits, LoopMark, MediaWaits, TrustedProxies};
use grok2api_config::{ModelTable, StartUp, UpstreamConfig};
use grok2api_entity::keeper::Keeper;
use grok2api_gateway::usage_log::{self, UsageLog, UsageWriter};
use grok2api_gateway::{Gateway, Parts};
use grok2api_media::Library;
use grok2api_pool::{Clock, MemoryPool, Policy, Pool, PoolState, RedisPool, persist};
use grok2api_queue::Jobs;
use grok2api_upstream::client::GrokWeb;
use grok2api_worker::Workshop;
use sea_orm::DatabaseConnection;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::store::Store;
use crate::work::{self, Floor};

/// Descriptors kept free for the database, the upstream and whatever else is open.
const SPARE_DESCRIPTORS: usize = 512;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Answers clients and works on jobs.
    All,
    /// Answers clients; jobs are for other processes.
    Api,
    /// Works on jobs; answers health checks only.
    Worker,
    /// Says what is due; answers health checks only.
    Scheduler,
}

impl Role {
    /// The name as the operator writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "serve",
            Self::Api => "api",
            Self::Worker => "worker",
            Self::Scheduler => "scheduler",
        }
    }

    /// Whether it works on jobs.
    pub(crate) fn works(self) -> bool {
        matches!(self, Self::All | Self::Worker)
    }

    /// Whether it says what is due.
    pub(crate) fn schedules(self) -> bool {
        matches!(self, Self::All | Self::Scheduler)
    }
}

/// A process ready to serve.
pub struct House {
    /// What is recorded.
    pub store: Store,
    /// Serves chats.
    pub gateway: Gateway,
    /// What the handlers share.
    pub state: AppState,
    /// Durable work.
    pub jobs: Jobs,
    /// Cancelled when nobody has to be told first that the process ends.
    pub hurry: CancellationToken,
    startup: StartUp,
    shop: Workshop,
    /// How it listens and ends.
    pub options: ServerOptions,
    clock: Clock,
    usage_writer: Option<UsageWriter>,
    tasks: TaskTracker,
    background: CancellationToken,
}

impl House {
    /// Opens the store and loads the pool; the process can answer when this returns.
    ///
    /// # Errors
    /// As [`Store::open`], and when the upstream client cannot be built.
    pub async fn open(startup: &StartUp) -> Result<Self> {
        Self::open_as(startup, Role::All).await
    }

    /// As [`House::open`], for a process of this role: one that only says what is due needs no accounts.
    ///
    /// # Errors
    /// As [`House::open`].
    pub async fn open_as(startup: &StartUp, role: Role) -> Result<Self> {
        Self::open_by(startup, role, Clock::System).await
    }

    /// As [`House::open_as`], with another clock for what becomes of accounts.
    ///
    /// # Errors
    /// As [`House::open`].
    pub async fn open_by(startup: &StartUp, role: Role, clock: Clock) -> Result<Self> {
        let store = Store::open(startup).await?;
        let models = Arc::new(ModelTable::new(&startup.models));
        let settings = store.settings.handle().clone();
        let policy = Policy::from(&settings.load().pool);
        // Who reserves nothing takes no part in the pool.
        let shares = if role == Role::Scheduler { None } else { startup.redis_url.as_ref() };
        let state = pool_state(shares, startup, &models, policy, clock.clone()).await?;
        if role != Role::Scheduler {
            let accounts =
                persist::load(&store.db, &*state, policy.strategy).await.context("the accounts cannot be read")?;
            state.told().await;
            tracing::debug!(accounts, "pool loaded");
        }
        let shutdown = CancellationToken::new();
        let gateway = Gateway::new(Parts {
            models,
            pool: Arc::new(Pool::new(state, Arc::clone(&store.vault), settings.clone())),
            upstream: GrokWeb::new(&marked(&startup.upstream, &LoopMark::new(&store.vault)))
                .context("the upstream client cannot be built")?,
            settings,
            max_line_bytes: startup.upstream.max_line_bytes,
            asset_hosts: asset_hosts(startup),
            shutdown,
        });
        let (usage, usage_writer) = UsageLog::new(store.db.clone());
        let jobs = Box::pin(work::jobs(startup, &store.db)).await?;
        let media =
            Library::set_up(store.db.clone(), store.settings.handle().clone(), &startup.media, &startup.media_folder())
                .context("the store of pictures and videos cannot be opened")?;
        let shop = Workshop {
            gateway: gateway.clone(),
            media: media.clone(),
            tells_others: role != Role::All && !gateway.pool().state().is_shared(),
            clock: clock.clone(),
            keeper: store.mirror.clone().map(|mirror| mirror as Arc<dyn Keeper>),
        };
        let mut state = AppState::new(AppParts {
            gateway: gateway.clone(),
            db: store.db.clone(),
            settings: Arc::clone(&store.settings),
            vault: Arc::clone(&store.vault),
            usage,
            jobs: jobs.clone(),
            media,
            fetcher: Arc::new(work::Fetcher::new(&jobs)),
        });
        state.body_limits = BodyLimits {
            max_bytes: startup.server.max_body_bytes,
            timeout: Duration::from_secs(startup.server.request_timeout_secs),
            ..BodyLimits::default()
        };
        state.trusted_proxies = TrustedProxies::from(startup.server.trusted_proxies.clone());
        state.media_waits = MediaWaits::new(Duration::from_secs(startup.media.wait_secs));
        state.metrics_token = startup.server.metrics_token.clone().map(Arc::new);
        state.admin_token = startup.server.admin_token.clone().map(Arc::new);
        state.keys.refresh(&state.db).await.context("the client keys cannot be read")?;
        state.storage_mode = startup.storage_mode;
        state.serves = role != Role::Scheduler;
        state.keeper.clone_from(&shop.keeper);
        let options = ServerOptions {
            max_connections: max_connections(startup.server.max_connections),
            max_connections_per_ip: startup.server.max_connections_per_ip,
            trusted_proxies: state.trusted_proxies.clone(),
            grace: Duration::from_secs(startup.server.shutdown_grace_secs),
            ..ServerOptions::default()
        };
        Ok(Self {
            store,
            gateway,
            state,
            options,
            clock,
            jobs,
            hurry: CancellationToken::new(),
            startup: startup.clone(),
            shop,
            usage_writer: Some(usage_writer),
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

    /// Plays the role until `stop` is cancelled, then ends in order and writes down what is left to write.
    ///
    /// A process that answers clients goes on with everything for `server.drain_delay_secs` first, telling balancers that
    /// they should look elsewhere.
    ///
    /// # Errors
    /// The listener cannot be used, or the workers cannot start.
    pub async fn serve(mut self, listener: Option<TcpListener>, role: Role, stop: CancellationToken) -> Result<()> {
        self.start_background(role, &stop);
        let floor = Box::pin(Floor::start(&self.startup, role, &self.jobs, &self.shop)).await?;
        let app = match role {
            Role::All | Role::Api => grok2api_api::app(self.state.clone()),
            Role::Worker | Role::Scheduler => grok2api_api::operation_app(self.state.clone()),
        };
        let window = match role {
            Role::All | Role::Api => self.startup.server.drain_delay_secs,
            Role::Worker | Role::Scheduler => 0,
        };
        let closing = CancellationToken::new();
        let serving = Box::pin(async {
            if let Some(listener) = listener {
                return server::serve(listener, app, self.state.clone(), self.options.clone(), closing.clone()).await;
            }
            closing.cancelled().await;
            Ok(())
        });
        // Answers and jobs come to their ends side by side.
        let working = async {
            self.leave_the_balancers(&stop, Duration::from_secs(window)).await;
            closing.cancel();
            if floor.is_alone() {
                self.state.leaving.cancel();
            }
            Box::pin(floor.stop()).await;
        };
        let served = async {
            let served = serving.await;
            self.hurry.cancel();
            stop.cancel();
            served
        };
        let (served, ()) = tokio::join!(served, working);
        served?;
        self.gateway.shutdown().cancel();
        self.gateway.drain().await;
        self.background.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.gateway.pool().state().leave().await;
        let kept = self.store.finish().await;
        self.store.db.close().await.context("the database could not be closed")?;
        Ok(kept?)
    }

    /// Waits for the order to end, and then until balancers had the time to notice that this process is not ready.
    async fn leave_the_balancers(&self, stop: &CancellationToken, window: Duration) {
        stop.cancelled().await;
        self.state.start_draining();
        tokio::select! {
            () = tokio::time::sleep(window) => {}
            () = self.hurry.cancelled() => {}
        }
    }

    /// Starts what runs beside requests: following settings and accounts, writing the pool's state and the usage.
    fn start_background(&mut self, role: Role, end: &CancellationToken) {
        if let Some(mirror) = self.store.mirror.clone() {
            let (stop, end) = (self.background.clone(), end.clone());
            self.tasks.spawn(async move {
                if let Err(error) = mirror.keep(stop).await {
                    tracing::error!(%error, "ending: what changes here would be lost");
                    end.cancel();
                }
            });
        }
        let settings = Arc::clone(&self.store.settings);
        let stop = self.background.clone();
        self.tasks.spawn(async move { settings.watch(stop).await });
        if matches!(role, Role::All | Role::Api) {
            let (keys, db, stop) = (Arc::clone(&self.state.keys), self.store.db.clone(), self.background.clone());
            self.tasks.spawn(async move { keys.watch(db, stop).await });
        }
        let state = Arc::clone(self.gateway.pool().state());
        let db: DatabaseConnection = self.store.db.clone();
        if role != Role::Scheduler {
            self.tasks.spawn(persist::keep_following(db.clone(), Arc::clone(&state), self.background.clone()));
            self.tasks.spawn(persist::keep_flushing(db, state, self.clock.clone(), self.background.clone()));
        }
        if let Some(writer) = self.usage_writer.take() {
            self.tasks.spawn(writer.run(self.background.clone()));
        }
        work::follow(&self.jobs, self.store.settings.handle(), &self.tasks, &self.background);
        let settings = self.store.settings.handle().clone();
        self.tasks.spawn(usage_log::keep_requests(self.store.db.clone(), settings, self.background.clone()));
        self.tasks.spawn(usage_log::keep_gauges(self.store.db.clone(), self.background.clone()));
        if let Some(metrics) = self.state.metrics.clone() {
            let stop = self.background.clone();
            self.tasks.spawn(async move { grok2api_api::metrics::keep_tidy(metrics, stop).await });
        }
        crate::telemetry::follow_log_level(&self.tasks, self.store.settings.handle(), &self.background);
    }
}

/// Where the live state of accounts is kept: with all processes of this Redis, or in this process.
async fn pool_state(
    redis_url: Option<&SecretString>,
    startup: &StartUp,
    models: &ModelTable,
    policy: Policy,
    clock: Clock,
) -> Result<Arc<dyn PoolState>> {
    let Some(url) = redis_url else { return Ok(Arc::new(MemoryPool::new(models, policy, clock))) };
    let shared = RedisPool::connect(url.expose_secret(), &startup.redis_prefix, models, policy, clock).await;
    let shared = shared.context("is the server of redis_url running, and is its password right?")?;
    Ok(Arc::new(shared))
}

/// An upstream that is not Grok itself may be, by mistake, this very installation: what goes there is marked (H13).
fn marked(upstream: &UpstreamConfig, mark: &LoopMark) -> UpstreamConfig {
    let mut upstream = upstream.clone();
    if upstream.base_url != UpstreamConfig::default().base_url {
        upstream.extra_headers.entry("via".to_owned()).or_insert_with(|| mark.via());
    }
    upstream
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
