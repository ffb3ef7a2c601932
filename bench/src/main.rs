//! `grok2api-bench`: what does the gateway cost beside nginx, which passes the same bytes through unseen?

mod load;
mod reserve;
mod run;
mod sim_process;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

/// Measures the gateway.
#[derive(Debug, Parser)]
#[command(name = "grok2api-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Time reservations in pools of a hundred to a million accounts.
    Reserve(reserve::Options),
    /// Send requests, check every answer to the last byte, and print what was seen as JSON.
    Load(load::Options),
    /// Run the simulated upstream without budgets and records, until it is ended.
    Sim(sim_process::Options),
    /// Compare nginx and the gateway in interleaved rounds, each server on a core of its own.
    Run(run::Options),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Reserve(options) => runtime()?.block_on(reserve::command(options)),
        Command::Load(options) => runtime()?.block_on(load::command(options)),
        Command::Sim(options) => runtime()?.block_on(sim_process::command(options)),
        Command::Run(options) => run::command(&options),
    }
}

/// One thread: these processes share a core.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")
}
