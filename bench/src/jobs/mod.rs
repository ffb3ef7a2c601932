//! What do rows, fences and our own delivery cost, beside a queue library that keeps its jobs by itself?
//!
//! Jobs that do nothing, from an empty backlog and with 100,000 behind them, and the time from a request's first write to
//! its start on an idle worker. Bare apalis in the settings that `decision 015` names runs the same numbers in the same run.

mod bare;
mod child;
pub(crate) mod ground;
mod ours;
mod seen;
mod ticker;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde::Serialize;

pub(crate) use child::{Options as ChildOptions, command as child_command};

use crate::load::Spread;
use seen::Seen;

/// Jobs at once in each worker process.
const CONCURRENCY: usize = 32;
/// Worker processes where there can be several.
const PROCESSES: usize = 2;
/// The longest that one measurement may take.
const LIMIT: Duration = Duration::from_secs(900);

/// How to measure.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Jobs that are timed.
    #[arg(long, default_value_t = 10_000)]
    sample: u64,
    /// Jobs that wait behind them in the second measurement.
    #[arg(long, default_value_t = 100_000)]
    backlog: u64,
    /// Jobs whose start is timed on an idle worker, one after the other.
    #[arg(long, default_value_t = 300)]
    idle: u64,
    /// A `PostgreSQL` server on which databases may be made.
    #[arg(long, default_value = "postgres://postgres@127.0.0.1:5432")]
    postgres: String,
    /// A Redis server; keys of its own prefix are made there, and removed.
    #[arg(long, default_value = "redis://127.0.0.1:6379")]
    redis: String,
    /// Where the JSON goes.
    #[arg(long, default_value = "bench/out")]
    out: PathBuf,
    /// Leave bare apalis out.
    #[arg(long)]
    ours_alone: bool,
}

/// One queue, measured.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    /// Jobs a second, with nothing behind the sample.
    empty: f64,
    /// Jobs a second, with the backlog behind it.
    behind: f64,
    /// Microseconds from the enqueueing call to the start.
    start_us: Spread,
    /// Jobs a second that must be reached, where there is such a bar.
    least: Option<f64>,
}

/// A queue that can be measured.
trait Queue {
    /// Puts so many jobs that do nothing, with nobody there to do them.
    async fn fill(&self, jobs: u64) -> anyhow::Result<()>;
    /// Puts one job, as a request would.
    async fn put(&self) -> anyhow::Result<()>;
    /// Starts workers, and answers what they tell of.
    async fn start(&self) -> anyhow::Result<Seen>;
    /// Removes everything.
    async fn end(self) -> anyhow::Result<()>;
}

/// Measures, prints the table, and writes the JSON. Fails when a bar is missed.
pub(crate) async fn command(options: Options) -> anyhow::Result<()> {
    let mut rows = vec![
        measure("rows, fences, one process (SQLite)", Some(500.0), &options, ours::embedded).await?,
        measure("rows, fences, 2 processes (Redis, PostgreSQL)", Some(1_500.0), &options, || ours::remote(&options))
            .await?,
    ];
    if !options.ours_alone {
        rows.push(measure("bare apalis-sqlite, one process", None, &options, bare::sqlite).await?);
        rows.push(measure("bare apalis-redis, 2 processes", None, &options, || bare::redis(&options)).await?);
    }
    let mut out = std::io::stdout();
    write!(out, "{}", table(&rows, options.backlog))?;
    let path = write_json(&options, &rows)?;
    writeln!(out, "\nwritten to {}", path.display())?;
    let missed: Vec<String> = rows.iter().flat_map(missed).collect();
    anyhow::ensure!(missed.is_empty(), "{}", missed.join("; "));
    Ok(())
}

async fn measure<Q: Queue>(
    name: &'static str,
    least: Option<f64>,
    options: &Options,
    open: impl AsyncFn() -> anyhow::Result<Q>,
) -> anyhow::Result<Row> {
    let empty = rate(&open, options.sample, 0).await.context(name)?;
    let behind = rate(&open, options.sample, options.backlog).await.context(name)?;
    let start_us = idle(&open, options.idle).await.context(name)?;
    Ok(Row { name, empty, behind, start_us, least })
}

/// Jobs a second between the first tenth and the last of a sample.
async fn rate<Q: Queue>(open: &impl AsyncFn() -> anyhow::Result<Q>, sample: u64, behind: u64) -> anyhow::Result<f64> {
    let queue = open().await?;
    queue.fill(sample + behind).await?;
    let seen = queue.start().await?;
    let (from, began) = seen.reach(sample / 10, LIMIT).await?;
    let (to, ended) = seen.reach(sample, LIMIT).await?;
    seen.end().await?;
    queue.end().await?;
    let jobs = u32::try_from(to - from).context("too many jobs")?;
    Ok(f64::from(jobs) / ended.duration_since(began).as_secs_f64())
}

/// Jobs a second of so many worker processes on Redis and `PostgreSQL`, and nanoseconds of CPU time for each job.
pub(crate) async fn scaled(postgres: &str, redis: &str, processes: usize, sample: u64) -> anyhow::Result<(f64, u64)> {
    let queue = ours::remote_with(postgres, redis, processes).await?;
    queue.fill(sample).await?;
    let seen = queue.start().await?;
    let (from, began) = seen.reach(sample / 10, LIMIT).await?;
    let before = seen.cpu()?;
    let (to, ended) = seen.reach(sample, LIMIT).await?;
    let used: u64 = seen.cpu()?.into_iter().zip(before).map(|(now, before)| now.since(before)).sum();
    seen.end().await?;
    queue.end().await?;
    let jobs = u32::try_from(to - from).context("too many jobs")?;
    Ok((f64::from(jobs) / ended.duration_since(began).as_secs_f64(), used / u64::from(jobs.max(1))))
}

/// How long idle workers take to start a job.
async fn idle<Q: Queue>(open: &impl AsyncFn() -> anyhow::Result<Q>, jobs: u64) -> anyhow::Result<Spread> {
    let queue = open().await?;
    let seen = queue.start().await?;
    for number in 1..=jobs {
        // Not in step with anybody's clock.
        tokio::time::sleep(Duration::from_millis(rand::Rng::random_range(&mut rand::rng(), 5..40))).await;
        queue.put().await?;
        if number % 16 == 0 {
            seen.reach(number, LIMIT).await?;
        }
    }
    seen.reach(jobs, LIMIT).await?;
    let waits = seen.end().await?;
    queue.end().await?;
    Ok(Spread::of(waits))
}

/// What is not as good as it has to be.
fn missed(row: &Row) -> Vec<String> {
    let Some(least) = row.least else { return Vec::new() };
    let bars = [
        (row.empty < least, format!("{:.0} jobs/s from an empty backlog, less than {least}", row.empty)),
        (row.behind < least, format!("{:.0} jobs/s with a backlog, less than {least}", row.behind)),
        (
            row.behind < row.empty * 0.7,
            format!("not flat: {:.0} jobs/s with a backlog, {:.0} without", row.behind, row.empty),
        ),
        (row.start_us.p50 > 20_000, format!("half start after {} us, more than 20 ms", row.start_us.p50)),
        (row.start_us.p99 > 100_000, format!("one of 100 starts after {} us, more than 100 ms", row.start_us.p99)),
    ];
    bars.into_iter().filter(|(missed, _)| *missed).map(|(_, what)| format!("{}: {what}", row.name)).collect()
}

fn table(rows: &[Row], backlog: u64) -> String {
    let mut text = format!(
        "{:<46}{:>12}{:>20}{:>14}{:>14}\n",
        "",
        "jobs/s",
        format!("{backlog} behind"),
        "start p50 ms",
        "start p99 ms"
    );
    for row in rows {
        let ms = |us: u32| f64::from(us) / 1e3;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<46}{:>12.0}{:>20.0}{:>14.1}{:>14.1}",
            row.name,
            row.empty,
            row.behind,
            ms(row.start_us.p50),
            ms(row.start_us.p99)
        );
    }
    text
}

fn write_json(options: &Options, rows: &[Row]) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(&options.out).with_context(|| format!("cannot make {}", options.out.display()))?;
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let path = options.out.join(format!("jobs-{at}.json"));
    let json = serde_json::json!({"unix_secs": at, "sample": options.sample, "backlog": options.backlog, "rows": rows});
    std::fs::write(&path, serde_json::to_vec_pretty(&json)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// Now, in microseconds since 1970: processes of one machine compare it.
fn now_us() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(empty: f64, behind: f64, p50: u32, least: Option<f64>) -> Row {
        Row { name: "it", empty, behind, start_us: Spread { p50, p99: p50, ..Spread::default() }, least }
    }

    #[test]
    fn a_queue_is_fast_flat_and_prompt_or_it_misses_its_bar() {
        assert!(missed(&row(600.0, 550.0, 5_000, Some(500.0))).is_empty());
        assert_eq!(missed(&row(600.0, 400.0, 5_000, Some(500.0))).len(), 2, "too slow and not flat");
        assert_eq!(missed(&row(600.0, 600.0, 200_000, Some(500.0))).len(), 2);
        assert!(missed(&row(1.0, 1.0, 200_000, None)).is_empty(), "what others do has no bar");
    }
}
