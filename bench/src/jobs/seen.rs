//! What workers have done so far, here or in other processes.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::run::CpuTime;

/// How often somebody looks at a counter.
const LOOK: Duration = Duration::from_millis(5);

/// What the jobs of one process told when they began. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) begun: Arc<AtomicU64>,
    waits_us: Arc<Mutex<Vec<u32>>>,
}

impl Told {
    /// A job began that was put at `put_us`; 0 when nobody wants to know how long it waited.
    pub(super) fn begins(&self, put_us: u64) {
        if put_us > 0 {
            let waited = u32::try_from(super::now_us().saturating_sub(put_us)).unwrap_or(u32::MAX);
            self.waits_us.lock().push(waited);
        }
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn waits_us(&self) -> Vec<u32> {
        self.waits_us.lock().clone()
    }
}

/// Workers at work.
pub(super) enum Seen {
    /// In this process; the future ends them.
    Here(Told, futures_util::future::BoxFuture<'static, ()>),
    /// In others.
    There(Vec<Process>),
}

/// A worker process.
pub(super) struct Process {
    child: Child,
    begun: Arc<AtomicU64>,
    reading: JoinHandle<anyhow::Result<Vec<u32>>>,
}

impl Process {
    /// Starts this program as a worker, and waits until it says that it works.
    pub(super) async fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("jobs-worker").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("cannot start a worker")?;
        let stdout = child.stdout.take().context("its output is not read")?;
        let mut lines = BufReader::new(stdout).lines();
        let ready = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await??;
        ensure!(ready.as_deref() == Some("ready"), "a worker said {ready:?}");
        let begun = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&begun);
        let reading = tokio::spawn(async move {
            while let Some(line) = lines.next_line().await? {
                match line.strip_prefix("waits ") {
                    Some(waits) => return Ok(serde_json::from_str(waits)?),
                    None => count.store(line.parse()?, Ordering::Relaxed),
                }
            }
            anyhow::bail!("a worker ended without a word")
        });
        Ok(Self { child, begun, reading })
    }

    /// CPU time used so far.
    fn cpu(&self) -> anyhow::Result<CpuTime> {
        CpuTime::of(self.child.id().context("a worker has ended")?)
    }

    async fn end(mut self) -> anyhow::Result<Vec<u32>> {
        drop(self.child.stdin.take());
        let waits =
            tokio::time::timeout(Duration::from_secs(30), self.reading).await.context("a worker does not end")??;
        self.child.wait().await?;
        waits
    }
}

impl Seen {
    fn begun(&self) -> u64 {
        match self {
            Self::Here(told, _) => told.begun.load(Ordering::Relaxed),
            Self::There(processes) => processes.iter().map(|process| process.begun.load(Ordering::Relaxed)).sum(),
        }
    }

    /// CPU time that each worker process has used so far; none for workers of this process.
    pub(super) fn cpu(&self) -> anyhow::Result<Vec<CpuTime>> {
        match self {
            Self::Here(..) => Ok(Vec::new()),
            Self::There(processes) => processes.iter().map(Process::cpu).collect(),
        }
    }

    /// Waits until so many jobs have begun. Answers how many had then, and when that was.
    pub(super) async fn reach(&self, jobs: u64, limit: Duration) -> anyhow::Result<(u64, Instant)> {
        let until = Instant::now() + limit;
        loop {
            let (begun, at) = (self.begun(), Instant::now());
            if begun >= jobs {
                return Ok((begun, at));
            }
            ensure!(at < until, "{begun} of {jobs} jobs have begun, and it takes too long");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends the workers. Answers how long the jobs waited that were asked for it, in microseconds.
    pub(super) async fn end(self) -> anyhow::Result<Vec<u32>> {
        match self {
            Self::Here(told, end) => {
                end.await;
                Ok(told.waits_us())
            }
            Self::There(processes) => {
                let mut waits = Vec::new();
                for process in processes {
                    waits.extend(process.end().await?);
                }
                Ok(waits)
            }
        }
    }
}
