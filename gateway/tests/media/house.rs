//! A gateway with a few accounts, and a caller who writes down what it is told.

use std::sync::Arc;

use async_trait::async_trait;
use grok2api_config::{ModelTable, Settings, SettingsHandle, Strategy, Tier, UpstreamConfig, Vault};
use grok2api_gateway::media::{MediaKind, MediaRequest};
use grok2api_gateway::pool::{AccountId, AccountSeed, Clock, MemoryPool, Policy, Pool, PoolState};
use grok2api_gateway::upstream::attachment::Attachment;
use grok2api_gateway::upstream::client::GrokWeb;
use grok2api_gateway::upstream::collect::Collector;
use grok2api_gateway::{ChatStream, Gateway, GatewayError, Parts, Stopped, Submission};
use grok2api_sim::Sim;
use parking_lot::Mutex;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

const MASTER_KEY: &str = "q8Jf0Zr3pXv7LkTn5WcYb2Hd9MsEa4GuRi6";

/// A gateway in front of a simulator. Accounts are tried in their order.
pub(crate) struct House {
    pub(crate) sim: Sim,
    pub(crate) gateway: Gateway,
    accounts: Vec<String>,
    /// Accounts on which calls were announced, one for each.
    announced: Mutex<Vec<AccountId>>,
}

impl House {
    pub(crate) async fn with(accounts: &[&str]) -> Self {
        Self::changed(accounts, |_| ()).await
    }

    pub(crate) async fn changed(accounts: &[&str], change: impl FnOnce(&mut Settings)) -> Self {
        let sim = Sim::builder().start("127.0.0.1:0").await.unwrap();
        let url = sim.url();
        Self::before(sim, &url, accounts, change)
    }

    /// With an upstream at an address of its own.
    pub(crate) fn before(sim: Sim, url: &str, accounts: &[&str], change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        settings.pool.strategy = Strategy::FillFirst;
        change(&mut settings);
        let models = Arc::new(ModelTable::default());
        let vault = Arc::new(Vault::new(&SecretString::from(MASTER_KEY), &[]).unwrap());
        let state = Arc::new(MemoryPool::new(&models, Policy::from(&settings.pool), Clock::System));
        for (at, name) in accounts.iter().enumerate() {
            let id = id_of(at);
            let sealed = vault.seal("account", &id.to_string(), "secret", name.as_bytes()).unwrap();
            state.upsert(AccountSeed::fresh(id, Tier::Basic, &sealed));
        }
        let config = UpstreamConfig {
            base_url: url.parse().unwrap(),
            assets_base_url: sim.url().parse().unwrap(),
            ..UpstreamConfig::default()
        };
        let settings = SettingsHandle::new(settings);
        let gateway = Gateway::new(Parts {
            models,
            pool: Arc::new(Pool::new(state, vault, settings.clone())),
            upstream: GrokWeb::new(&config).unwrap(),
            settings,
            max_line_bytes: config.max_line_bytes,
            asset_hosts: Arc::from([Box::from(sim.addr().to_string()), Box::from("assets.grok.com")]),
            shutdown: CancellationToken::new(),
        });
        let accounts = accounts.iter().map(|name| (*name).to_owned()).collect();
        Self { sim, gateway, accounts, announced: Mutex::default() }
    }

    pub(crate) fn id(&self, name: &str) -> AccountId {
        id_of(self.accounts.iter().position(|known| known == name).unwrap())
    }

    pub(crate) fn name(&self, id: AccountId) -> &str {
        &self.accounts[usize::try_from(id.as_u128()).unwrap() - 1]
    }

    /// Units of a budget that the pool believes are left.
    pub(crate) fn left(&self, account: &str, budget: &str) -> i64 {
        let (seed, _) = self.gateway.pool().state().inspect(self.id(account)).unwrap();
        seed.budgets.iter().find(|known| known.budget == budget).map_or(80, |known| known.remaining)
    }

    pub(crate) fn leases(&self) -> usize {
        self.gateway.pool().state().census().in_flight
    }

    pub(crate) async fn submit(
        &self,
        request: &MediaRequest,
        notes: &Notes<'_>,
    ) -> Result<ChatStream<Collector>, GatewayError> {
        let prepared = self.gateway.prepare_media(request)?;
        can_move(self.gateway.submit(&prepared, Collector::default(), notes)).await
    }

    /// Submits and waits for the end of the answer.
    pub(crate) async fn collect(&self, request: &MediaRequest) -> Collector {
        let mut stream = self.submit(request, &Notes::of(self)).await.unwrap();
        stream.run_to_end().await.unwrap();
        stream.into_sink()
    }
}

/// Workers run submissions on any thread.
fn can_move<T: Send>(future: T) -> T {
    future
}

fn id_of(at: usize) -> AccountId {
    AccountId::from_u128(at as u128 + 1)
}

pub(crate) fn request(kind: MediaKind, prompt: &str) -> MediaRequest {
    let attachments = if kind == MediaKind::ImageEdit { vec![a_picture()] } else { Vec::new() };
    MediaRequest { kind, model: None, prompt: prompt.to_owned(), attachments, aspect_ratio: None }
}

pub(crate) fn a_picture() -> Attachment {
    Attachment { file_name: "image.png".to_owned(), mime_type: "image/png", bytes: b"\x89PNG".to_vec().into() }
}

/// A caller that notes each step, and may want no more at one of them.
pub(crate) struct Notes<'a> {
    house: &'a House,
    steps: Mutex<Vec<String>>,
    stop_at: &'static str,
}

impl<'a> Notes<'a> {
    pub(crate) fn of(house: &'a House) -> Self {
        Self { house, steps: Mutex::default(), stop_at: "" }
    }

    /// Wants no more at the first step that begins so.
    pub(crate) fn stopping_at(house: &'a House, step: &'static str) -> Self {
        Self { stop_at: step, ..Self::of(house) }
    }

    pub(crate) fn steps(&self) -> Vec<String> {
        self.steps.lock().clone()
    }

    fn note(&self, step: String) -> Result<(), Stopped> {
        let stops = !self.stop_at.is_empty() && step.starts_with(self.stop_at);
        self.steps.lock().push(step);
        if stops { Err(Stopped) } else { Ok(()) }
    }
}

#[async_trait]
impl Submission for Notes<'_> {
    async fn sending(&self, account: AccountId, attempt: u32) -> Result<(), Stopped> {
        let name = self.house.name(account);
        let mut announced = self.house.announced.lock();
        let before = announced.iter().filter(|known| **known == account).count();
        assert_eq!(self.house.sim.account(name).calls, before as u64, "nothing has left for {name} yet");
        announced.push(account);
        self.note(format!("sending {attempt} {name}"))
    }

    async fn settled(&self, account: AccountId, attempt: u32, outcome: &'static str) -> Result<(), Stopped> {
        self.note(format!("settled {attempt} {}: {outcome}", self.house.name(account)))
    }
}
