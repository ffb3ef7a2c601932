//! The load generator: raw TCP, one thread, every answer checked to the last byte.

mod body;
mod connection;
mod dialect;
mod expected;
mod hold;
mod lane;
mod options;
mod report;

pub(crate) use dialect::account;
pub(crate) use options::{Dialect, Options};
pub(crate) use report::{Report, Spread};

use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;

/// Runs the load and prints the report as one line of JSON.
pub(crate) async fn command(options: Options) -> anyhow::Result<()> {
    let plan = Arc::new(lane::Plan::new(&options)?);
    let begin = Instant::now();
    let mut report = if options.hold { hold::run(&plan, &options).await? } else { run(&plan, &options).await? };
    report.seconds = begin.elapsed().as_secs_f64();
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&report).context("the report cannot be written")?)?;
    Ok(())
}

/// All lanes at once, each with requests one after the other.
async fn run(plan: &Arc<lane::Plan>, options: &Options) -> anyhow::Result<Report> {
    let mut lanes = tokio::task::JoinSet::new();
    for number in 0..options.lanes {
        lanes.spawn(lane::run(Arc::clone(plan), number, options.delay_of(number)));
    }
    let mut seen = lane::Seen::default();
    while let Some(lane) = lanes.join_next().await {
        seen.merge(lane.context("a lane has panicked")?);
    }
    Ok(seen.report())
}
