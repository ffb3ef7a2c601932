//! `grok2api-bench`: what does the gateway cost beside nginx, which passes the same bytes through unseen, and what do
//! durable jobs cost beside a queue library alone?

mod edge;
mod jobs;
mod load;
mod reserve;
mod run;
mod scale;
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
    /// Set thousands of slow and deaf connections on the gateway, and watch its good clients.
    Edge(edge::Options),
    /// The connections of such a measurement.
    #[command(hide = true)]
    EdgeSiege(edge::SiegeOptions),
    /// Time jobs through rows, fences and queue, beside bare apalis.
    Jobs(jobs::Options),
    /// A worker process of such a measurement.
    #[command(hide = true)]
    JobsWorker(jobs::ChildOptions),
    /// Time reservations in pools of a hundred to a million accounts.
    Reserve(reserve::Options),
    /// Send requests, check every answer to the last byte, and print what was seen as JSON.
    Load(load::Options),
    /// Run the simulated upstream without budgets and records, until it is ended.
    Sim(sim_process::Options),
    /// Measure what more processes bring: jobs of 1, 2 and 4 workers, requests of 1 and 2 processes that answer.
    Scale(scale::Options),
    /// Compare nginx and the gateway in interleaved rounds, each server on a core of its own.
    Run(run::Options),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Edge(options) => edge::command(&options),
        Command::EdgeSiege(options) => runtime()?.block_on(edge::siege_command(options)),
        Command::Jobs(options) => threads()?.block_on(jobs::command(options)),
        Command::JobsWorker(options) => threads()?.block_on(jobs::child_command(options)),
        Command::Reserve(options) => runtime()?.block_on(reserve::command(options)),
        Command::Load(options) => runtime()?.block_on(load::command(options)),
        Command::Sim(options) => runtime()?.block_on(sim_process::command(options)),
        Command::Scale(options) => threads()?.block_on(scale::command(options)),
        Command::Run(options) => run::command(&options),
    }
}

/// As many threads as cores: these processes are what is measured.
fn threads() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")
}

/// One thread: these processes share a core.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")
}
