//! What do thousands of hostile connections do to the gateway and to its good clients?

mod siege;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::load::Report;
use crate::run::{Process, float, pinned, resident_kib, start_gateway, with};

use siege::Seen;
pub(crate) use siege::{Options as SiegeOptions, command as siege_command};

/// A slow header is closed by then (G8).
const SLOW_MS: u32 = 15_000;
/// A client that takes nothing is closed by then (G8).
const DEAF_MS: u32 = 30_000;
/// So much may good clients' waits grow (G8).
const SLOWER: f64 = 1.1;
/// So much may memory grow, in MiB (G8).
const GROWTH_MIB: f64 = 200.0;
const SAMPLE_EVERY: Duration = Duration::from_millis(250);
/// A good client's answer: chunks, and the milliseconds between them.
const ANSWER: (usize, usize) = (50, 20);
/// Good clients at one time.
const LANES: usize = 50;

/// How the siege is laid.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The release binary of the gateway.
    #[arg(long)]
    gateway: PathBuf,
    /// Connections that send a header block byte by byte and never end it.
    #[arg(long, default_value_t = 5_000)]
    slow: usize,
    /// Connections that ask and never read.
    #[arg(long, default_value_t = 5_000)]
    deaf: usize,
    /// How long all of them are kept up: what is closed is opened again.
    #[arg(long, default_value_t = 60)]
    secs: usize,
    /// Core of the gateway.
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// Core of everything else.
    #[arg(long, default_value_t = 1)]
    load_core: usize,
}

/// The processes of a measurement.
struct Field<'a> {
    options: &'a Options,
    this: PathBuf,
    gateway: Process,
    addr: SocketAddr,
    _sim: Process,
}

/// Measures, prints what was seen, and fails when a bar is missed.
pub(crate) fn command(options: &Options) -> anyhow::Result<()> {
    let home = tempfile::tempdir().context("no temporary folder")?;
    let field = Field::start(options, home.path())?;
    field.good(5)?; // what is made on first use does not count
    let before = field.good(options.secs.div_ceil(2))?;
    let at_rest = resident_kib(field.gateway.pid())?;
    let command = with(pinned(options.load_core, &field.this), ["edge-siege", "--addr", &field.addr.to_string()]);
    let numbers = [("--slow", options.slow), ("--deaf", options.deaf), ("--secs", options.secs)];
    let arguments = numbers.iter().flat_map(|(name, number)| [(*name).to_owned(), number.to_string()]);
    let mut siege = Process::start("the siege", with(command, arguments))?;
    ensure!(siege.line()? == "laid", "the siege cannot be laid");
    let (during, peak) = field.watched(|| field.good(options.secs.saturating_sub(5)))?;
    let seen = siege.finish(Duration::from_secs(u64::try_from(options.secs)? + 120))?;
    let seen: Seen = serde_json::from_str(seen.trim()).context("the siege's report cannot be read")?;
    let after = field.good(5)?;
    judge(&seen, [&before, &during, &after], (peak.saturating_sub(at_rest), at_rest))
}

impl<'a> Field<'a> {
    fn start(options: &'a Options, home: &Path) -> anyhow::Result<Self> {
        let this = std::env::current_exe().context("this program cannot be found")?;
        let mut sim = Process::start("the simulator", with(pinned(options.load_core, &this), ["sim"]))?;
        let upstream = sim.line()?.parse().context("the simulator gives no address")?;
        let binary = options.gateway.canonicalize().context("the gateway's binary cannot be found")?;
        let (gateway, addr) = start_gateway(options.server_core, &binary, home, upstream)?;
        Ok(Self { options, this, gateway, addr, _sim: sim })
    }

    /// Good clients for about so long: streams one after the other, each read to its end and compared.
    fn good(&self, secs: usize) -> anyhow::Result<Report> {
        let (chunks, gap_ms) = ANSWER;
        let requests = (secs * 1000 / (chunks * gap_ms)).max(1);
        let command = with(pinned(self.options.load_core, &self.this), ["load", "--dialect", "gateway", "--addr"]);
        let numbers = [("--lanes", LANES), ("--requests", requests), ("--chunks", chunks), ("--gap-ms", gap_ms)];
        let arguments = numbers.iter().flat_map(|(name, number)| [(*name).to_owned(), number.to_string()]);
        let command = with(with(command, [self.addr.to_string()]), arguments);
        let load = Process::start("the good clients", with(command, ["--ramp-ms", "1000"]))?;
        let output = load.finish(Duration::from_secs(u64::try_from(secs)? * 10 + 60))?;
        serde_json::from_str(output.trim()).context("the good clients' report cannot be read")
    }

    /// Does something, and returns the most memory that the gateway had meanwhile, in KiB.
    fn watched<T>(&self, act: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, u64)> {
        let (peak, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
        let done = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    peak.fetch_max(resident_kib(self.gateway.pid()).unwrap_or(0), Ordering::Relaxed);
                    std::thread::sleep(SAMPLE_EVERY);
                }
            });
            let done = act();
            is_over.store(true, Ordering::Relaxed);
            done
        });
        Ok((done?, peak.into_inner()))
    }
}

fn judge(seen: &Seen, good: [&Report; 3], (growth, at_rest): (u64, u64)) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let mut missed = Vec::new();
    let kinds =
        [("slow headers", seen.slow, seen.oldest_open.0, SLOW_MS), ("deaf", seen.deaf, seen.oldest_open.1, DEAF_MS)];
    for (name, closed, oldest, bar) in kinds {
        writeln!(
            out,
            "{name}: {} closed, after p50 {} ms, p99 {} ms, at most {} ms; oldest at the end {oldest} ms (bar {bar} ms)",
            closed.count, closed.p50, closed.p99, closed.max
        )?;
        if closed.count == 0 || closed.max.max(oldest) > bar {
            missed.push(name);
        }
    }
    writeln!(out, "still open at the end: {}; not opened: {}", seen.open, seen.failed)?;
    for (when, report) in ["before", "during", "after"].iter().zip(good) {
        writeln!(
            out,
            "good clients {when}: {} answers, {} wrong, first token p50 {} µs, p99 {} µs, lateness p99 {} µs",
            report.requests,
            report.errors,
            report.first_token_us.p50,
            report.first_token_us.p99,
            report.lateness_us.p99
        )?;
        if report.errors > 0 {
            missed.push("wrong answers");
            writeln!(out, "  one of them: {}", report.first_error.as_deref().unwrap_or_default())?;
        }
    }
    let p99 = |report: &Report| f64::from(report.first_token_us.p99) / 1e3;
    let bar = p99(good[0]) * SLOWER;
    writeln!(out, "first token p99: {:.2} ms, was {:.2} ms (bar {bar:.2} ms)", p99(good[1]), p99(good[0]))?;
    if p99(good[1]) > bar {
        missed.push("good clients' waits");
    }
    let growth = float(growth) / 1024.0;
    writeln!(out, "memory: {growth:.1} MiB more than the {:.1} at rest (bar {GROWTH_MIB})", float(at_rest) / 1024.0)?;
    if growth > GROWTH_MIB {
        missed.push("memory");
    }
    ensure!(missed.is_empty(), "missed: {}", missed.join(", "));
    Ok(())
}
