//! The simulator as a process of its own.

use std::io::Write as _;
use std::time::Duration;

use grok2api_sim::{Pace, Sim};

/// How the simulator runs for benchmarks.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where to listen; port 0 takes any free port.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// Let lines that are ready together leave in one write.
    #[arg(long)]
    burst: bool,
    /// Longest life, in seconds.
    #[arg(long, default_value_t = 3_600)]
    max_secs: u64,
}

/// Runs the simulator. The first line it prints is its address.
pub(crate) async fn command(options: Options) -> anyhow::Result<()> {
    let pace = if options.burst { Pace::Burst } else { Pace::Full };
    let sim = Sim::builder().pace(pace).unlimited().record(false).start(&options.listen).await?;
    writeln!(std::io::stdout(), "{}", sim.addr())?;
    let end = Duration::from_secs(options.max_secs);
    let _ = tokio::time::timeout(end, tokio::signal::ctrl_c()).await;
    sim.shutdown().await;
    Ok(())
}
