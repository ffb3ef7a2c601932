//! What one reservation costs, by size of the pool and by strategy: it must not grow with the pool.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use grok2api_config::{ModelTable, Strategy, Tier};
use grok2api_pool::{AccountId, AccountSeed, BudgetIx, Clock, MemoryPool, Outcome, Policy, PoolState, Want};

const SIZES: [u128; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];
const STRATEGIES: [Strategy; 5] =
    [Strategy::MostRemaining, Strategy::RoundRobin, Strategy::LeastUsed, Strategy::FillFirst, Strategy::ResetAware];
/// Calls timed together; one alone is shorter than the clock's own noise.
const BATCH: u32 = 100;
/// A pool of 100,000 may cost so many times what one of 100 costs.
const MOST_GROWTH: f64 = 3.0;

/// How to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Batches of 100 reservations for each size and strategy, in five interleaved rounds.
    #[arg(long, default_value_t = 500)]
    batches: usize,
    /// Largest pool.
    #[arg(long, default_value_t = 1_000_000)]
    largest: u128,
}

/// Measures and prints a table of medians in nanoseconds; an error when the cost grows with the pool.
pub(crate) async fn command(options: Options) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "reserve + settle, median ns   {}", SIZES.map(|size| format!("{size:>10}")).join(""))?;
    let mut too_dear = Vec::new();
    for strategy in STRATEGIES {
        let pools: Vec<Pool> =
            SIZES.iter().filter(|size| **size <= options.largest).map(|size| Pool::of(*size, strategy)).collect();
        let mut times: Vec<Vec<Duration>> = vec![Vec::new(); pools.len()];
        for _ in 0..5 {
            for (pool, times) in pools.iter().zip(&mut times) {
                for _ in 0..options.batches / 5 {
                    times.push(pool.batch().await?);
                }
            }
        }
        let medians: Vec<f64> = times.iter_mut().map(|times| median_ns(times)).collect();
        let row: Vec<String> = medians.iter().map(|ns| format!("{ns:>10.0}")).collect();
        writeln!(out, "{:<30}{}", strategy.as_str(), row.concat())?;
        if let (Some(small), Some(large)) = (medians.first(), medians.get(3))
            && large / small > MOST_GROWTH
        {
            too_dear.push(format!("{}: {:.1}x from 100 to 100,000", strategy.as_str(), large / small));
        }
    }
    if too_dear.is_empty() { Ok(()) } else { bail!("the cost grows with the pool: {}", too_dear.join("; ")) }
}

struct Pool {
    state: MemoryPool,
    policy: Policy,
}

impl Pool {
    fn of(size: u128, strategy: Strategy) -> Self {
        let policy = Policy { strategy, max_in_flight: 2 };
        let state = MemoryPool::new(&ModelTable::default(), policy, Clock::System);
        for n in 0..size {
            state.upsert(AccountSeed::fresh(AccountId::from_u128(n), Tier::Basic, "v1:key:sealed"));
        }
        Self { state, policy }
    }

    /// Time of one reservation with its settlement, averaged over a batch. Served calls are given back unspent, so
    /// that no pool runs dry.
    async fn batch(&self) -> Result<Duration> {
        let began = Instant::now();
        for _ in 0..BATCH {
            let want = Want { budget: BudgetIx(1), cost: 4, tier: Tier::Basic, exclude: &[] };
            let grant = self.state.reserve(&want, self.policy).await?;
            self.state.settle(&grant, &Outcome::Abandoned { spent: false });
        }
        Ok(began.elapsed() / BATCH)
    }
}

fn median_ns(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |median| median.as_secs_f64() * 1e9)
}
