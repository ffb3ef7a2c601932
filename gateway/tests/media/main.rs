//! Requests for pictures and videos against the simulated upstream, as a worker makes them.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod downloads;
mod fixtures;
mod house;
mod requests;
mod submission;
