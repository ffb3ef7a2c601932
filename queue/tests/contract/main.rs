//! What the queue promises, held against both transports, three databases, and faults.
//!
//! `GROK2API_CHAOS=1` makes the same tests longer.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod backlog;
mod control;
mod faults;
mod machine;
mod model;
mod processes;
mod requests;
mod support;
mod transports;
mod workers;
