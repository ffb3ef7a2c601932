//! The listener: sockets tuned for streams, a cap on connections, deadlines for headers, an orderly end.
//!
//! Poem's own server sets none of these, so connections are served by hyper here and only requests go through poem.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::endpoint::BoxEndpoint;
use poem::http::HeaderValue;
use poem::http::header::CONNECTION;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::state::AppState;

const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Bounds a header block and what is buffered for a client that reads slowly.
const MAX_BUFFER: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;
/// A peer that vanished without a word is noticed this long after a write.
const USER_TIMEOUT: Duration = Duration::from_secs(15);
const ACCEPT_BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// After streams were told to end, their last event gets this long to reach the client.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How a server listens and ends.
#[derive(Debug, Clone, Copy)]
pub struct ServerOptions {
    /// Most connections at the same time; more wait in the system's queue.
    pub max_connections: usize,
    /// How long open streams may go on after a shutdown began.
    pub grace: Duration,
}

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
    let local = listener.local_addr()?;
    let app = Arc::new(app);
    let places = Arc::new(Semaphore::new(options.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
    let connections = TaskTracker::new();
    let mut backoff = ACCEPT_BACKOFF.0;
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = shutdown.cancelled() => break,
        };
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((socket, peer)) => {
                backoff = ACCEPT_BACKOFF.0;
                tune(&socket);
                let desk = Desk { local, app: Arc::clone(&app), state: state.clone() };
                let connection = serve_connection(socket, peer, desk, shutdown.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: trying again at once would only burn the processor.
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(ACCEPT_BACKOFF.1);
            }
        }
    }
    drop(listener);
    state.start_draining();
    connections.close();
    if tokio::time::timeout(options.grace, connections.wait()).await.is_err() {
        state.cut_off.cancel();
        if tokio::time::timeout(LAST_WORDS, connections.wait()).await.is_err() {
            tracing::warn!(open = connections.len(), "connections were cut");
        }
    }
    Ok(())
}

fn tune(socket: &TcpStream) {
    let tuned = socket.set_nodelay(true);
    let reference = socket2::SockRef::from(socket);
    #[cfg(target_os = "linux")]
    let tuned = tuned.and_then(|()| reference.set_tcp_user_timeout(Some(USER_TIMEOUT)));
    let keepalive = socket2::TcpKeepalive::new().with_time(USER_TIMEOUT * 2);
    if let Err(error) = tuned.and_then(|()| reference.set_tcp_keepalive(&keepalive)) {
        tracing::debug!(%error, "a socket could not be tuned");
    }
}

/// What the connections of a listener share.
#[derive(Clone)]
struct Desk {
    local: SocketAddr,
    app: Arc<BoxEndpoint<'static, Response>>,
    state: AppState,
}

impl Desk {
    async fn answer(self, request: hyper::Request<Incoming>, peer: SocketAddr) -> Response {
        let addresses = (LocalAddr(Addr::SocketAddr(self.local)), RemoteAddr(Addr::SocketAddr(peer)), Scheme::HTTP);
        let mut response = self.app.get_response((request, addresses.0, addresses.1, addresses.2).into()).await;
        if self.state.is_draining() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

async fn serve_connection(socket: TcpStream, peer: SocketAddr, desk: Desk, shutdown: CancellationToken) {
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let desk = desk.clone();
        async move { Ok::<hyper::Response<_>, Infallible>(desk.answer(request, peer).await.into()) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_BUFFER)
        .max_headers(MAX_HEADERS)
        // Events are small: one flat write costs the kernel less than gathering chunk head, data and tail.
        .writev(false)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = std::pin::pin!(connection);
    let mut cancelled = std::pin::pin!(shutdown.cancelled());
    let mut is_watched = false;
    let ended = std::future::poll_fn(|cx| {
        if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(ended));
        }
        // The order to end wakes this task wherever it was registered first, so it is not polled for every event.
        if is_watched && !shutdown.is_cancelled() {
            return Poll::Pending;
        }
        is_watched = true;
        cancelled.as_mut().poll(cx).map(|()| None)
    })
    .await;
    let ended = if let Some(ended) = ended {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
