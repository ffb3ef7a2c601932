//! Who else keeps what is recorded here, and whether they have it.

use std::error::Error;
use std::fmt::Debug;

use async_trait::async_trait;

/// Keeps a copy of records somewhere else, for installations whose disk may vanish.
#[async_trait]
pub trait Keeper: Debug + Send + Sync {
    /// Waits until the copy has everything that was committed before this call.
    ///
    /// # Errors
    /// The copy cannot be reached: what was committed stays committed, and the copy gets it later.
    async fn caught_up(&self) -> Result<(), NotKept>;
}

/// A change is recorded and in force, but its copy is not made yet.
#[derive(Debug, thiserror::Error)]
#[error(
    "the change is made and in force here, but Redis does not have it yet: it is sent as soon as Redis can be reached, \
     and would be lost with the data folder until then"
)]
pub struct NotKept(#[source] pub Box<dyn Error + Send + Sync>);
