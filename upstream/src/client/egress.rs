//! One transport for each way out: direct, or through one proxy.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};

use super::endpoints::{BuildError, Endpoints};
use super::proxy::Proxy;
use super::tls::{Roots, tls_config};
use super::transport::Transport;
use crate::error::{ErrorKind, UpstreamError};

/// How many proxies keep their connections: those of the settings in force and a few that were in force a moment ago.
const MAX_PROXIES: usize = 4;

/// The ways in use.
pub(super) struct Egress {
    endpoints: Endpoints,
    tls: Arc<ClientConfig>,
    connect_timeout: Duration,
    direct: Arc<Transport>,
    proxied: ArcSwap<Vec<Proxied>>,
    adding: Mutex<()>,
}

#[derive(Clone)]
struct Proxied {
    proxy_url: SecretString,
    transport: Arc<Transport>,
}

impl Egress {
    pub(super) fn new(endpoints: Endpoints, connect_timeout: Duration, roots: Roots) -> Result<Self, BuildError> {
        let tls = tls_config(roots).map_err(BuildError::Tls)?;
        let direct = Arc::new(Transport::new(&endpoints, None, &tls, connect_timeout));
        Ok(Self { endpoints, tls, connect_timeout, direct, proxied: ArcSwap::default(), adding: Mutex::new(()) })
    }

    /// The way that this proxy setting asks for, empty meaning none.
    pub(super) fn transport(&self, proxy_url: &SecretString) -> Result<Arc<Transport>, UpstreamError> {
        if proxy_url.expose_secret().is_empty() {
            return Ok(Arc::clone(&self.direct));
        }
        match self.known(proxy_url) {
            Some(transport) => Ok(transport),
            None => self.add(proxy_url),
        }
    }

    fn known(&self, proxy_url: &SecretString) -> Option<Arc<Transport>> {
        let proxied = self.proxied.load();
        let found = proxied.iter().find(|known| known.proxy_url.expose_secret() == proxy_url.expose_secret());
        found.map(|known| Arc::clone(&known.transport))
    }

    fn add(&self, proxy_url: &SecretString) -> Result<Arc<Transport>, UpstreamError> {
        let _one_at_a_time = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(transport) = self.known(proxy_url) {
            return Ok(transport);
        }
        let proxy = Proxy::read(proxy_url).ok_or_else(|| {
            UpstreamError::new(ErrorKind::Unreachable, "the proxy of the setting grok.proxy_url cannot be used")
        })?;
        let transport = Arc::new(Transport::new(&self.endpoints, Some(&proxy), &self.tls, self.connect_timeout));
        let mut proxied = vec![Proxied { proxy_url: proxy_url.clone(), transport: Arc::clone(&transport) }];
        proxied.extend(self.proxied.load().iter().take(MAX_PROXIES - 1).cloned());
        self.proxied.store(Arc::new(proxied));
        Ok(transport)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use crate::client::install_crypto;

    fn egress() -> Egress {
        install_crypto();
        let endpoints = Endpoints::new(&"http://127.0.0.1:1".parse().unwrap()).unwrap();
        Egress::new(endpoints, Duration::from_secs(1), Roots::SystemIfAny).unwrap()
    }

    #[test]
    fn a_proxy_keeps_its_connections_and_old_ones_are_let_go() {
        let egress = egress();
        for port in 1..=10 {
            let setting = format!("http://user:canary@127.0.0.1:{port}").into();
            let once = egress.transport(&setting).unwrap();
            assert!(Arc::ptr_eq(&once, &egress.transport(&setting).unwrap()));
        }
        let kept = egress.proxied.load();
        assert_eq!(kept.len(), MAX_PROXIES);
        assert!(kept[0].proxy_url.expose_secret().ends_with(":10"));
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_no_accounts_fault_and_stays_unnamed() {
        for setting in ["socks4://canary:1", "ftp://canary", "canary:8080", "http://", "socks5://"] {
            let error = egress().transport(&setting.into()).err().unwrap();
            assert_eq!(error.kind, ErrorKind::Unreachable, "{setting}");
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
    }
}
