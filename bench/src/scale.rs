//! What do more processes bring, and what does each unit of work then cost? On few cores a rate cannot grow for long; the
//! CPU time of one job and of one request must stay what it is.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::jobs::ground::{Database, name, remove_keys};
use crate::jobs::scaled;
use crate::load::account;
use crate::run::{CpuTime, Process, free_addr, with};

/// Worker processes, and processes that answer.
const WORKERS: [usize; 3] = [1, 2, 4];
const APIS: [usize; 2] = [1, 2];
/// Accounts of the pool, so many that no budget ends.
const ACCOUNTS: usize = 1_000;
/// Requests at once, shared by the processes.
const LANES: usize = 16;
/// A unit may cost so many times what it costs with one process.
const MOST_GROWTH: f64 = 1.5;
const LIMIT: Duration = Duration::from_secs(300);

/// How to measure.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The release binary of the gateway.
    #[arg(long)]
    gateway: PathBuf,
    /// Jobs that are timed.
    #[arg(long, default_value_t = 10_000)]
    jobs: u64,
    /// Requests that are timed.
    #[arg(long, default_value_t = 16_000)]
    requests: usize,
    /// A `PostgreSQL` server on which databases may be made.
    #[arg(long, default_value = "postgres://postgres@127.0.0.1:5432")]
    postgres: String,
    /// A Redis server; keys of its own prefix are made there, and removed.
    #[arg(long, default_value = "redis://127.0.0.1:6379")]
    redis: String,
}

/// Measures and prints a table; an error when a unit costs more the more processes there are.
pub(crate) async fn command(options: Options) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let mut dear = Vec::new();
    writeln!(out, "processes        a second   CPU us each")?;
    let mut costs = Vec::new();
    for processes in WORKERS {
        let (rate, cost) = scaled(&options.postgres, &options.redis, processes, options.jobs).await?;
        writeln!(out, "{processes} that work {rate:>12.0}{:>14.0}", micros(cost))?;
        costs.push(micros(cost));
    }
    dear.extend(grown("a job", &costs));
    costs.clear();
    for processes in APIS {
        let (rate, cost) = requests(&options, processes).await?;
        writeln!(out, "{processes} that answer {rate:>10.0}{:>14.0}", micros(cost))?;
        costs.push(micros(cost));
    }
    dear.extend(grown("a request", &costs));
    ensure!(dear.is_empty(), "{}", dear.join("; "));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a job are few")]
fn micros(ns: u64) -> f64 {
    ns as f64 / 1_000.0
}

fn grown(what: &str, costs: &[f64]) -> Option<String> {
    let (first, last) = (*costs.first()?, *costs.last()?);
    (last > first * MOST_GROWTH).then(|| format!("{what} costs {:.1} times as much with more processes", last / first))
}

/// Requests a second of so many processes, and nanoseconds of their CPU time for each.
async fn requests(options: &Options, processes: usize) -> anyhow::Result<(f64, u64)> {
    let (home, prefix) = (tempfile::tempdir()?, name());
    let database = Database::create(&options.postgres).await?;
    let mut sim = Process::start("the simulator", with(Command::new(std::env::current_exe()?), ["sim"]))?;
    let upstream: SocketAddr = sim.line()?.parse().context("no address")?;
    let place = Place { options, home: home.path(), prefix: &prefix, database: database.url(), upstream };
    place.import()?;
    let apis = (0..processes).map(|_| place.api()).collect::<anyhow::Result<Vec<_>>>()?;
    load(&apis, options.requests / 10)?;
    let before = apis.iter().map(|(api, _)| CpuTime::of(api.pid())).collect::<anyhow::Result<Vec<_>>>()?;
    let began = Instant::now();
    let made = load(&apis, options.requests)?;
    let took = began.elapsed();
    let mut used = 0;
    for ((api, _), before) in apis.iter().zip(before) {
        used += CpuTime::of(api.pid())?.since(before);
    }
    drop((apis, sim));
    remove_keys(&options.redis, &prefix).await?;
    database.remove().await?;
    let rate = f64::from(u32::try_from(made)?) / took.as_secs_f64();
    Ok((rate, used / u64::try_from(made)?.max(1)))
}

/// What all processes of a measurement share.
struct Place<'a> {
    options: &'a Options,
    home: &'a Path,
    prefix: &'a str,
    database: String,
    upstream: SocketAddr,
}

impl Place<'_> {
    fn command(&self, listen: SocketAddr) -> Command {
        let mut command = Command::new(&self.options.gateway);
        command
            .env("GROK2API_DATA_DIR", self.home.join("data"))
            .env("GROK2API_STORAGE_MODE", "postgres")
            .env("GROK2API_DATABASE_URL", &self.database)
            .env("GROK2API_REDIS_URL", &self.options.redis)
            .env("GROK2API_REDIS_PREFIX", self.prefix)
            .env("GROK2API_LISTEN", listen.to_string())
            .env("GROK2API_UPSTREAM__BASE_URL", format!("http://{}", self.upstream))
            .env("GROK2API_UPSTREAM__ASSETS_BASE_URL", format!("http://{}", self.upstream))
            .env("GROK2API_GROK__API_KEY", "bench-key")
            .env("GROK2API_POOL__MAX_IN_FLIGHT", "100")
            .current_dir(self.home);
        command
    }

    fn import(&self) -> anyhow::Result<()> {
        let names = self.home.join("accounts.txt");
        let text: Vec<String> = (0..ACCOUNTS).map(account).collect();
        std::fs::write(&names, text.join("\n")).context("the accounts cannot be written")?;
        let import = self.command(free_addr()?).args(["token", "import"]).arg(&names).output()?;
        ensure!(import.status.success(), "import failed: {}", String::from_utf8_lossy(&import.stderr));
        Ok(())
    }

    fn api(&self) -> anyhow::Result<(Process, SocketAddr)> {
        let addr = free_addr()?;
        let log = std::fs::File::create(self.home.join(format!("{}.log", addr.port()))).context("no log")?;
        let mut process = Process::start_quiet("the gateway", with(self.command(addr), ["api"]), log)?;
        process.wait_for(addr, LIMIT)?;
        Ok((process, addr))
    }
}

/// Sends so many requests, the same number to each process; answers how many were made.
fn load(apis: &[(Process, SocketAddr)], requests: usize) -> anyhow::Result<usize> {
    let lanes = LANES / apis.len();
    let each = requests / LANES;
    let mut loads = Vec::new();
    for (_, addr) in apis {
        let mut load = Command::new(std::env::current_exe()?);
        load.args(["load", "--dialect", "gateway", "--whole", "--chunks", "5", "--addr"]).arg(addr.to_string());
        load.args(["--lanes", &lanes.to_string(), "--requests", &each.to_string()]);
        loads.push(load.stdout(Stdio::null()).spawn().context("the load cannot be started")?);
    }
    for mut load in loads {
        ensure!(load.wait()?.success(), "not every request was answered as it should be");
    }
    Ok(lanes * each * apis.len())
}
