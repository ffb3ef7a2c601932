//! The accept loop, and the end.

use std::sync::Arc;
use std::time::Duration;

use poem::Response;
use poem::endpoint::BoxEndpoint;
use poem::http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{self, Desk};
use super::crowd::{Crowd, Full};
use super::{ServerOptions, unread};
use crate::error::ApiError;
use crate::state::AppState;

/// A peer that vanished without a word, or takes nothing, is noticed by the system this long after a write (F18).
const USER_TIMEOUT: Duration = Duration::from_secs(15);
/// The system holds so many bytes that it has not sent; those under way to a client that reads are not among them.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 64 * 1024;
const ACCEPT_BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// After streams were told to end, their last event gets this long to reach the client.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Most connections that are being turned away at the same time, and the time each may take.
const AT_THE_DOOR: (usize, Duration) = (64, Duration::from_secs(1));

/// Serves until `shutdown` is cancelled, then ends in order: no new connections, open streams get their grace, then an
/// error event, then the connection closes.
///
/// While the state drains before that, everything is answered as ever, but each answer is its connection's last: clients
/// that keep connections come back through their balancer, which looks elsewhere by then.
///
/// # Errors
/// The listener's address cannot be read.
pub async fn serve(
    listener: TcpListener,
    app: BoxEndpoint<'static, Response>,
    state: AppState,
    options: ServerOptions,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let grace = options.grace;
    let desk = Desk {
        local: listener.local_addr()?,
        app: Arc::new(app),
        state: state.clone(),
        header_timeout: options.header_timeout,
        write_stall: options.write_stall,
    };
    let connections = TaskTracker::new();
    accept(&listener, desk, options, &connections, &shutdown).await;
    drop(listener);
    state.start_draining();
    connections.close();
    if tokio::time::timeout(grace, connections.wait()).await.is_err() {
        state.cut_off.cancel();
        if tokio::time::timeout(LAST_WORDS, connections.wait()).await.is_err() {
            tracing::warn!(open = connections.len(), "connections were cut");
        }
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    desk: Desk,
    options: ServerOptions,
    connections: &TaskTracker,
    shutdown: &CancellationToken,
) {
    let crowd = Crowd::new(options.max_connections, options.max_connections_per_ip, options.trusted_proxies);
    let door = Arc::new(Semaphore::new(AT_THE_DOOR.0));
    let mut backoff = ACCEPT_BACKOFF.0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => return,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: trying again at once would only burn the processor (T12).
                tracing::warn!(%error, "cannot accept connections");
                tokio::select! {
                    () = tokio::time::sleep(backoff) => {}
                    () = shutdown.cancelled() => return,
                }
                backoff = (backoff * 2).min(ACCEPT_BACKOFF.1);
                continue;
            }
        };
        backoff = ACCEPT_BACKOFF.0;
        match crowd.admit(peer.ip()) {
            Ok(place) => {
                tune(&socket);
                connections.spawn(connection::serve(socket, peer, desk.clone(), shutdown.clone(), place));
            }
            Err(full) => {
                count(full);
                let permit = match full {
                    // Others wait in the system's queue until somebody at the door has gone.
                    Full::Everywhere => Arc::clone(&door).acquire_owned().await.ok(),
                    Full::Address => Arc::clone(&door).try_acquire_owned().ok(),
                };
                let Some(permit) = permit else { continue };
                connections.spawn(async move {
                    turn_away(socket, full).await;
                    drop(permit);
                });
            }
        }
    }
}

fn tune(socket: &TcpStream) {
    let tuned = socket.set_nodelay(true);
    let reference = socket2::SockRef::from(socket);
    #[cfg(target_os = "linux")]
    let tuned = tuned
        .and_then(|()| reference.set_tcp_user_timeout(Some(USER_TIMEOUT)))
        .and_then(|()| reference.set_tcp_notsent_lowat(UNSENT_BYTES));
    let keepalive = socket2::TcpKeepalive::new().with_time(USER_TIMEOUT * 2);
    if let Err(error) = tuned.and_then(|()| reference.set_tcp_keepalive(&keepalive)) {
        tracing::debug!(%error, "a socket could not be tuned");
    }
}

fn count(full: Full) {
    let reason = match full {
        Full::Everywhere => "total",
        Full::Address => "address",
    };
    metrics::counter!("grok2api_connections_refused_total", "reason" => reason).increment(1);
}

/// Answers the first request of a connection that has no place, and closes it.
async fn turn_away(mut socket: TcpStream, full: Full) {
    let error = match full {
        Full::Everywhere => ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "api_error",
            "server_overloaded",
            "The server has as many connections as it takes.",
        ),
        Full::Address => ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limit_error",
            "too_many_connections",
            "There are too many connections from this address. Behind a proxy, its operator lists it in \
             server.trusted_proxies.",
        ),
    };
    let answer = unread::whole(&error.after(Duration::from_secs(1)));
    let told = async {
        // An answer to what was not asked yet confuses clients.
        socket.readable().await?;
        socket.write_all(&answer).await?;
        socket.shutdown().await?;
        // Closing on unread bytes would take the answer back.
        let mut rest = [0; 1024];
        while socket.read(&mut rest).await? > 0 {}
        std::io::Result::Ok(())
    };
    // Who does not listen is left alone.
    let _ = tokio::time::timeout(AT_THE_DOOR.1, told).await;
}
