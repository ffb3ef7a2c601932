//! Who came with a credential to a place where none may arrive?

use std::sync::atomic::{AtomicU64, Ordering};

/// Where the redirects of a faulty account lead: this server, under another host name.
pub(crate) const PATH: &str = "/honeypot";

/// What arrived where nothing should.
#[derive(Debug, Default)]
pub(crate) struct Honeypot {
    pub(crate) visits: AtomicU64,
    pub(crate) credentials: AtomicU64,
    pub(crate) foreign_downloads: AtomicU64,
}

impl Honeypot {
    /// Notes a request that followed a redirect.
    pub(crate) fn visited(&self, with_credential: bool) {
        self.visits.fetch_add(1, Ordering::Relaxed);
        self.credentials.fetch_add(u64::from(with_credential), Ordering::Relaxed);
    }

    /// Notes a download with the credential of another account.
    pub(crate) fn foreign_download(&self) {
        self.foreign_downloads.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn forget(&self) {
        for counter in [&self.visits, &self.credentials, &self.foreign_downloads] {
            counter.store(0, Ordering::Relaxed);
        }
    }
}
