//! How a connection to the upstream is made: straight, or through one proxy.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use rustls::ClientConfig;
use tower_service::Service;

use super::proxy::{Protocol, Proxy};
use super::wire::Io;

/// A silent peer is asked for a sign of life after this long, and three times so often.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_RETRIES: u32 = 3;

/// A peer that vanished without a word is noticed this long after a write.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(30);

type Https<C> = HttpsConnector<C>;

/// Makes connections to one host by one way.
pub(super) struct Connector {
    way: Way,
    timeout: Duration,
}

/// Each with where it has to be pointed.
#[derive(Clone)]
enum Way {
    /// To the upstream itself, or to a proxy that is sent whole requests.
    Straight(Https<HttpConnector>, Uri),
    /// Through an HTTP proxy that is asked for the host first.
    Tunnel(Https<Tunnel<Https<HttpConnector>>>, Uri),
    /// Through a SOCKS5 proxy.
    Socks(Https<SocksV5<HttpConnector>>, Uri),
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectFault {
    /// Something on the way refused or failed. What it said is left out: it can name the proxy.
    Failed,
    /// It took too long.
    TimedOut,
}

impl Connector {
    /// A connector to `origin`, an address with scheme, host and port.
    pub(super) fn new(origin: &Uri, proxy: Option<&Proxy>, tls: &Arc<ClientConfig>, timeout: Duration) -> Self {
        let (http, origin) = (tcp(), origin.clone());
        let secured = |connector| Https::from((connector, Arc::clone(tls)));
        let way = match proxy {
            None => Way::Straight(secured(http), origin),
            Some(proxy @ Proxy { protocol: Protocol::Socks5, .. }) => {
                let mut socks = SocksV5::new(proxy.address.clone(), http);
                if let Some((user, password)) = proxy.login.clone() {
                    socks = socks.with_auth(user, password);
                }
                Way::Socks(Https::from((socks, Arc::clone(tls))), origin)
            }
            Some(proxy) if is_forwarded(&origin, proxy) => Way::Straight(secured(http), proxy.address.clone()),
            Some(proxy) => {
                let mut tunnel = Tunnel::new(proxy.address.clone(), secured(http));
                if let Some(authorization) = proxy.authorization() {
                    tunnel = tunnel.with_auth(authorization);
                }
                Way::Tunnel(Https::from((tunnel, Arc::clone(tls))), origin)
            }
        };
        Self { way, timeout }
    }

    /// Makes a connection, handshakes and all, within the connect timeout.
    pub(super) async fn connect(&self) -> Result<Box<dyn Io>, ConnectFault> {
        match tokio::time::timeout(self.timeout, self.way.connect()).await {
            Ok(Ok(io)) => Ok(io),
            Ok(Err(_)) => Err(ConnectFault::Failed),
            Err(_) => Err(ConnectFault::TimedOut),
        }
    }
}

/// Whether the proxy is sent whole requests instead of being asked for a tunnel: so it goes without TLS.
pub(super) fn is_forwarded(origin: &Uri, proxy: &Proxy) -> bool {
    proxy.protocol == Protocol::Http && origin.scheme_str() == Some("http")
}

impl Way {
    async fn connect(&self) -> Result<Box<dyn Io>, Box<dyn Error + Send + Sync>> {
        Ok(match self.clone() {
            Self::Straight(mut connector, to) => Box::new(connector.call(to).await?),
            Self::Tunnel(mut connector, to) => Box::new(connector.call(to).await?),
            Self::Socks(mut connector, to) => Box::new(connector.call(to).await?),
        })
    }
}

fn tcp() -> HttpConnector {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_keepalive(Some(KEEPALIVE));
    http.set_keepalive_interval(Some(KEEPALIVE));
    http.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
    #[cfg(target_os = "linux")]
    http.set_tcp_user_timeout(Some(USER_TIMEOUT));
    http
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[tokio::test]
    async fn sockets_send_without_delay() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let stream = tcp().call(to).await.unwrap().into_inner();
        assert!(stream.nodelay().unwrap());
    }
}
