//! How tickets and news travel. The rows are the truth: what a transport loses, the sweeper brings back.

mod look;
mod redis;
mod rows;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use grok2api_entity::job::Kind;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use self::look::{RedisFacts, look_at_redis};
pub use self::redis::{RedisSettings, RedisTransport};
pub use self::rows::RowTransport;
use crate::kinds;
use crate::news::{Hub, News};
use crate::ticket::Ticket;

/// Why tickets do not travel at the moment.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Redis does not answer or refuses.
    #[error("the queue's Redis does not answer")]
    Redis(#[from] ::redis::RedisError),
    /// The database does not answer.
    #[error("the database does not answer")]
    Database(#[from] sea_orm::DbErr),
}

/// Tickets that were taken, and when the next one is due.
#[derive(Debug, Default)]
pub struct Taken {
    /// At most as many as were asked for, those due first in front.
    pub tickets: Vec<Ticket>,
    /// Time until the next ticket that is known of becomes due, nothing when more are due already; `None` when none is
    /// known.
    pub next_due: Option<Duration>,
}

/// Carries tickets to workers and news to whoever waits. Every implementation passes `tests/contract.rs`.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Puts tickets where workers find them; one that lies there already is left as it is. Returns how many were new.
    ///
    /// # Errors
    /// The tickets may or may not lie there then; the sweeper repeats them.
    async fn push(&self, tickets: &[Ticket]) -> Result<u64, TransportError>;

    /// Takes due tickets of a kind, at most `max`. One that is neither [`Transport::tried`] nor given back comes again
    /// after a moment: whoever took it may have died.
    ///
    /// # Errors
    /// Nothing was taken, or what was taken comes again.
    async fn take(&self, kind: Kind, max: usize) -> Result<Taken, TransportError>;

    /// Hears that a taken ticket's job was claimed, or was not to be had: from now on the row alone says whether it waits.
    fn tried(&self, ticket: Ticket);

    /// Takes back tickets whose claim was not tried, or did not come about: they are due at once.
    ///
    /// # Errors
    /// They come again after a moment.
    async fn give_back(&self, tickets: &[Ticket]) -> Result<(), TransportError>;

    /// Takes a ticket back.
    ///
    /// # Errors
    /// It may still be delivered; the row then refuses it.
    async fn remove(&self, ticket: Ticket) -> Result<(), TransportError>;

    /// Tickets of a kind that lie there, due or not.
    ///
    /// # Errors
    /// When the answer cannot be had.
    async fn depth(&self, kind: Kind) -> Result<u64, TransportError>;

    /// Told when a ticket of this kind may have come.
    fn wake(&self, kind: Kind) -> Arc<Notify>;

    /// Tells all processes, without waiting until they have heard it.
    async fn announce(&self, news: &[News]);

    /// Passes news of other processes on to `hub`, until `stop` is cancelled.
    async fn listen(&self, hub: Hub, stop: CancellationToken);

    /// Whether tickets can get lost between rows and workers, so that the sweeper has to repeat them.
    fn can_lose(&self) -> bool;
}

/// One notice board for each kind.
#[derive(Debug, Default)]
struct Bells([Arc<Notify>; kinds::ALL.len()]);

impl Bells {
    fn of(&self, kind: Kind) -> &Arc<Notify> {
        &self.0[kinds::place(kind)]
    }

    fn ring_all(&self) {
        for bell in &self.0 {
            bell.notify_one();
        }
    }
}
