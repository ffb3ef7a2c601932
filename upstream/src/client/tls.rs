//! Whom a client trusts.

use std::sync::Arc;

use reqwest::ClientBuilder;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

/// How a client decides whom to trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Roots {
    /// The system's CA certificates; none is an error.
    System,
    /// The system's, and if there are none, nobody: good for a client that may never need TLS.
    SystemIfAny,
}

/// Reads the CA certificates, which takes milliseconds, and prepares handshakes that trust as `roots` says.
pub(super) fn tls_config(roots: Roots) -> Result<Arc<ClientConfig>, rustls::Error> {
    let builder = match (ClientConfig::builder().with_platform_verifier(), roots) {
        (Err(_), Roots::SystemIfAny) => {
            warn_of_no_roots();
            ClientConfig::builder().with_root_certificates(RootCertStore::empty())
        }
        (built, _) => built?,
    };
    Ok(Arc::new(builder.with_no_client_auth()))
}

/// Builds a client of the library that fetches pictures, trusting as `roots` says.
pub(crate) fn build_client(roots: Roots, builder: impl Fn() -> ClientBuilder) -> reqwest::Result<reqwest::Client> {
    match (builder().build(), roots) {
        (Err(_), Roots::SystemIfAny) => {
            warn_of_no_roots();
            builder().tls_certs_only([]).build()
        }
        (built, _) => built,
    }
}

fn warn_of_no_roots() {
    tracing::warn!("no CA certificates found on this system: https hosts will not be trusted");
}
