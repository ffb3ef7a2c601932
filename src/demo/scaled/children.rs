//! The processes of the demo: this very program in its roles.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::Client;
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use super::ground::Ground;
use super::wait_for;
use crate::house::Role;

/// Longest wait for a process to be ready, and for one to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Lines of a log that are told when its process ends by itself.
const LAST_WORDS: usize = 20;

/// One process.
pub(super) struct Process {
    /// Its name, such as `worker-2`.
    pub(super) name: String,
    /// Where it answers.
    pub(super) address: SocketAddr,
    role: Role,
    log: PathBuf,
    child: Child,
}

impl Process {
    /// Starts a process of a role.
    pub(super) async fn start(ground: &Ground, role: Role, number: usize) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        let name = format!("{}-{number}", role.as_str());
        let log = ground.folder.path().join(format!("{name}.log"));
        let child = spawn(ground, role, address, &log).with_context(|| format!("{name} cannot be started"))?;
        Ok(Self { name, address, role, log, child })
    }

    /// Starts it anew, where it was.
    pub(super) fn start_again(&mut self, ground: &Ground) -> Result<()> {
        self.child = spawn(ground, self.role, self.address, &self.log)?;
        Ok(())
    }

    /// Its process number while it runs.
    pub(super) fn pid(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    /// Waits until it is ready.
    pub(super) async fn ready(&mut self, client: &Client) -> Result<()> {
        let url = format!("http://{}/readyz", self.address);
        wait_for(&format!("{} is ready", self.name), PATIENCE, async || {
            self.expect_alive()?;
            Ok(client.get(&url).send().await.is_ok_and(|answer| answer.status() == 200).then_some(()))
        })
        .await
    }

    /// Fails, with its last words, if it has ended.
    pub(super) fn expect_alive(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n");
        bail!("{} ended by itself ({status}):\n{last}", self.name);
    }

    /// Asks it to end.
    pub(super) fn terminate(&self) -> Result<()> {
        match i32::try_from(self.pid()).ok().and_then(Pid::from_raw) {
            Some(pid) => Ok(kill_process(pid, Signal::TERM)?),
            None => Ok(()),
        }
    }

    /// Waits until it has ended after it was asked to.
    pub(super) async fn ended(&mut self) -> Result<()> {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = ended.with_context(|| format!("{} does not end", self.name))??;
        if status.success() { Ok(()) } else { bail!("{} ended with {status}", self.name) }
    }

    /// Ends it as a power cut does.
    pub(super) async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}

fn spawn(ground: &Ground, role: Role, address: SocketAddr, log: &PathBuf) -> Result<Child> {
    let file = File::options().create(true).append(true).open(log)?;
    let listens = match role {
        Role::All | Role::Api => "GROK2API_LISTEN",
        Role::Worker => "GROK2API_WORKER__LISTEN",
        Role::Scheduler => "GROK2API_SCHEDULER__LISTEN",
    };
    let child = Command::new(std::env::current_exe()?)
        .arg(role.as_str())
        .env_clear()
        .envs(ground.variables.iter().map(|(name, value)| (name, value)))
        .env(listens, address.to_string())
        .current_dir(ground.folder.path())
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        // Ctrl-C is for the demo alone: it ends its processes itself.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    Ok(child)
}
