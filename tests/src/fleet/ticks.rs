//! Schedulers that are killed while the clocks of the database and of their machines step by an hour. The rows judge:
//! each time that was due was made due once.
//!
//! The database's clock is one of the test's own: four times as fast, and set forward and back. Each scheduler has a wrong
//! clock too, by libfaketime.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use grok2api_entity::schedule::Name;
use grok2api_entity::{job, tick};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait, Statement};

use super::{Fleet, Part, Plan, Process, Records, wait_for};

/// Everything becomes due this often, in milliseconds of the database's clock.
const EVERY_MS: i64 = 10_000;
/// How much faster the database's clock goes: a scheduler alone looks often enough.
const SPEED: i64 = 4;
/// Pauses between blows, in milliseconds of real time.
const CALM_MS: std::ops::Range<u64> = 200..1_500;
/// Steps of a clock, in seconds: an hour each way, and short ones, so that the same time comes again.
const STEPS: [i64; 6] = [3600, -3600, 3600, -3600, 35, -35];
/// Longest wait for the ticks that are left, after the last blow.
const PATIENCE: Duration = Duration::from_secs(90);

/// A clock that a test sets, found by the database before its own.
const CLOCK: &str = "
CREATE SCHEMA stepped;
CREATE TABLE stepped.hand (ahead interval NOT NULL, since timestamptz NOT NULL);
INSERT INTO stepped.hand VALUES (interval '0', pg_catalog.clock_timestamp());
CREATE FUNCTION stepped.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
  SELECT since + ahead + SPEED * (pg_catalog.clock_timestamp() - since) FROM stepped.hand
$$;";

/// What happens next.
enum Blow {
    Kill,
    SetOwnClock,
    SetClock,
    None,
}

/// A run.
#[derive(Debug, Clone, Copy)]
pub struct TickRun {
    /// At least so many ticks.
    pub ticks: usize,
    /// Schedulers at once.
    pub schedulers: usize,
    /// Chooses blows.
    pub seed: u64,
}

/// What was done, and what the rows say.
#[derive(Debug, Clone, Default)]
pub struct TickOutcome {
    /// Ticks on record.
    pub ticks: usize,
    /// Schedulers that were killed, or died in the middle of a tick.
    pub deaths: usize,
    /// Steps of the database's clock.
    pub steps: usize,
    /// Steps of a scheduler's own clock.
    pub own_steps: usize,
    /// Times that came again because the database's clock was set back.
    pub again: usize,
    /// Times that were due and have no tick.
    pub missing: Vec<(Name, i64)>,
    /// Ticks at times that were never due.
    pub untimely: Vec<(Name, i64)>,
    /// Ticks without a job of their own, and jobs without a tick.
    pub unpaired: usize,
    /// How long it took.
    pub took: Duration,
}

/// The database's clock between two steps, from and to, in Unix milliseconds.
type Stretch = (i64, i64);

struct Clocks {
    db: DatabaseConnection,
    stretches: Vec<Stretch>,
    begun: i64,
}

struct Guard {
    process: Process,
    hand: PathBuf,
}

impl Blow {
    fn any(rng: &mut StdRng) -> Self {
        match rng.random_range(0..10) {
            0..3 => Self::Kill,
            3..6 => Self::SetOwnClock,
            6..8 => Self::SetClock,
            _ => Self::None,
        }
    }
}

impl TickRun {
    /// Runs it on `PostgreSQL`.
    ///
    /// # Errors
    /// The fleet cannot be started, or libfaketime is not installed.
    pub async fn run(self) -> Result<TickOutcome> {
        let every = format!("every {}s", EVERY_MS / 1000);
        let plan = Name::ALL.into_iter().fold(Plan::new(Records::Postgres, false), |plan, name| {
            plan.setting(&format!("schedules.{}", name.as_str()), every.as_str())
        });
        let fleet = Fleet::prepare(plan).await?;
        let mut clocks = Clocks::install(&fleet).await?;
        let mut rng = StdRng::seed_from_u64(self.seed);
        let mut outcome = TickOutcome::default();
        let began = Instant::now();
        let mut guards = Vec::new();
        for number in 0..self.schedulers {
            guards.push(guard(&fleet, number, &mut rng)?);
        }
        // What was due before the first scheduler looked is not wanted.
        wait_for("the first tick", PATIENCE, async || Ok((fleet.ticks().await? > 0).then_some(()))).await?;
        clocks.begun = clocks.now().await?;
        while fleet.ticks().await? < self.ticks {
            let pause = Duration::from_millis(rng.random_range(CALM_MS));
            tokio::time::sleep(pause).await;
            let number = rng.random_range(0..self.schedulers);
            let target = &mut guards[number];
            let is_dead = target.process.ended()?.is_some();
            match if is_dead { Blow::Kill } else { Blow::any(&mut rng) } {
                Blow::Kill => {
                    target.process.kill()?;
                    *target = guard(&fleet, number, &mut rng)?;
                    outcome.deaths += 1;
                }
                Blow::SetOwnClock => {
                    std::fs::write(&target.hand, step(&mut rng))?;
                    outcome.own_steps += 1;
                }
                Blow::SetClock => {
                    clocks.step(STEPS[rng.random_range(0..STEPS.len())]).await?;
                    outcome.steps += 1;
                }
                Blow::None => {}
            }
        }
        clocks.close().await?;
        outcome.took = began.elapsed();
        drop(guards);
        clocks.judge(&mut outcome).await?;
        Ok(outcome)
    }
}

impl TickOutcome {
    /// Whether a tick is missing, was made twice, or at no time.
    pub fn is_red(&self) -> bool {
        !self.missing.is_empty() || !self.untimely.is_empty() || self.unpaired > 0
    }
}

impl fmt::Display for TickOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ticks, deaths, steps, own_steps, again, missing, untimely, unpaired, took } = self;
        writeln!(
            f,
            "{ticks} ticks in {took:.0?}; {deaths} schedulers killed, {steps} steps of the database's clock, {own_steps} of schedulers' own; {again} times came again"
        )?;
        write!(f, "missing {missing:?}, untimely {untimely:?}, without a job of their own {unpaired}")
    }
}

/// A scheduler whose own clock is wrong from its start. It may die in the middle of a tick by itself.
fn guard(fleet: &Fleet, number: usize, rng: &mut StdRng) -> Result<Guard> {
    let library = PathBuf::from(format!("/usr/lib/{}-linux-gnu/faketime/libfaketime.so.1", std::env::consts::ARCH));
    ensure!(library.exists(), "libfaketime is not installed: {} is missing", library.display());
    let hand = fleet.folder.path().join(format!("hand-{number}"));
    std::fs::write(&hand, step(rng))?;
    let points = ["before_tick", "between_tick_and_job", "after_tick"];
    let point = format!("{}=abort@{}", points[rng.random_range(0..points.len())], rng.random_range(1..20));
    let (library, path) = (library.display().to_string(), hand.display().to_string());
    let variables = [
        ("LD_PRELOAD", library.as_str()),
        ("FAKETIME_TIMESTAMP_FILE", path.as_str()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        (super::FAILPOINTS, point.as_str()),
    ];
    // Nobody waits until it is ready: it may die before.
    Ok(Guard { process: fleet.start_with(Part::Scheduler, &variables)?, hand })
}

/// What a scheduler's own clock is wrong by.
fn step(rng: &mut StdRng) -> String {
    format!("{:+}", STEPS[rng.random_range(0..STEPS.len())])
}

impl Fleet {
    async fn ticks(&self) -> Result<usize> {
        Ok(tick::Entity::find().all(&self.db).await?.len())
    }
}

impl Clocks {
    /// Lets everybody who connects from now on see a clock that can be set.
    async fn install(fleet: &Fleet) -> Result<Self> {
        let db = fleet.db.clone();
        db.execute_unprepared(&CLOCK.replace("SPEED", &SPEED.to_string())).await?;
        let url = fleet.database_url().context("these records lie on no server")?;
        let name = url.rsplit('/').next().context("the database has no name")?.to_owned();
        db.execute_unprepared(&format!("ALTER DATABASE {name} SET search_path = public, stepped, pg_catalog")).await?;
        Ok(Self { db, stretches: Vec::new(), begun: 0 })
    }

    async fn now(&self) -> Result<i64> {
        let sql = "SELECT CAST(EXTRACT(EPOCH FROM stepped.clock_timestamp()) * 1000 AS BIGINT) AS now";
        let row = self.db.query_one_raw(Statement::from_string(self.db.get_database_backend(), sql)).await?;
        Ok(row.context("no time")?.try_get("", "now")?)
    }

    /// Sets the database's clock, so many seconds forward or back.
    async fn step(&mut self, seconds: i64) -> Result<()> {
        let ended = self.now().await?;
        let sql = format!(
            "UPDATE stepped.hand SET ahead = stepped.clock_timestamp() - t.at + interval '{seconds} s', since = t.at FROM (SELECT pg_catalog.clock_timestamp() AS at) AS t"
        );
        self.db.execute_unprepared(&sql).await?;
        self.stretches.push((self.begun, ended));
        self.begun = self.now().await?;
        Ok(())
    }

    /// Waits until the latest time that is due was made due.
    async fn close(&mut self) -> Result<()> {
        let ended = self.now().await?;
        self.stretches.push((self.begun, ended));
        let last = ended - ended.rem_euclid(EVERY_MS);
        wait_for("the last ticks", PATIENCE, async || {
            let made = tick::Entity::find().all(&self.db).await?;
            let all = Name::ALL.into_iter().all(|name| {
                made.iter().any(|tick| tick.schedule == name && tick.due_ms >= last && tick.due_ms <= last + EVERY_MS)
            });
            Ok(all.then_some(()))
        })
        .await
    }

    async fn judge(&self, outcome: &mut TickOutcome) -> Result<()> {
        let ticks = tick::Entity::find().all(&self.db).await?;
        let jobs: BTreeMap<_, _> =
            job::Entity::find().all(&self.db).await?.into_iter().map(|job| (job.id, job.kind)).collect();
        let paired: BTreeSet<_> = ticks
            .iter()
            .filter(|tick| jobs.get(&tick.job_id) == Some(&tick.schedule.kind()))
            .map(|t| t.job_id)
            .collect();
        outcome.ticks = ticks.len();
        outcome.unpaired = (ticks.len() - paired.len()) + (jobs.len() - paired.len());
        let made: BTreeSet<(Name, i64)> = ticks.iter().map(|tick| (tick.schedule, tick.due_ms)).collect();
        for name in Name::ALL {
            let mut seen = BTreeSet::new();
            for (from, to) in &self.stretches {
                // The latest one before a stretch may be due in it; those of its last interval may be overtaken by a step.
                let first = from - from.rem_euclid(EVERY_MS) + EVERY_MS;
                let due = (first..to - EVERY_MS).step_by(usize::try_from(EVERY_MS)?);
                for time in due {
                    outcome.again += usize::from(!seen.insert(time));
                    if !made.contains(&(name, time)) {
                        outcome.missing.push((name, time));
                    }
                }
            }
        }
        let end = self.now().await?;
        let untimely = made.iter().filter(|(_, due)| {
            let within = |(from, to): &Stretch| *due > from - EVERY_MS && due <= to;
            due % EVERY_MS != 0 || !self.stretches.iter().chain([&(self.begun, end)]).any(within)
        });
        outcome.untimely = untimely.copied().collect();
        Ok(())
    }
}
