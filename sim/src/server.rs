//! Who listens, and how does a connection live and end? HTTP/1.1 and HTTP/2 without TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::dispatch;
use crate::state::State;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4_096;
/// Streams on one HTTP/2 connection.
const MAX_STREAMS: u32 = 20_000;

/// Binds an address given as text.
pub(crate) async fn listen(addr: &str) -> io::Result<TcpListener> {
    let addr: SocketAddr =
        lookup_host(addr).await?.next().ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// Accepts until it is stopped.
pub(crate) async fn serve(listener: TcpListener, state: Arc<State>, tasks: TaskTracker, stop: CancellationToken) {
    let mut backoff = Duration::ZERO;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, _)) => {
                backoff = Duration::ZERO;
                tasks.spawn(connection(socket, Arc::clone(&state), stop.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "the simulator cannot accept a connection");
                backoff = (backoff * 2).clamp(Duration::from_millis(10), Duration::from_secs(1));
                tokio::time::sleep(backoff).await;
            }
        }
    }
}

/// Serves one connection until either side has enough. What it leaves unfinished is dropped, and counted by `Drop`.
async fn connection(socket: TcpStream, state: Arc<State>, stop: CancellationToken) {
    if socket.set_nodelay(true).is_err() {
        return; // the peer has gone already
    }
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // A line is a few hundred bytes: one copy and one `write` cost less than a `writev` of three parts.
    builder.http1().writev(false);
    builder.http2().max_concurrent_streams(MAX_STREAMS);
    let service = service_fn(move |request| dispatch::answer(Arc::clone(&state), request));
    let connection = pin!(builder.serve_connection(TokioIo::new(socket), service));
    tokio::select! {
        biased;
        ended = connection => {
            if let Err(error) = ended {
                tracing::debug!(error = %error, "a connection of the simulator ended early");
            }
        }
        () = stop.cancelled() => {}
    }
}
