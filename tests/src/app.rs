//! The gateway under test.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use futures_util::future::BoxFuture;
use grok2api::accounts::{self, Template};
use grok2api::house::{House, Role};
use grok2api_api::access::setup;
use grok2api_config::{StartUp, Tier};
use grok2api_gateway::Gateway;
use grok2api_gateway::settings_store::SettingsStore;
use grok2api_sim::{Pace, Sim, SimBuilder};
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::client::Client;

/// The key every test app lets in.
pub(crate) const KEY: &str = "g2a_test-key-of-the-stories";

/// A running gateway and its simulated upstream.
pub struct TestApp {
    /// The upstream.
    pub sim: Sim,
    /// Where the gateway answers, without a trailing slash.
    pub url: String,
    /// The gateway's inside, for what cannot be seen from outside.
    pub gateway: Gateway,
    /// Its settings.
    pub settings: std::sync::Arc<SettingsStore>,
    /// Its data folder.
    pub folder: TempDir,
    stop: CancellationToken,
    serving: JoinHandle<Result<()>>,
}

/// A gateway that is not started yet.
pub struct TestAppBuilder {
    sim: SimBuilder,
    accounts: Vec<(String, Tier)>,
    settings: BTreeMap<String, Value>,
    change: Box<dyn FnOnce(&mut StartUp) + Send>,
    furnish: Box<dyn FnOnce(&mut House) + Send>,
}

impl TestApp {
    /// A gateway with two Basic accounts and one Super account.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn start() -> Self {
        Self::with(&["ann", "bob"]).account("sue", Tier::Super).start().await
    }

    /// A gateway with these Basic accounts.
    pub fn with(accounts: &[&str]) -> TestAppBuilder {
        TestAppBuilder {
            sim: Sim::builder().pace(Pace::Full),
            accounts: accounts.iter().map(|name| ((*name).to_owned(), Tier::Basic)).collect(),
            settings: BTreeMap::from([("grok.api_key".to_owned(), Value::from(KEY))]),
            change: Box::new(|_| ()),
            furnish: Box::new(|_| ()),
        }
    }

    /// A client with the right key.
    pub fn client(&self) -> Client {
        Client::new(&self.url, Some(KEY))
    }

    /// A client with another key, or none.
    pub fn client_with_key(&self, key: Option<&str>) -> Client {
        Client::new(&self.url, key)
    }

    /// Changes settings as the operator does.
    ///
    /// # Panics
    /// When they are refused.
    pub async fn set(&self, key: &str, value: impl Into<Value>) {
        let change = BTreeMap::from([(key.to_owned(), value.into())]);
        self.settings.update(&change).await.unwrap_or_else(|error| panic!("{key}: {error}"));
    }

    /// Calls that run now, as the pool counts them.
    pub fn leases(&self) -> usize {
        self.gateway.pool().state().census().in_flight
    }

    /// Waits until the pool has no running call.
    pub async fn no_lease_within(&self, limit: Duration) -> bool {
        let state = self.gateway.pool().state();
        let free = async {
            loop {
                let mut released = std::pin::pin!(state.released());
                released.as_mut().enable();
                if state.census().in_flight == 0 {
                    return;
                }
                released.await;
            }
        };
        tokio::time::timeout(limit, free).await.is_ok()
    }

    /// Ends the gateway in order and gives back its folder.
    ///
    /// # Panics
    /// When it ends badly, or a lease is left.
    pub async fn stop(self) -> TempDir {
        self.stop.cancel();
        let ended = self.serving.await;
        assert!(matches!(ended, Ok(Ok(()))), "the gateway ended badly: {ended:?}");
        self.sim.shutdown().await;
        self.folder
    }
}

impl TestAppBuilder {
    /// One more account.
    #[must_use]
    pub fn account(mut self, name: &str, tier: Tier) -> Self {
        self.accounts.push((name.to_owned(), tier));
        self
    }

    /// Another simulator.
    #[must_use]
    pub fn sim(mut self, sim: SimBuilder) -> Self {
        self.sim = sim;
        self
    }

    /// A runtime setting.
    #[must_use]
    pub fn setting(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.settings.insert(key.to_owned(), value.into());
        self
    }

    /// Another start-up configuration.
    #[must_use]
    pub fn startup(mut self, change: impl FnOnce(&mut StartUp) + Send + 'static) -> Self {
        self.change = Box::new(change);
        self
    }

    /// Other limits than those of the configuration.
    #[must_use]
    pub fn house(mut self, furnish: impl FnOnce(&mut House) + Send + 'static) -> Self {
        self.furnish = Box::new(furnish);
        self
    }

    /// Starts the simulator and the gateway.
    ///
    /// # Panics
    /// When either cannot be started.
    pub async fn start(self) -> TestApp {
        self.try_start().await.unwrap_or_else(|error| panic!("the test app cannot be started: {error:#}"))
    }

    /// Boxed, so that the type of a test's future does not hold the whole house.
    fn try_start(self) -> BoxFuture<'static, Result<TestApp>> {
        Box::pin(self.begin())
    }

    async fn begin(self) -> Result<TestApp> {
        let sim = self.sim.start("127.0.0.1:0").await?;
        let folder = tempfile::tempdir()?;
        let mut startup = StartUp { data_dir: folder.path().join("data"), ..StartUp::default() };
        startup.upstream.base_url = sim.url().parse()?;
        startup.upstream.assets_base_url = sim.url().parse()?;
        startup.server.drain_delay_secs = 0;
        startup.server.shutdown_grace_secs = 1;
        (self.change)(&mut startup);
        let mut house = House::open(&startup).await?;
        // One recorder for a process: a second app of the same test shares none.
        house.state.metrics = grok2api_api::metrics::install().ok();
        for (name, tier) in &self.accounts {
            let template = Template { tier: *tier, tags: Vec::new(), note: String::new(), created_at: 0 };
            let token = SecretString::from(name.as_str());
            accounts::add(&house.store.db, &house.store.vault, &[token], &template).await?;
        }
        if let Some(password) = &startup.admin.password {
            setup::ensure_first(&house.store.db, &startup.admin.username, Some(password)).await?;
        }
        house.store.settings.update(&self.settings).await?;
        house.load_accounts().await?;
        (self.furnish)(&mut house);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let stop = CancellationToken::new();
        let gateway = house.gateway.clone();
        let settings = std::sync::Arc::clone(&house.store.settings);
        let serving = tokio::spawn(house.serve(Some(listener), Role::All, stop.clone()));
        Ok(TestApp { sim, url, gateway, settings, folder, stop, serving })
    }
}
