//! A whole gateway on a folder of its own, with a simulated upstream, for tests that tell stories from outside.

mod app;
mod client;
pub mod days;
pub mod fixture;
pub mod fleet;
pub mod ledger;
mod proxy;
pub mod raw;

pub use app::{TestApp, TestAppBuilder};
pub use client::{Answer, ChatEvents, Client, http};
pub use proxy::{Proxy, Way};

/// The program under test, built beside the tests.
///
/// # Panics
/// When it was not built: run the tests of the whole workspace.
pub fn binary() -> std::path::PathBuf {
    let mut path = std::env::current_exe().unwrap_or_default();
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.push("grok2api");
    assert!(path.exists(), "{} is missing: build the whole workspace", path.display());
    path
}
