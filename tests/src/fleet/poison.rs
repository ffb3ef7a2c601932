//! A job that kills whoever takes it, among others that should hardly notice.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use grok2api_entity::generation::{Column, Entity, State};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use super::{Clients, Fleet, Part, Plan, Process, Records, Strikes, Wish};
use crate::ledger::Blow;

/// Kills the worker that begins a job whose prompt has `[[poison]]`.
pub const POISON: &str = "poison=abort";
/// Requests beside the poisonous one, in each measurement: a minute's work.
const OTHERS: usize = 600;
/// Each takes two seconds, so that they are asked for faster than three workers do them and all hands are always busy.
const OTHER: &str = "media:steps=4,gap_ms=500";
/// Measurements of each sort.
const ROUNDS: usize = 3;
/// Longest time for one.
const LIMIT: Duration = Duration::from_secs(180);

/// How fast the others were done, with a poisonous job among them and without, in the order they were measured.
#[derive(Debug, Clone, Default)]
pub struct PoisonRates {
    /// Completed requests a second without it.
    pub without: Vec<f64>,
    /// And with it.
    pub with: Vec<f64>,
}

impl PoisonRates {
    /// Measures by turns, on Redis and `PostgreSQL` with three workers.
    ///
    /// # Errors
    /// The fleet cannot be started, or takes too long.
    pub async fn measure() -> Result<Self> {
        let mut rates = Self::default();
        for _ in 0..ROUNDS {
            rates.without.push(rate(false).await?);
            rates.with.push(rate(true).await?);
        }
        Ok(rates)
    }

    /// What is left of the rate: median of those with it by the median of those without.
    pub fn left(&self) -> f64 {
        median(&self.with) / median(&self.without)
    }
}

impl fmt::Display for PoisonRates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { without, with } = self;
        write!(f, "requests/s without {without:.1?}, with a poisonous job {with:.1?}: {:.3} of the rate", self.left())
    }
}

fn median(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

async fn rate(poisoned: bool) -> Result<f64> {
    let fleet = Fleet::prepare(Plan::new(Records::Postgres, true)).await?;
    let _api = fleet.ready(Part::Api, "").await?;
    let (strikes, clients) = (Strikes::watch(fleet.db.clone()), Clients::new(fleet.client()));
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(fleet.ready(Part::Worker, POISON).await?);
    }
    let began = Instant::now();
    if poisoned {
        clients.ask(Wish::video("poison", "[[poison]]")).await;
    }
    let asking = async {
        for number in 0..OTHERS {
            clients.ask(Wish::video(&format!("other{number}"), OTHER)).await;
        }
    };
    let (deaths, ()) = tokio::join!(fleet.attend(&strikes, &mut workers, OTHERS, LIMIT), asking);
    let took = began.elapsed();
    let expected = if poisoned { 3 } else { 0 };
    ensure!(deaths? == expected, "the poisonous job does not kill three workers");
    let completed = Entity::find().filter(Column::State.eq(State::Completed)).count(&fleet.db).await?;
    #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
    let rate = completed as f64 / took.as_secs_f64();
    Ok(rate)
}

impl Fleet {
    /// Starts another worker where one has died, as a service manager does, until so many requests have come to their
    /// ends and no job is open, or the time is over. Answers how many died.
    ///
    /// # Errors
    /// The records do not answer, or a worker cannot be started.
    pub async fn attend(
        &self,
        strikes: &Strikes,
        workers: &mut [Process],
        requests: usize,
        limit: Duration,
    ) -> Result<usize> {
        let (mut deaths, until) = (0, Instant::now() + limit);
        loop {
            for worker in workers.iter_mut() {
                if worker.ended()?.is_some() {
                    strikes.strike(worker.pid(), Blow::Killed);
                    deaths += 1;
                    *worker = self.start(Part::Worker, POISON)?;
                }
            }
            let over = Entity::find().filter(Column::CompletedAt.is_not_null()).count(&self.db).await?;
            let done = over >= requests as u64 && self.open_jobs().await? == 0;
            if done || Instant::now() >= until {
                return Ok(deaths);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
