//! The command line: what can be asked for, and the commands that do their work and end.

mod admin;
mod args;
mod backup;
mod config;
mod doctor;
mod healthcheck;
mod import;
mod key;
mod migrate;
mod outcome;
mod output;
mod run;
mod schedule;
mod settings;
mod table;
mod token;

pub(crate) use args::{Cli, Command};
pub(crate) use outcome::report;
pub(crate) use run::run;
