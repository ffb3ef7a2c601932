//! Processes of the built program that are killed, stopped and starved while they work. The ledger judges.
#![expect(clippy::print_stdout, reason = "figures and seeds are for whoever reads the output")]
#![expect(clippy::disallowed_methods, reason = "the seed of a run that is repeated")]
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod demo;
mod endings;
mod judge;
mod partitions;
mod poison;
mod pool;
mod ranges;
mod redis;
mod rolling;
mod storms;
mod ticks;
