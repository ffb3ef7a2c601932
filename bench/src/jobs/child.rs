//! A worker process of a measurement.

use std::io::{Read as _, Write as _};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::seen::Told;
use super::{bare, ours};

/// How often it says how many jobs it began.
const TELL: Duration = Duration::from_millis(5);

/// Where its work is.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The records; without them it is a worker of bare apalis.
    #[arg(long)]
    database: Option<String>,
    /// The Redis server.
    #[arg(long)]
    redis: String,
    /// What its keys begin with.
    #[arg(long)]
    prefix: String,
}

/// Works until its input ends; its last line says how long jobs waited.
pub(crate) async fn command(options: Options) -> anyhow::Result<()> {
    let told = Told::default();
    if let Some(database) = &options.database {
        let end = ours::work(database, &options.redis, &options.prefix, &told).await?;
        tell(&told).await?;
        end.await;
    } else {
        let end = bare::work(&options.redis, &options.prefix, &told).await?;
        tell(&told).await?;
        end.await;
    }
    writeln!(std::io::stdout(), "waits {}", serde_json::to_string(&told.waits_us())?)?;
    Ok(())
}

/// Says how many jobs it began, until its input ends.
async fn tell(told: &Told) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "ready")?;
    let mut ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let mut last = 0;
    loop {
        tokio::select! {
            _ = &mut ended => return Ok(()),
            () = tokio::time::sleep(TELL) => {}
        }
        let begun = told.begun.load(Ordering::Relaxed);
        if begun != last {
            last = begun;
            writeln!(out, "{begun}")?;
        }
    }
}
