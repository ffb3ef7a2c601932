//! Which jobs exist, and how they are stored, delivered and announced?
//!
//! A job is a row of table `job`; that row is the truth (I1). A [`Ticket`] is a word to the workers that a job is due; a
//! [`Transport`] carries it, in process or through Redis, and may lose it. A [`Crew`] of apalis workers turns tickets into
//! [`Claimed`] jobs and hands them to [`Handler`]s. A sweeper finds in the rows what was lost.

mod apply;
mod backend;
pub mod bulk;
mod change;
mod claim;
mod clocks;
mod control;
mod crew;
pub mod failpoint;
mod hands;
mod jobs;
pub mod kinds;
mod news;
mod order;
mod registry;
mod revive;
mod survey;
mod suspects;
mod sweep;
mod ticket;
pub mod ticks;
mod time;
mod transport;
mod writer;

pub use change::{End, Failure, MAX_CRASHES, Note};
pub use claim::{Claimed, Lost};
pub use clocks::{ClockError, check_clocks};
pub use control::{MOST_AT_ONCE, Rule, Wish};
pub use crew::{Crew, CrewOptions, Handler, Lane};
pub use jobs::{Bounds, Following, Jobs, LOOK_EVERY, QueueError, generation_is_over, job_is_over};
pub use news::{Hub, News, Watching, is_over};
pub use order::{Accepted, NewGeneration, Order, PICTURES_A_TURN, RepeatKey, Turn, job_kind};
pub use registry::{BEAT, LEASE_MS, Registry};
pub use revive::Revived;
pub use survey::Survey;
pub use sweep::Sweeper;
pub use ticket::{NewJob, Ticket};
pub use time::now_ms;
pub use transport::{
    RedisFacts, RedisSettings, RedisTransport, RowTransport, Taken, Transport, TransportError, look_at_redis,
};
pub use writer::WriteError;
