//! What one reservation costs, by size of the pool and by strategy, in memory and on Redis: it must not grow with the pool.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use grok2api_config::{ModelTable, Strategy, Tier};
use grok2api_pool::{AccountId, AccountSeed, BudgetIx, Clock, MemoryPool, Outcome, Policy, PoolState, RedisPool, Want};
use uuid::Uuid;

use crate::jobs::ground::remove_keys;

const SIZES: [u128; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];
const STRATEGIES: [Strategy; 5] =
    [Strategy::MostRemaining, Strategy::RoundRobin, Strategy::LeastUsed, Strategy::FillFirst, Strategy::ResetAware];
/// Calls timed together; one alone is shorter than the clock's own noise.
const BATCH: u32 = 100;
/// A pool of 100,000 may cost so many times what one of 100 costs.
const MOST_GROWTH: f64 = 3.0;
/// Callers at once, when many are served by one process.
const CALLERS: usize = 64;
/// For how long they call.
const RUSH: Duration = Duration::from_secs(2);
/// The call that is measured.
const WANT: Want<'static> = Want { budget: BudgetIx(1), cost: 4, tier: Tier::Basic, exclude: &[], prefer: None };

/// How to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Batches of 100 reservations for each size and strategy, in five interleaved rounds.
    #[arg(long, default_value_t = 500)]
    batches: usize,
    /// Largest pool.
    #[arg(long, default_value_t = 1_000_000)]
    largest: u128,
    /// Measure on this Redis as well; keys of its own are removed afterwards.
    #[arg(long)]
    redis: Option<String>,
}

/// Measures and prints a table of medians in nanoseconds; an error when the cost grows with the pool.
pub(crate) async fn command(options: Options) -> Result<()> {
    let mut out = std::io::stdout();
    // First, so that nothing that was freed is used again.
    memory(&mut out, options.largest)?;
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
    if let Some(url) = &options.redis {
        shared(&mut out, url, &options).await?;
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
            let grant = self.state.reserve(&WANT, self.policy).await?;
            self.state.settle(&grant, &Outcome::Abandoned { spent: false });
        }
        Ok(began.elapsed() / BATCH)
    }
}

/// Memory of an account, from the growth of the process.
fn memory(out: &mut impl Write, accounts: u128) -> Result<()> {
    let before = resident()?;
    let pool = Pool::of(accounts, Strategy::MostRemaining);
    let bytes = resident()?.saturating_sub(before) / u64::try_from(accounts).unwrap_or(1).max(1);
    writeln!(out, "memory of an account, bytes   {bytes:>10}")?;
    drop(pool);
    Ok(())
}

/// Bytes of this process in memory.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kib| kib.parse::<u64>().ok());
    Ok(kib.unwrap_or(0) * 1024)
}

/// Reservations on Redis: how long one takes, and how many one process makes in a second.
async fn shared(out: &mut impl Write, url: &str, options: &Options) -> Result<()> {
    let policy = Policy { strategy: Strategy::MostRemaining, max_in_flight: 2 };
    writeln!(out, "on Redis: accounts    median us       p99 us    a second")?;
    for size in SIZES.into_iter().filter(|size| *size <= options.largest) {
        let prefix = format!("bench-{}", Uuid::new_v4().simple());
        let pool = RedisPool::connect(url, &prefix, &ModelTable::default(), policy, Clock::System).await?;
        for n in 1..=size {
            pool.upsert(AccountSeed::fresh(AccountId::from_u128(n), Tier::Basic, "v1:key:sealed"));
        }
        pool.told().await;
        let pool = Arc::new(pool);
        let mut times = Vec::new();
        for _ in 0..options.batches * 10 {
            let began = Instant::now();
            let grant = pool.reserve(&WANT, policy).await?;
            times.push(began.elapsed());
            pool.settle(&grant, &Outcome::Abandoned { spent: false });
        }
        pool.told().await;
        let median = median_ns(&mut times) / 1000.0;
        let p99 = times.get(times.len() * 99 / 100).map_or(0.0, |time| time.as_secs_f64() * 1e6);
        let rate = rush(&pool, policy).await?;
        writeln!(out, "{size:>18}{median:>13.0}{p99:>13.0}{rate:>12.0}")?;
        pool.leave().await;
        drop(pool);
        remove_keys(url, &prefix).await?;
    }
    Ok(())
}

/// Reservations a second of many callers.
async fn rush(pool: &Arc<RedisPool>, policy: Policy) -> Result<f64> {
    let began = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let pool = Arc::clone(pool);
        callers.spawn(async move {
            let mut made = 0_u32;
            while began.elapsed() < RUSH {
                match pool.reserve(&WANT, policy).await {
                    Ok(grant) => {
                        made += 1;
                        pool.settle(&grant, &Outcome::Abandoned { spent: false });
                    }
                    Err(_) => tokio::task::yield_now().await,
                }
            }
            made
        });
    }
    let made: u32 = callers.join_all().await.into_iter().sum();
    pool.told().await;
    Ok(f64::from(made) / began.elapsed().as_secs_f64())
}

fn median_ns(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |median| median.as_secs_f64() * 1e9)
}
