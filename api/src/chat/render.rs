//! How media look in a text answer.

use std::sync::Arc;

use grok2api_gateway::upstream::asset::seed_name;

/// Makes public addresses of asset paths.
#[derive(Debug, Clone)]
pub(crate) struct MediaLinks {
    base: Arc<str>,
}

impl MediaLinks {
    /// `base` is where clients reach this gateway, without a trailing slash; empty gives relative links.
    pub(crate) fn new(base: &str) -> Self {
        Self { base: base.trim_end_matches('/').into() }
    }

    pub(crate) fn of(&self, path: &str) -> String {
        format!("{}/images/{}", self.base, seed_name(path))
    }
}
