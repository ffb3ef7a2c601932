//! Many processes of the program with one set of records, to be killed: what they are made of, and how they are started.
//!
//! Everything a fleet has is its own: data folder, database, Redis server, simulated upstream. It takes all of it away
//! when it is dropped, also after a panic.

mod clients;
mod flood;
mod gather;
mod node;
mod outage;
mod place;
mod poison;
mod process;
mod redis;
mod rolling;
mod storm;
mod strikes;
mod ticks;
mod trail;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use grok2api::accounts::{self, Template};
use grok2api::store::Store;
use grok2api_config::{StartUp, Tier};
use grok2api_entity::worker;
use grok2api_sim::{Pace, Sim};
use rand::Rng;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

pub use clients::{Clients, Wish};
pub use flood::Flood;
pub use node::{Ended, Node, REDIS};
pub use outage::{Outage, Phase};
pub use place::Records;
pub use poison::{POISON, PoisonRates};
pub use process::{Process, wait_for};
pub use redis::RedisServer;
pub use rolling::{Rolling, RollingOutcome};
pub use storm::{Outcome, POINTS, Storm, Tally};
pub use strikes::Strikes;
pub use ticks::{TickOutcome, TickRun};

use crate::app::KEY;
use crate::client::{Client, http};
use place::Place;

/// Longest wait for a process to be ready; debug builds on a busy machine are slow.
const READY: Duration = Duration::from_secs(60);
/// Accounts of the pool. The files of the last one come slowly.
const ACCOUNTS: [&str; 6] = ["ann", "bob", "cyd", "dan", "eve", "fay.fault-asset-paced:20"];
/// The variable that arms failpoints, and by which a program that has them is known.
const FAILPOINTS: &str = "FAILPOINTS";

/// What a fleet is made of.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where its records lie.
    pub records: Records,
    /// Whether jobs travel through Redis; otherwise one process does everything.
    pub redis: bool,
    /// Runtime settings.
    pub settings: BTreeMap<String, Value>,
    /// Further variables for each process.
    pub variables: Vec<(String, String)>,
    /// So many plain accounts with the upstream's usual budgets, instead of a few without any.
    pub accounts: Option<usize>,
    /// Accounts beside the usual ones: the pool's estimates let each do little.
    pub more_accounts: usize,
}

/// The roles of a fleet's processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Answers clients and works.
    Serve,
    /// Answers clients.
    Api,
    /// Works.
    Worker,
    /// Says what is due.
    Scheduler,
}

/// Records, upstream and Redis of a fleet. Its processes are its users' own.
#[derive(Debug)]
pub struct Fleet {
    /// The upstream.
    pub sim: Sim,
    /// The records, for looking on.
    pub db: DatabaseConnection,
    /// The Redis server, if jobs travel through one.
    pub redis: Option<RedisServer>,
    plan: Plan,
    startup: StartUp,
    port: u16,
    place: Place,
    folder: TempDir,
}

impl Plan {
    /// A plain fleet.
    pub fn new(records: Records, redis: bool) -> Self {
        let settings =
            BTreeMap::from([("grok.api_key".to_owned(), json!(KEY)), ("pool.max_in_flight".to_owned(), json!(100))]);
        Self { records, redis, settings, variables: Vec::new(), accounts: None, more_accounts: 0 }
    }

    /// With a runtime setting.
    #[must_use]
    pub fn setting(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.settings.insert(key.to_owned(), value.into());
        self
    }

    /// With so many plain accounts, whose budgets end.
    #[must_use]
    pub fn accounts(mut self, count: usize) -> Self {
        self.accounts = Some(count);
        self
    }

    /// With a variable for each process.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Fleet {
    /// Prepares everything that the processes need; none is started.
    ///
    /// # Errors
    /// Something cannot be had: Redis is not installed, `PostgreSQL` does not run.
    pub async fn prepare(plan: Plan) -> Result<Self> {
        let sim = Sim::builder().pace(Pace::Full).record(false);
        let sim = if plan.accounts.is_some() { sim } else { sim.unlimited() };
        let sim = sim.start("127.0.0.1:0").await?;
        let folder = tempfile::Builder::new().prefix("grok2api-fleet-").tempdir()?;
        let place = Place::make(plan.records).await?;
        let mut startup = StartUp { data_dir: folder.path().join("data"), ..StartUp::default() };
        place.enter(&mut startup);
        let store = Store::open(&startup).await?;
        let more = (0..plan.more_accounts).map(|number| SecretString::from(format!("more{number}")));
        let (tokens, tier): (Vec<SecretString>, Tier) = match plan.accounts {
            None => (ACCOUNTS.map(SecretString::from).into_iter().chain(more).collect(), Tier::Super),
            Some(count) => ((0..count).map(|n| SecretString::from(format!("plain-{n}"))).collect(), Tier::Basic),
        };
        let template = Template { tier, tags: Vec::new(), note: String::new(), created_at: 0 };
        accounts::add(&store.db, &store.vault, &tokens, &template).await?;
        store.settings.update(&plan.settings).await?;
        trail::keep(&store.db).await?;
        let redis = if plan.redis { Some(RedisServer::start(folder.path()).await?) } else { None };
        let port = free_port().await?;
        Ok(Self { sim, db: store.db.clone(), redis, plan, startup, port, place, folder })
    }

    /// Starts a process. `failpoints` arms places in it where it dies.
    ///
    /// # Errors
    /// It cannot be started, or the program has no such places.
    pub fn start(&self, part: Part, failpoints: &str) -> Result<Process> {
        self.start_with(part, &[(FAILPOINTS, failpoints)])
    }

    fn start_with(&self, part: Part, variables: &[(&str, &str)]) -> Result<Process> {
        let mut command = Command::new(program()?);
        command.arg(match part {
            Part::Serve => "serve",
            Part::Api => "api",
            Part::Worker => "worker",
            Part::Scheduler => "scheduler",
        });
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GROK2API_")) {
            command.env_remove(name);
        }
        for name in ["STORAGE_MODE", "DATABASE_URL", "REDIS_URL", "RUST_LOG", "PORT"] {
            command.env_remove(name);
        }
        command.current_dir(self.folder.path());
        command.env("GROK2API_DATA_DIR", &self.startup.data_dir).env("GROK2API_LISTEN", self.address());
        command.env("GROK2API_UPSTREAM__BASE_URL", self.sim.url());
        command.env("GROK2API_UPSTREAM__ASSETS_BASE_URL", self.sim.url());
        // No balancer stands before it.
        command.env("GROK2API_SERVER__DRAIN_DELAY_SECS", "0");
        // Answers that wait for work which is handed over need not wait for long.
        command.env("GROK2API_SERVER__SHUTDOWN_GRACE_SECS", "4");
        command.env("GROK2API_WORKER__IMAGE_CONCURRENCY", "8").env("GROK2API_WORKER__VIDEO_CONCURRENCY", "8");
        if let Some(url) = self.place.url() {
            command.env("GROK2API_STORAGE_MODE", "postgres").env("GROK2API_DATABASE_URL", url);
        }
        if let Some(redis) = &self.redis {
            command.env("GROK2API_REDIS_URL", redis.url());
        }
        command.envs(self.plan.variables.iter().map(|(name, value)| (name, value)));
        command.envs(variables.iter().copied());
        Process::start(command, &self.folder.path().join("processes.log"))
    }

    /// Starts a process and waits until it is ready.
    ///
    /// # Errors
    /// It does not become so.
    pub async fn ready(&self, part: Part, failpoints: &str) -> Result<Process> {
        let mut process = self.start(part, failpoints)?;
        self.wait_ready(part, &mut process).await?;
        Ok(process)
    }

    /// Starts a process with variables of its own, and waits until it is ready.
    ///
    /// # Errors
    /// It does not become so.
    pub async fn ready_with(&self, part: Part, variables: &[(&str, &str)]) -> Result<Process> {
        let mut process = self.start_with(part, variables)?;
        self.wait_ready(part, &mut process).await?;
        Ok(process)
    }

    /// Starts a process that answers at a port of its own, with variables of its own, and waits until it is ready.
    ///
    /// # Errors
    /// It does not become so.
    pub async fn another(&self, part: Part, variables: &[(&str, &str)]) -> Result<(Process, Client)> {
        let address = format!("127.0.0.1:{}", free_port().await?);
        let url = format!("http://{address}");
        let mut variables = variables.to_vec();
        let own = if part == Part::Scheduler { "GROK2API_SCHEDULER__LISTEN" } else { "GROK2API_LISTEN" };
        variables.push((own, &address));
        let mut process = self.start_with(part, &variables)?;
        self.wait_ready_at(part, &mut process, &url).await?;
        Ok((process, Client::new(&url, Some(KEY))))
    }

    /// Where the records lie, if on a server.
    pub fn database_url(&self) -> Option<String> {
        self.place.url()
    }

    /// Waits until a process works or answers.
    ///
    /// # Errors
    /// It ends before, or takes too long.
    pub async fn wait_ready(&self, part: Part, process: &mut Process) -> Result<()> {
        self.wait_ready_at(part, process, &self.url()).await
    }

    async fn wait_ready_at(&self, part: Part, process: &mut Process, url: &str) -> Result<()> {
        let pid = i64::from(process.pid());
        let http = http();
        wait_for("a process is ready", READY, async || {
            process.expect_alive()?;
            let ready = match part {
                Part::Serve | Part::Api | Part::Scheduler => {
                    http.get(format!("{url}/healthz")).send().await.is_ok_and(|answer| answer.status() == 200)
                }
                Part::Worker => {
                    let row = worker::Entity::find().filter(worker::Column::Pid.eq(pid)).one(&self.db).await?;
                    row.is_some()
                }
            };
            Ok(ready.then_some(()))
        })
        .await
    }

    /// Where the gateway answers.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A client with the right key.
    pub fn client(&self) -> Client {
        Client::new(&self.url(), Some(KEY))
    }

    /// Keeps the folder with its logs for a look, and says where it is.
    pub fn keep_folder(&mut self) -> PathBuf {
        self.folder.disable_cleanup(true);
        self.folder.path().to_owned()
    }
}

/// The program under test, which must have been built with its failpoints.
fn program() -> Result<PathBuf> {
    static CHECKED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    let path = crate::binary();
    let armed = CHECKED.get_or_init(|| {
        let bytes = std::fs::read(&path).unwrap_or_default();
        bytes.windows(FAILPOINTS.len()).any(|window| window == FAILPOINTS.as_bytes())
    });
    ensure!(*armed, "{} has no failpoints: build it with `cargo build --workspace --bins`", path.display());
    Ok(path)
}

/// A port that nobody listens on, beyond those that the system gives to whoever asks for any.
async fn free_port() -> Result<u16> {
    for _ in 0..100 {
        let port = rand::rng().random_range(20_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).await.is_ok() {
            return Ok(port);
        }
    }
    None.context("no port is free")
}
