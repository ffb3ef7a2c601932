//! Chats and videos from all processes of a fleet at once, on accounts whose places and budgets are scarce. The upstream
//! judges: it has counted every call of every account.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use parking_lot::Mutex;
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use super::{Fleet, Part, Plan, Records, wait_for};
use crate::client::Client;

/// Most running calls of an account.
const PLACES: u64 = 2;
/// Units of an account's budget; each call costs one.
const UNITS: u64 = 80;
/// Callers at once, for each process that answers.
const CALLERS: usize = 24;
/// Part of all units that is used, in percent: towards the end hardly an account has any left.
const USED: usize = 97;
/// Longest time for the videos to be done after the chats.
const LIMIT: Duration = Duration::from_secs(300);

/// What was asked, and what the upstream has seen.
#[derive(Debug, Clone, Default)]
pub struct Flood {
    /// Answers to chats, by status.
    pub statuses: BTreeMap<u16, usize>,
    /// Videos asked for.
    pub videos: usize,
    /// Calls that the upstream has seen.
    pub calls: u64,
    /// Accounts with more running calls than they may have, and how many.
    pub crowded: Vec<(String, u64)>,
    /// Accounts with more calls than their budget allows, and how many.
    pub overdrawn: Vec<(String, u64)>,
    /// From the first chat to the last.
    pub took: Duration,
}

impl Flood {
    /// Runs `processes` of each role over Redis and `PostgreSQL`, and so many reservations through them: nine tenths
    /// chats, the rest videos.
    ///
    /// # Errors
    /// The fleet cannot be started, or takes too long.
    pub async fn run(reservations: usize, processes: usize) -> Result<Self> {
        let accounts = (reservations * 100).div_ceil(usize::try_from(UNITS)? * USED);
        let plan = Plan::new(Records::Postgres, true)
            .accounts(accounts)
            .setting("pool.max_in_flight", PLACES)
            .setting("pool.wait_ms", 60_000);
        let fleet = Fleet::prepare(plan).await?;
        let (mut running, mut clients) = (Vec::new(), Vec::new());
        for _ in 0..processes {
            let (api, client) = fleet.another(Part::Api, &[]).await?;
            running.push(api);
            clients.push(client);
            running.push(fleet.another(Part::Worker, &[]).await?.0);
            running.push(fleet.another(Part::Scheduler, &[]).await?.0);
        }
        let videos = reservations / 10;
        let mut flood = Self { videos, ..Self::default() };
        let began = Instant::now();
        let (statuses, asked) = tokio::join!(chat(&clients, reservations - videos), film(&clients, videos));
        flood.statuses = statuses;
        asked?;
        flood.took = began.elapsed();
        let done = wait_for("the videos are done", LIMIT, async || Ok((fleet.open_jobs().await? == 0).then_some(())));
        done.await?;
        for process in &mut running {
            process.expect_alive()?;
        }
        for (name, stats) in fleet.sim.accounts() {
            flood.calls += stats.calls;
            if stats.max_running > PLACES {
                flood.crowded.push((name.clone(), stats.max_running));
            }
            if stats.calls > UNITS {
                flood.overdrawn.push((name, stats.calls));
            }
        }
        Ok(flood)
    }

    /// Whether a limit was exceeded, or a chat was not served.
    pub fn is_red(&self) -> bool {
        let served = self.statuses.get(&200).copied().unwrap_or(0);
        let all: usize = self.statuses.values().sum();
        let expected = u64::try_from(served + self.videos).unwrap_or(u64::MAX);
        !self.crowded.is_empty() || !self.overdrawn.is_empty() || served != all || self.calls != expected
    }
}

async fn chat(clients: &[Client], chats: usize) -> BTreeMap<u16, usize> {
    let (left, statuses) = (Arc::new(AtomicUsize::new(chats)), Arc::new(Mutex::new(BTreeMap::new())));
    let mut callers = JoinSet::new();
    for client in clients {
        for _ in 0..CALLERS {
            let (client, left, statuses) = (client.clone(), Arc::clone(&left), Arc::clone(&statuses));
            callers.spawn(async move {
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                    let answer = client.chat("grok-3-fast", "say:yes").await;
                    *statuses.lock().entry(answer.status.as_u16()).or_insert(0) += 1;
                }
            });
        }
    }
    while callers.join_next().await.is_some() {}
    statuses.lock().clone()
}

async fn film(clients: &[Client], videos: usize) -> Result<()> {
    for n in 0..videos {
        let client = &clients[n % clients.len()];
        let answer = client.send(client.request(Method::POST, "/v1/videos").json(&json!({"prompt": "Sun"}))).await;
        ensure!(answer.status == 200, "a video was refused: {}", answer.text);
    }
    Ok(())
}

impl fmt::Display for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { statuses, videos, calls, crowded, overdrawn, took } = self;
        write!(
            f,
            "chats {statuses:?}, videos {videos}, upstream calls {calls}, in {took:.1?}; over their places {}, over \
             their budgets {}",
            crowded.len(),
            overdrawn.len()
        )?;
        for (name, calls) in crowded.iter().chain(overdrawn).take(5) {
            write!(f, "\n  {name}: {calls}")?;
        }
        Ok(())
    }
}
