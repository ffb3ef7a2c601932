//! One library client for each way to the asset host: direct, or through one proxy. What is fetched from there is large and
//! comes in few pieces, so it needs no connections of our own (decision 014).

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use reqwest::{Client, Proxy, redirect, retry};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use url::Url;

use super::endpoints::BuildError;
use super::tls::{Roots, build_client};
use crate::error::{Delivery, ErrorKind, UpstreamError};

/// How many proxies keep their clients: those of the settings in force and a few that were in force a moment ago.
const MAX_PROXIES: usize = 4;

/// Idle connections are kept as long as servers and load balancers usually keep them.
const IDLE_TIMEOUT: Duration = Duration::from_secs(55);

/// Idle connections kept to one host. A burst of streams that end together should find them again.
const MAX_IDLE: usize = 1024;

/// The clients in use.
#[derive(Clone)]
pub(super) struct Clients {
    direct: Client,
    shared: Arc<Shared>,
}

struct Shared {
    connect_timeout: Duration,
    roots: Roots,
    proxied: ArcSwap<Vec<Proxied>>,
    building: Mutex<()>,
}

#[derive(Clone)]
struct Proxied {
    proxy_url: SecretString,
    client: Client,
}

impl Clients {
    pub(super) fn new(connect_timeout: Duration, roots: Roots) -> Result<Self, BuildError> {
        let direct = upstream_client(connect_timeout, roots, None).map_err(BuildError::Client)?;
        let shared = Shared { connect_timeout, roots, proxied: ArcSwap::default(), building: Mutex::new(()) };
        Ok(Self { direct, shared: Arc::new(shared) })
    }

    /// The client for this proxy setting, empty meaning none. Built at first use, then shared.
    pub(super) async fn client(&self, proxy_url: &SecretString) -> Result<Client, UpstreamError> {
        if proxy_url.expose_secret().is_empty() {
            return Ok(self.direct.clone());
        }
        match self.shared.known(proxy_url) {
            Some(client) => Ok(client),
            None => self.shared.build(proxy_url).await,
        }
    }
}

impl Shared {
    fn known(&self, proxy_url: &SecretString) -> Option<Client> {
        let proxied = self.proxied.load();
        let found = proxied.iter().find(|known| known.proxy_url.expose_secret() == proxy_url.expose_secret());
        found.map(|known| known.client.clone())
    }

    async fn build(&self, proxy_url: &SecretString) -> Result<Client, UpstreamError> {
        let unusable =
            || UpstreamError::new(ErrorKind::Unreachable, "the proxy of the setting grok.proxy_url cannot be used");
        let _one_at_a_time = self.building.lock().await;
        if let Some(client) = self.known(proxy_url) {
            return Ok(client);
        }
        let proxy = proxy(proxy_url).ok_or_else(unusable)?;
        let (connect_timeout, roots) = (self.connect_timeout, self.roots);
        // Reading the CA certificates takes milliseconds and blocks.
        let built = tokio::task::spawn_blocking(move || upstream_client(connect_timeout, roots, Some(&proxy))).await;
        let client = built.ok().and_then(Result::ok).ok_or_else(unusable)?;
        let mut proxied = vec![Proxied { proxy_url: proxy_url.clone(), client: client.clone() }];
        proxied.extend(self.proxied.load().iter().take(MAX_PROXIES - 1).cloned());
        self.proxied.store(Arc::new(proxied));
        Ok(client)
    }
}

/// Reads a proxy setting. `socks5` means `socks5h`: names are resolved where the traffic leaves.
fn proxy(proxy_url: &SecretString) -> Option<Proxy> {
    let mut url = Url::parse(proxy_url.expose_secret()).ok()?;
    // What the library cannot read it takes for a host name without a scheme.
    url.host_str().filter(|host| !host.is_empty())?;
    match url.scheme() {
        "http" | "https" | "socks5h" => {}
        "socks5" => url.set_scheme("socks5h").ok()?,
        _ => return None,
    }
    Proxy::all(url).ok()
}

/// A client for calls that carry a credential.
fn upstream_client(connect_timeout: Duration, roots: Roots, proxy: Option<&Proxy>) -> reqwest::Result<Client> {
    build_client(roots, || {
        let builder = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .http1_only()
            .tcp_nodelay(true)
            .connect_timeout(connect_timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(MAX_IDLE);
        match proxy {
            Some(proxy) => builder.proxy(proxy.clone()),
            None => builder,
        }
    })
}

/// What it means that a request could not be sent or got no answer.
///
/// Nothing of the library's own text is passed on: it can hold the address of a proxy with its password.
pub(super) fn send_error(error: &reqwest::Error) -> UpstreamError {
    let never_left = error.is_connect() || error.is_dns();
    let (kind, message) = match (never_left, error.is_timeout()) {
        (true, true) => (ErrorKind::Timeout, "no connection to the upstream could be made in time"),
        (true, false) => (ErrorKind::Unreachable, "the upstream cannot be reached"),
        (false, true) => (ErrorKind::Timeout, "the upstream did not answer in time"),
        (false, false) => (ErrorKind::Interrupted, "the upstream closed the connection before it answered"),
    };
    let error = UpstreamError::new(kind, message);
    if never_left { error.with_delivery(Delivery::NotAccepted) } else { error }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use crate::client::install_crypto;

    fn clients() -> Clients {
        install_crypto();
        Clients::new(Duration::from_secs(1), Roots::SystemIfAny).unwrap()
    }

    #[tokio::test]
    async fn a_proxy_keeps_its_client_and_old_ones_are_let_go() {
        let clients = clients();
        for port in 1..=10 {
            clients.client(&format!("http://user:canary@127.0.0.1:{port}").into()).await.unwrap();
            clients.client(&format!("http://user:canary@127.0.0.1:{port}").into()).await.unwrap();
        }
        let kept = clients.shared.proxied.load();
        assert_eq!(kept.len(), MAX_PROXIES);
        assert!(kept[0].proxy_url.expose_secret().ends_with(":10"));
    }

    #[tokio::test]
    async fn a_proxy_that_cannot_be_used_is_no_accounts_fault_and_stays_unnamed() {
        for setting in ["socks4://canary:1", "ftp://canary", "canary:8080", "http://", "socks5://"] {
            let error = clients().client(&setting.into()).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unreachable, "{setting}");
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
    }

    #[test]
    fn socks5_resolves_names_at_the_proxy() {
        let shown = format!("{:?}", proxy(&"socks5://127.0.0.1:1080".into()).unwrap());
        assert!(shown.contains("socks5h"), "{shown}");
        assert!(proxy(&"https://proxy.example".into()).is_some());
    }
}
