//! One node with `STORAGE_MODE=redis`: its disk may vanish, its records are mirrored in Redis.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use grok2api_sim::{Pace, Sim};
use tempfile::TempDir;
use uuid::Uuid;

use super::free_port;
use super::process::{Process, wait_for};
use crate::binary;
use crate::client::{Client, http};

/// The server that the tests expect.
pub const REDIS: &str = "redis://127.0.0.1:6379";
/// The operator's token.
const ADMIN: &str = "the-operators-token-1";
/// The master key, which does not lie on the disk.
const MASTER: &str = "q8Jf0Zr3pXv7LkTn5WcYb2Hd9MsEa4GuRi6";
/// Longest wait for a process to be ready.
const READY: Duration = Duration::from_secs(60);

/// A node, its upstream, and its part of Redis, which it takes away when it is dropped.
#[derive(Debug)]
pub struct Node {
    /// The upstream.
    pub sim: Sim,
    /// Further variables for each process.
    pub variables: BTreeMap<String, String>,
    prefix: String,
    address: String,
    folder: TempDir,
    data: PathBuf,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub results: String,
    /// What it remarked.
    pub remarks: String,
}

impl Node {
    /// A node with an empty disk and an empty part of Redis.
    ///
    /// # Errors
    /// The upstream cannot be started.
    pub async fn prepare() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("grok2api-node-").tempdir()?;
        let prefix = format!("test-{}", Uuid::new_v4().simple());
        let data = folder.path().join("data");
        let address = format!("127.0.0.1:{}", free_port().await?);
        let sim = Sim::builder().pace(Pace::Full).start("127.0.0.1:0").await?;
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let variables = [
            set("STORAGE_MODE", "redis"),
            set("REDIS_URL", REDIS),
            set("GROK2API_SECRET_KEY", MASTER),
            set("GROK2API_SERVER__ADMIN_TOKEN", ADMIN),
            set("GROK2API_SERVER__DRAIN_DELAY_SECS", "0"),
            set("GROK2API_SERVER__SHUTDOWN_GRACE_SECS", "1"),
        ];
        Ok(Self { sim, variables: variables.into(), prefix, address, folder, data })
    }

    /// Sets a variable for what is started from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// What its keys in Redis begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Where its data lie now.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Lets what is started from now on use another data folder.
    pub fn use_folder(&mut self, name: &str) {
        self.data = self.folder.path().join(name);
    }

    /// The disk vanishes.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn wipe(&self) -> Result<()> {
        Ok(std::fs::remove_dir_all(&self.data)?)
    }

    /// Starts a process of a role.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&self, role: &str) -> Result<Process> {
        Process::start(self.command(&[role]), &self.log())
    }

    /// Starts a server and waits until it is ready to serve.
    ///
    /// # Errors
    /// It does not become so.
    pub async fn serve(&self) -> Result<Process> {
        let mut process = self.start("serve")?;
        wait_for("the node is ready", READY, async || {
            process.expect_alive()?;
            let answer = http().get(format!("http://{}/readyz", self.address)).send().await;
            Ok(answer.ok().filter(|answer| answer.status() == 200).map(drop))
        })
        .await?;
        Ok(process)
    }

    /// Carries out a command to its end.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run(&self, words: &[&str], input: &str) -> Result<Ended> {
        let mut command = self.command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        child.stdin.take().context("no standard input")?.write_all(input.as_bytes())?;
        let output = child.wait_with_output()?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Ended {
            code: output.status.code().unwrap_or(-1),
            results: text(output.stdout),
            remarks: text(output.stderr),
        })
    }

    /// Carries out a command, and answers what it printed.
    ///
    /// # Errors
    /// It fails.
    pub fn done(&self, words: &[&str], input: &str) -> Result<String> {
        let ended = self.run(words, input)?;
        ensure!(ended.code == 0, "{words:?} failed: {}", ended.remarks);
        Ok(ended.results.trim().to_owned())
    }

    /// The words of its servers.
    pub fn words(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("servers.log")
    }

    /// A client with a key.
    pub fn client(&self, key: &str) -> Client {
        Client::new(&format!("http://{}", self.address), Some(key))
    }

    /// The operator.
    pub fn admin(&self) -> Client {
        self.client(ADMIN)
    }

    /// Everything of the mirror in Redis, by key and row.
    ///
    /// # Errors
    /// Redis does not answer.
    pub fn mirror(&self) -> Result<BTreeMap<String, BTreeMap<String, String>>> {
        let mut redis = redis::Client::open(REDIS)?.get_connection()?;
        let mut found = BTreeMap::new();
        for key in self.keys(&mut redis, "mirror:*")? {
            let kind: String = redis::cmd("TYPE").arg(&key).query(&mut redis)?;
            if kind == "hash" {
                let rows = redis::cmd("HGETALL").arg(&key).query(&mut redis)?;
                found.insert(key.trim_start_matches(&format!("{}:mirror:", self.prefix)).to_owned(), rows);
            }
        }
        Ok(found)
    }

    /// Sends a command about one of the node's keys.
    ///
    /// # Errors
    /// Redis does not answer.
    pub fn redis(&self, command: &str, key: &str, words: &[&str]) -> Result<()> {
        let mut redis = redis::Client::open(REDIS)?.get_connection()?;
        Ok(redis::cmd(command).arg(format!("{}:{key}", self.prefix)).arg(words).exec(&mut redis)?)
    }

    fn keys(&self, redis: &mut redis::Connection, pattern: &str) -> Result<Vec<String>> {
        let (mut cursor, mut keys) = (0_u64, Vec::new());
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(format!("{}:{pattern}", self.prefix)).arg("COUNT").arg(1000);
            let (next, page): (u64, Vec<String>) = scan.query(redis)?;
            keys.extend(page);
            cursor = next;
            if cursor == 0 {
                return Ok(keys);
            }
        }
    }

    fn forget(&self) -> Result<()> {
        let mut redis = redis::Client::open(REDIS)?.get_connection()?;
        let keys = self.keys(&mut redis, "*")?;
        for page in keys.chunks(500) {
            redis::cmd("DEL").arg(page).exec(&mut redis)?;
        }
        if keys.iter().any(|key| !key.starts_with("test-")) {
            bail!("keys of others were found");
        }
        Ok(())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GROK2API_")) {
            command.env_remove(name);
        }
        for name in ["STORAGE_MODE", "DATABASE_URL", "REDIS_URL", "RUST_LOG", "PORT"] {
            command.env_remove(name);
        }
        command.args(words).current_dir(self.folder.path());
        command.env("GROK2API_DATA_DIR", &self.data).env("GROK2API_LISTEN", &self.address);
        command.env("GROK2API_REDIS_PREFIX", &self.prefix);
        command.env("GROK2API_UPSTREAM__BASE_URL", self.sim.url());
        command.env("GROK2API_UPSTREAM__ASSETS_BASE_URL", self.sim.url());
        command.envs(&self.variables);
        command
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.forget();
    }
}
