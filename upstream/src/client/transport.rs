//! Requests to the upstream over connections of our own, and what it means when they fail.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body_util::Full;
use rustls::ClientConfig;

use super::connector::{ConnectFault, Connector, is_forwarded};
use super::endpoints::Endpoints;
use super::idle::Idle;
use super::proxy::Proxy;
use super::wire::{SendFault, Wire, WireBody};
use crate::error::{Delivery, ErrorKind, UpstreamError};

/// One way to the upstream, with the connections that are open on it.
///
/// HTTP/1.1 on purpose: over HTTP/2 servers allow some hundred streams on a connection, and answers that last for
/// minutes would queue up behind each other and share one flow-control window.
pub(super) struct Transport {
    connector: Connector,
    idle: Arc<Idle>,
    host: HeaderValue,
    /// The proxy that is sent whole requests is not the host that they are for.
    forwarded: Option<Forwarded>,
}

struct Forwarded {
    authorization: Option<HeaderValue>,
}

impl Transport {
    pub(super) fn new(
        endpoints: &Endpoints,
        proxy: Option<&Proxy>,
        tls: &Arc<ClientConfig>,
        connect_timeout: Duration,
    ) -> Self {
        let forwarded = proxy
            .filter(|proxy| is_forwarded(&endpoints.connect_to, proxy))
            .map(|proxy| Forwarded { authorization: proxy.authorization() });
        Self {
            connector: Connector::new(&endpoints.connect_to, proxy, tls, connect_timeout),
            idle: Arc::default(),
            host: endpoints.host.clone(),
            forwarded,
        }
    }

    /// Posts a body; returns when the answer's head is there. Only connecting has a time limit.
    ///
    /// Nothing is sent twice: another connection is tried only when not a byte went out on the one before.
    pub(super) async fn post(
        &self,
        uri: &Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<WireBody>, UpstreamError> {
        let mut request = self.request(uri, headers, body)?;
        loop {
            let (wire, is_fresh) = match self.idle.take() {
                Some(wire) => (wire, false),
                None => (self.connect().await?, true),
            };
            match wire.send(request, &self.idle).await {
                Ok(response) => return Ok(response),
                Err(SendFault::Unsent(unsent)) if !is_fresh => request = *unsent,
                Err(SendFault::Unsent(_)) => return Err(interrupted().with_delivery(Delivery::NotAccepted)),
                Err(SendFault::Interrupted) => return Err(interrupted()),
            }
        }
    }

    fn request(&self, uri: &Uri, mut headers: HeaderMap, body: Bytes) -> Result<Request<Full<Bytes>>, UpstreamError> {
        headers.insert(HOST, self.host.clone());
        let target = if let Some(Forwarded { authorization }) = &self.forwarded {
            if let Some(authorization) = authorization {
                headers.insert(PROXY_AUTHORIZATION, authorization.clone());
            }
            Some(uri.clone())
        } else {
            uri.path_and_query().cloned().map(Uri::from)
        };
        let Some(target) = target else {
            return Err(UpstreamError::new(ErrorKind::InvalidRequest, "the upstream's address has no path"));
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = target;
        *request.headers_mut() = headers;
        Ok(request)
    }

    #[cfg(test)]
    pub(super) fn idle(&self) -> &Arc<Idle> {
        &self.idle
    }

    async fn connect(&self) -> Result<Box<Wire>, UpstreamError> {
        let io = self.connector.connect().await.map_err(connect_error)?;
        Wire::new(io).await.map_err(|_| interrupted())
    }
}

/// What it means that there is no connection. Nothing is said of hosts, proxies or addresses.
fn connect_error(fault: ConnectFault) -> UpstreamError {
    let (kind, message) = match fault {
        ConnectFault::TimedOut => (ErrorKind::Timeout, "no connection to the upstream could be made in time"),
        ConnectFault::Failed => (ErrorKind::Unreachable, "the upstream cannot be reached"),
    };
    UpstreamError::new(kind, message).with_delivery(Delivery::NotAccepted)
}

fn interrupted() -> UpstreamError {
    UpstreamError::new(ErrorKind::Interrupted, "the upstream closed the connection before it answered")
}

/// Ends a whole call at its deadline.
pub(super) async fn within<T>(
    deadline: Duration,
    call: impl Future<Output = Result<T, UpstreamError>>,
) -> Result<T, UpstreamError> {
    match tokio::time::timeout(deadline, call).await {
        Ok(outcome) => outcome,
        Err(_) => Err(UpstreamError::new(ErrorKind::Timeout, "the upstream did not answer in time")),
    }
}
