//! Who is asked to fetch a file that is known and not here.

use std::fmt;

use async_trait::async_trait;
use grok2api_entity::asset;
use grok2api_queue::QueueError;

/// Asks workers to fetch files.
#[async_trait]
pub trait AssetFetcher: fmt::Debug + Send + Sync + 'static {
    /// Asks for a file; asking again for one that is on its way is nothing.
    ///
    /// # Errors
    /// It cannot be asked for now.
    async fn request(&self, asset: &asset::Model) -> Result<(), QueueError>;
}
