//! The listener: sockets tuned for streams, caps and deadlines for connections, an orderly end.
//!
//! Poem's own server sets none of these, so connections are served by hyper here and only requests go through poem.

mod between;
mod connection;
mod crowd;
mod listener;
mod options;
mod slices;
mod unread;
mod wire;

pub(crate) use connection::Refused;
pub use listener::serve;
pub use options::ServerOptions;
