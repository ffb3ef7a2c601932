//! Names resolved at the moment of dialling, every address vetted (M2, M4).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::guard::{Denied, Guard};

/// Turns a name into addresses. The system does it, unless a test stands in.
pub(crate) trait Lookup: Send + Sync + 'static {
    fn lookup(&self, name: String) -> LookupFuture;
}

pub(crate) type LookupFuture = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// The system's resolver.
pub(crate) struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, name: String) -> LookupFuture {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Gives the HTTP client only addresses that it may connect to: there is no second lookup that could answer otherwise.
pub(crate) struct GuardedDns {
    pub(crate) lookup: Arc<dyn Lookup>,
    pub(crate) guard: Arc<Guard>,
}

impl Resolve for GuardedDns {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.guard);
        let found = self.lookup.lookup(name.as_str().to_owned());
        Box::pin(async move {
            let found = found.await?;
            guard.check_addresses(&found).inspect_err(|&denied| record_denial(denied))?;
            let addresses: Addrs = Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(addresses)
        })
    }
}

/// Counts a refusal and writes it down, without the address (L1, L7).
pub(crate) fn record_denial(denied: Denied) {
    metrics::counter!("grok2api_fetch_denied_total", "reason" => denied.as_str()).increment(1);
    tracing::warn!(code = "ssrf_denied", reason = denied.as_str(), "an address of a picture was refused");
}
