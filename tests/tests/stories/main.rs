//! Stories told from outside: a client, the gateway, a simulated upstream.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod access;
mod accounts;
mod admission;
mod browsers;
mod bulk;
mod cancellation;
mod days;
mod edge;
mod emulation;
mod errors;
mod fixtures;
mod hostile;
mod idempotency;
mod images;
mod jobs;
mod keys;
mod management;
mod mcp;
mod mirror;
mod numbers;
mod operation;
mod parameters;
mod principals;
mod records;
mod schedules;
mod secrets;
mod settings;
mod slow_clients;
mod timeouts;
mod usage;
mod videos;
mod work;
