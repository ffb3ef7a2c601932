//! The simulator seen from outside, over real sockets.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod accounts;
mod answers;
mod client;
mod faults;
mod ledger;
mod media;
