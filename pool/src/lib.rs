//! Which account serves a request: select, reserve, settle.
//!
//! [`Pool`] is what the rest of the house talks to. It keeps the live state behind [`PoolState`] (in memory here), hands
//! out [`Lease`]s that give themselves back, and writes what changed to the database off the hot path.

pub mod account;
pub mod clock;
pub mod enrol;
pub mod handle;
pub mod lease;
pub mod memory;
pub mod outcome;
pub mod persist;
pub mod pool;
mod room;
pub mod shared;
pub mod state;
mod sticky;
pub mod strategy;
pub mod want;

pub use account::{AccountId, AccountSeed, BudgetSeed, Status};
pub use clock::Clock;
pub use lease::Lease;
pub use memory::MemoryPool;
pub use outcome::{Aftermath, Blame, Outcome, Reading};
pub use pool::{Pool, PoolError};
pub use shared::RedisPool;
pub use state::{Policy, PoolState};
pub use want::{BudgetIx, Caller, Class, Grant, ReserveError, Want};
