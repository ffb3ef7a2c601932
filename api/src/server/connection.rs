//! One connection: hyper reads its requests, poem answers them.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::endpoint::BoxEndpoint;
use poem::http::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use poem::http::uri::Scheme;
use poem::http::{HeaderValue, StatusCode, Version};
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, IntoResponse, Response};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::between::Between;
use super::crowd::Place;
use super::slices::Slices;
use super::wire::Wire;
use crate::error::ApiError;
use crate::public_url;
use crate::state::AppState;

/// Longest header block (H1).
const MAX_HEADER_BYTES: usize = 32 * 1024;
/// Most header fields (H1).
const MAX_HEADERS: usize = 100;
/// Bounds what is read ahead and what is buffered for a client that reads slowly (F19: 64 KiB).
const MAX_BUFFER: usize = 48 * 1024;

/// What the connections of a listener share.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) local: SocketAddr,
    pub(super) app: Arc<BoxEndpoint<'static, Response>>,
    pub(super) state: AppState,
    pub(super) header_timeout: Duration,
    pub(super) write_stall: Duration,
}

impl Desk {
    async fn answer(
        self,
        request: hyper::Request<Incoming>,
        peer: SocketAddr,
        between: Between,
    ) -> hyper::Response<Slices<impl Body<Data = bytes::Bytes, Error = impl std::error::Error + Send + Sync> + Unpin>>
    {
        let fault = fault(&request, &between);
        let mut request: poem::Request =
            (request, LocalAddr(Addr::SocketAddr(self.local)), RemoteAddr(Addr::SocketAddr(peer)), Scheme::HTTP).into();
        if let Some(fault) = fault {
            request.set_data(Refused(fault));
        }
        let mut response = self.app.get_response(request).await;
        if fault.is_some() || self.state.is_draining() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let response: hyper::Response<_> = response.into();
        response.map(|body| Slices::new(body, between))
    }
}

/// Marks a request that could be read and must not be served, with what is wrong with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused(&'static str);

impl Refused {
    pub(crate) fn into_response(self) -> Response {
        ApiError::new(StatusCode::BAD_REQUEST, "invalid_request_error", "bad_request", self.0).into_response()
    }
}

/// What hyper lets through and RFC 9112 (§3.2, §6.3) does not, or leaves to us (H10).
fn fault(request: &hyper::Request<Incoming>, between: &Between) -> Option<&'static str> {
    let headers = request.headers();
    if headers.contains_key(TRANSFER_ENCODING) && between.has_length() {
        return Some("A request has a Content-Length or a Transfer-Encoding, not both.");
    }
    let mut hosts = headers.get_all(HOST).into_iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => Some("A request names one Host."),
        (Some(host), None) if !host.to_str().is_ok_and(public_url::is_plain_host) => Some("This is no valid Host."),
        (None, None) if request.version() == Version::HTTP_11 => Some("A request names a Host."),
        (Some(_) | None, None) | (None, Some(_)) => None,
    }
}

/// Serves a connection to its end, and keeps its place until then.
pub(super) async fn serve(socket: TcpStream, peer: SocketAddr, desk: Desk, shutdown: CancellationToken, place: Place) {
    let between = Between::default();
    let wire = Wire::new(socket, between.clone(), desk.write_stall);
    let header_timeout = desk.header_timeout;
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let answer = desk.clone().answer(request, peer, between.clone());
        // Boxed, so that a connection that asks nothing has no room for it.
        Box::pin(async move { Ok::<_, Infallible>(answer.await) })
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_header_size(MAX_HEADER_BYTES)
        .max_buf_size(MAX_BUFFER)
        .max_headers(MAX_HEADERS)
        // Events are small: one flat write costs the kernel less than gathering chunk head, data and tail.
        .writev(false)
        .serve_connection(TokioIo::new(wire), service);
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
    drop(place);
}
