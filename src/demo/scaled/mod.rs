//! `grok2api demo --scaled`: the roles as processes of their own, with PostgreSQL, Redis and a balancer.

mod children;
mod ground;
mod show;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use self::children::Process;
use self::ground::Ground;
use self::show::Show;
use super::{listener, say};
use crate::balancer::Balancer;
use crate::house::Role;

/// Processes of each role, as in `compose.scaled.yaml`.
const PROCESSES: [(Role, usize); 3] = [(Role::Api, 2), (Role::Worker, 3), (Role::Scheduler, 2)];
/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// Servers that run already.
#[derive(Debug, Clone)]
pub struct Servers {
    /// A PostgreSQL server on which a database may be made and removed.
    pub postgres: String,
    /// A Redis server.
    pub redis: String,
}

/// Shows many processes at work, then keeps them serving until Ctrl-C, or ends if `once`. Nothing is left behind.
///
/// # Errors
/// Something of the demo does not work; it says what.
pub async fn run(listen: Option<SocketAddr>, once: bool, servers: &Servers) -> Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stopped = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    let ground = Ground::make(servers).await?;
    let shown = tokio::select! {
        shown = show(&ground, listen, once) => shown,
        () = stopped => say("\nEnding. The demo's database, keys and folder are removed; nothing is left behind."),
    };
    let removed = ground.remove().await;
    shown.and(removed)
}

async fn show(ground: &Ground, listen: Option<SocketAddr>, once: bool) -> Result<()> {
    let listener = listener(listen).await?;
    let mut processes = Vec::new();
    for (role, count) in PROCESSES {
        for number in 1..=count {
            processes.push(Process::start(ground, role, number).await?);
        }
    }
    let apis = processes[..PROCESSES[0].1].iter().map(|process| process.address).collect();
    let balancer = Balancer::before(listener, apis).context("the balancer does not listen")?;
    let mut show = Show::new(ground, processes, balancer)?;
    let shown = show.play().await;
    if shown.is_ok() && !once {
        say("Serving until Ctrl-C.")?;
        std::future::pending::<()>().await;
    }
    let ended = show.end().await;
    shown.and(ended)
}

/// Waits until `look` answers something.
async fn wait_for<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let until = Instant::now() + limit;
    loop {
        if let Some(seen) = look().await? {
            return Ok(seen);
        }
        ensure!(Instant::now() < until, "waited {} s in vain until {what}", limit.as_secs());
        tokio::time::sleep(GLANCE).await;
    }
}
