//! The TLS implementation of the process.

/// Makes *ring* the process's TLS implementation. May be called any number of times; the first choice stays.
///
/// A binary calls it first of all: rustls refuses to guess when a dependency brings a second implementation along.
pub fn install_crypto() {
    // An error says that one is installed already, which is all we want.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
