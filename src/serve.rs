//! `grok2api serve`, `api`, `worker` and `scheduler`: a process in its role, until it is told to end.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use grok2api_config::StartUp;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::first_admin;
use crate::house::{House, Role};

/// Connections that may wait to be accepted; the system's own limit may lower it.
const BACKLOG: u32 = 4096;

/// Serves until the process is told to end.
///
/// # Errors
/// The store cannot be opened or the address is taken.
pub async fn serve(startup: &StartUp, role: Role) -> Result<()> {
    let mut house = House::open_as(startup, role).await?;
    house.state.metrics = Some(grok2api_api::metrics::install().context("the metrics recorder cannot be installed")?);
    let address = match role {
        Role::All | Role::Api => Some(startup.listen),
        Role::Worker => startup.worker.listen,
        Role::Scheduler => startup.scheduler.listen,
    };
    if matches!(role, Role::All | Role::Api) {
        first_admin::ensure_told(&house.store, startup).await?;
    }
    let listener = match address {
        Some(address) => Some(
            listen(address).with_context(|| format!("cannot listen on {address}: is another server running there?"))?,
        ),
        None => None,
    };
    announce(&house, role, startup, listener.as_ref().and_then(|listener| listener.local_addr().ok()));
    let stop = CancellationToken::new();
    end_on_signal(stop.clone(), house.hurry.clone())?;
    house.serve(listener, role, stop).await
}

/// Listens with room for a burst of new connections.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The first signal ends in order, the second at once. A person at the keyboard (`SIGINT`) has no balancer to wait for.
fn end_on_signal(stop: CancellationToken, hurry: CancellationToken) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        for is_last in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => hurry.cancel(),
                _ = terminate.recv() => {}
            }
            if is_last {
                tracing::warn!("told twice: ending at once");
                std::process::exit(1);
            }
            tracing::info!("ending: open answers may finish");
            stop.cancel();
        }
    });
    Ok(())
}

fn announce(house: &House, role: Role, startup: &StartUp, address: Option<SocketAddr>) {
    let census = house.gateway.pool().state().census();
    let address = address.map(|address| address.to_string()).unwrap_or_default();
    let invitation = match role {
        Role::All | Role::Api => {
            format!("ready: the OpenAI base URL is http://{address}/v1, the documentation is at http://{address}/docs")
        }
        Role::Worker => "ready: working on jobs".to_owned(),
        Role::Scheduler => "ready: saying what is due".to_owned(),
    };
    tracing::info!(
        address,
        version = env!("CARGO_PKG_VERSION"),
        storage = startup.storage_mode.as_str(),
        queue = if startup.redis_url.is_some() { "redis" } else { "embedded" },
        role = role.as_str(),
        accounts = census.total(),
        usable = census.active,
        "{invitation}"
    );
    if role == Role::Scheduler {
        return;
    }
    if census.total() == 0 {
        tracing::warn!("the pool is empty: add accounts with `grok2api token add` or `grok2api token import`");
    }
    if !house.state.keys.any(&house.gateway.settings().load()) {
        tracing::warn!("no client key is set, so nobody gets in: make one with `grok2api key create`");
    }
}
