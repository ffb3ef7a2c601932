//! How a server listens and ends.

use std::time::Duration;

use crate::client_address::TrustedProxies;

/// How a server listens and ends.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Most connections at the same time; who comes then is asked to come back.
    pub max_connections: usize,
    /// Most of them from one address (a /64 of IPv6). Trusted proxies and this machine are exempt.
    pub max_connections_per_ip: usize,
    /// Proxies that may have any number of connections.
    pub trusted_proxies: TrustedProxies,
    /// Longest time from the first byte that could be read to the end of a header block (H1); also the longest time a
    /// kept connection lies idle.
    pub header_timeout: Duration,
    /// Longest time in which a peer takes nothing of what is there for it (H5).
    pub write_stall: Duration,
    /// How long open streams may go on after a shutdown began.
    pub grace: Duration,
}

impl Default for ServerOptions {
    /// Headers have 10 seconds; a write may stall for 25, so that with everything around it half a minute is kept.
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_connections_per_ip: 1024,
            trusted_proxies: TrustedProxies::default(),
            header_timeout: Duration::from_secs(10),
            write_stall: Duration::from_secs(25),
            grace: Duration::from_secs(30),
        }
    }
}
