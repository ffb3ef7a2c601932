//! The long form of the kill tests, in chunks that can be run alone: a table of what was struck and what the ledger says.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use grok2api_tests::Way;
use grok2api_tests::days::Days;
use grok2api_tests::fleet::{Flood, Outage, Outcome, PoisonRates, Records, Rolling, Storm, TickRun};
use grok2api_tests::ledger::Verdict;

/// Kills worker processes while they work, and lets the ledger judge.
#[derive(Debug, Parser)]
struct Options {
    /// Where jobs and records lie.
    #[arg(long, value_enum, required_unless_present_any = ["poison", "flood", "outage", "restarts", "days", "ticks"])]
    on: Option<On>,
    /// Lives through twenty simulated hours instead, with so many accounts.
    #[arg(long)]
    days: Option<usize>,
    /// Makes so many reservations instead, from three processes of each role, and looks for exceeded limits.
    #[arg(long)]
    flood: Option<usize>,
    /// Takes Redis and the database away instead, for so many seconds under steady chats.
    #[arg(long)]
    outage: Option<u64>,
    /// Chats a second during an outage.
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// Measures instead what a job that kills its workers leaves of the others' rate.
    #[arg(long)]
    poison: bool,
    /// Restarts every process of a fleet so many times instead, in order, under clients that repeat nothing.
    #[arg(long, conflicts_with = "poison")]
    restarts: Option<usize>,
    /// Kills three schedulers and steps all clocks by an hour instead, until so many ticks were made.
    #[arg(long)]
    ticks: Option<usize>,
    /// Chooses everything; chunk n of a run has the seed plus n.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Chunks.
    #[arg(long, default_value_t = 1)]
    chunks: u64,
    /// Processes that are killed in each chunk; every eighth as many stand still, and as many are told to end.
    #[arg(long, default_value_t = 100)]
    kills: usize,
    /// Requests in each chunk.
    #[arg(long, default_value_t = 1_000)]
    jobs: usize,
    /// Mean life of a process, in milliseconds.
    #[arg(long)]
    life_ms: Option<u64>,
    /// Longest time that a process stands still, in milliseconds.
    #[arg(long, default_value_t = 8_000)]
    pause_ms: u64,
    /// Switches a fault on in every worker, which the ledger has to find.
    #[arg(long)]
    fault: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum On {
    /// Redis and a database file.
    RedisSqlite,
    /// Redis and a `PostgreSQL` server.
    RedisPostgres,
    /// One process with a database file.
    Embedded,
}

impl Options {
    fn storm(&self, on: On, seed: u64) -> Storm {
        let (records, embedded) = match on {
            On::RedisSqlite => (Records::Sqlite, false),
            On::RedisPostgres => (Records::Postgres, false),
            On::Embedded => (Records::Sqlite, true),
        };
        let mut storm = Storm::new(records, embedded, seed, self.kills, self.jobs);
        storm.life = self.life_ms.map_or(storm.life, Duration::from_millis);
        storm.pause = Duration::from_millis(self.pause_ms);
        storm.fault = self.fault.then_some("bug_resubmit=on");
        storm
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let mut out = std::io::stdout();
    if let Some(restarts) = options.restarts {
        return roll(&mut out, restarts).await;
    }
    if let Some(accounts) = options.days {
        let days = Days { accounts, hours: 20, step_minutes: 1, batch: 50, seed: options.seed };
        let fates = days.run().await?;
        writeln!(out, "{fates}")?;
        return Ok(ExitCode::from(u8::from(fates.is_red())));
    }
    if let Some(reservations) = options.flood {
        let flood = Flood::run(reservations, 3).await?;
        writeln!(out, "{flood}")?;
        return Ok(ExitCode::from(u8::from(flood.is_red())));
    }
    if let Some(ticks) = options.ticks {
        let outcome = TickRun { ticks, schedulers: 3, seed: options.seed }.run().await?;
        writeln!(out, "{outcome}")?;
        return Ok(ExitCode::from(u8::from(outcome.is_red())));
    }
    if let Some(secs) = options.outage {
        return outage(&mut out, Duration::from_secs(secs), options.rate).await;
    }
    let Some(on) = options.on else { return poison(&mut out).await };
    let mut outcomes = Vec::new();
    for seed in (options.seed..).take(usize::try_from(options.chunks)?) {
        writeln!(out, "== seed {seed}")?;
        let outcome = options.storm(on, seed).run().await?;
        writeln!(out, "{outcome}")?;
        outcomes.push((seed, outcome));
    }
    table(&mut out, &outcomes)?;
    let is_red = outcomes.iter().any(|(_, outcome)| outcome.verdict.is_red());
    Ok(ExitCode::from(u8::from(is_red)))
}

/// F11, G17: nobody notices restarts.
async fn roll(out: &mut impl std::io::Write, restarts: usize) -> anyhow::Result<ExitCode> {
    let rolling = Rolling {
        records: Records::Postgres,
        restarts,
        workers: 3,
        schedulers: 2,
        requests_per_second: 100,
        streams: 100,
    };
    let outcome = rolling.run().await?;
    writeln!(out, "{outcome}")?;
    Ok(ExitCode::from(u8::from(outcome.is_red())))
}

/// F9: the others keep nine tenths of their rate.
async fn poison(out: &mut impl std::io::Write) -> anyhow::Result<ExitCode> {
    let rates = PoisonRates::measure().await?;
    writeln!(out, "{rates}")?;
    Ok(ExitCode::from(u8::from(rates.left() < 0.9)))
}

/// G5: chats go on, what needs the database is refused, and all is on record afterwards.
async fn outage(out: &mut impl std::io::Write, length: Duration, rate: u32) -> anyhow::Result<ExitCode> {
    let mut is_red = false;
    for fault in [Way::Cut, Way::Blocked] {
        let outage = Outage::run(length, rate, fault).await?;
        writeln!(out, "== {fault:?}\n{outage}")?;
        is_red |= outage.served() < 0.999 || !outage.wrong_refusals.is_empty();
    }
    Ok(ExitCode::from(u8::from(is_red)))
}

fn table(out: &mut impl std::io::Write, outcomes: &[(u64, Outcome)]) -> std::io::Result<()> {
    let head = ["seed", "kills", "pauses", "jobs", "lost", "doubled", "paid twice", "unknown", "wrong", "p50", "p99"];
    writeln!(out, "{}", head.map(|name| format!("{name:>10}")).concat())?;
    for (seed, Outcome { verdict, tally, .. }) in outcomes {
        let Verdict { lost, doubled_results, doubled_submissions, unexplained, wrong, resumed, .. } = verdict;
        let numbers = [
            seed.to_string(),
            tally.deaths().to_string(),
            tally.pauses.to_string(),
            verdict.accepted.to_string(),
            lost.len().to_string(),
            doubled_results.len().to_string(),
            doubled_submissions.len().to_string(),
            verdict.unknown.to_string(),
            (unexplained.len() + wrong.len()).to_string(),
            format!("{:.2}", resumed.p50.as_secs_f64()),
            format!("{:.2}", resumed.p99.as_secs_f64()),
        ];
        writeln!(out, "{}", numbers.map(|number| format!("{number:>10}")).concat())?;
    }
    Ok(())
}
