//! Redis and the database away at once, for a while, under steady chats.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use grok2api_entity::{request_log, usage_hour};
use reqwest::Method;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Fleet, Part, Plan, Records, wait_for};
use crate::client::Client;
use crate::proxy::{Proxy, Way};

const POSTGRES: &str = "127.0.0.1:5432";
/// Longest time until all usage is on record again.
const LIMIT: Duration = Duration::from_secs(120);
/// Enough of them that no budget ends.
const ACCOUNTS: usize = 500;
/// Time before and after the outage.
const CALM: Duration = Duration::from_secs(10);

/// What chats met in one phase.
#[derive(Debug, Clone, Default)]
pub struct Phase {
    /// Chats asked.
    pub asked: usize,
    /// Of these, answered to the end.
    pub answered: usize,
    /// Time to the first byte of the answer, ascending.
    pub first_bytes: Vec<Duration>,
}

/// What happened.
#[derive(Debug, Clone, Default)]
pub struct Outage {
    /// Before, during and after the outage.
    pub phases: [Phase; 3],
    /// How long requests for videos took to be refused while it lasted, ascending.
    pub refusals: Vec<Duration>,
    /// Answers to them that were not a 503 with a time to come back.
    pub wrong_refusals: Vec<String>,
    /// Chats on record in the end, one by one and in the sums.
    pub recorded: (u64, i64),
}

impl Phase {
    fn quantile(&self, percent: usize) -> Duration {
        let at = self.first_bytes.len().saturating_sub(1) * percent / 100;
        self.first_bytes.get(at).copied().unwrap_or_default()
    }
}

impl Outage {
    /// Runs one process that answers and one that works, at so many chats a second.
    ///
    /// # Errors
    /// The fleet cannot be started.
    pub async fn run(length: Duration, chats_a_second: u32, fault: Way) -> Result<Self> {
        let fleet = Fleet::prepare(Plan::new(Records::Postgres, true).accounts(ACCOUNTS)).await?;
        let redis = fleet.redis.as_ref().context("no Redis")?.url();
        let target = redis.trim_start_matches("redis://").to_owned();
        let (to_redis, to_database) = (Proxy::to(&target).await?, Proxy::to(POSTGRES).await?);
        let redis_url = format!("redis://{}", to_redis.address());
        let database_url = fleet.database_url().context("no database")?.replace(POSTGRES, &to_database.address());
        let ways = [("GROK2API_REDIS_URL", redis_url.as_str()), ("GROK2API_DATABASE_URL", &database_url)];
        let (mut api, client) = fleet.another(Part::Api, &ways).await?;
        let (mut worker, _) = fleet.another(Part::Worker, &ways).await?;
        let mut outage = Self::default();
        outage.phases[0] = chats(&client, CALM, chats_a_second).await;
        to_redis.set(fault);
        to_database.set(fault);
        let (during, refusals) = tokio::join!(chats(&client, length, chats_a_second), refused(&client, length));
        outage.phases[1] = during;
        (outage.refusals, outage.wrong_refusals) = refusals;
        to_redis.set(Way::Open);
        to_database.set(Way::Open);
        outage.phases[2] = chats(&client, CALM, chats_a_second).await;
        let answered: usize = outage.phases.iter().map(|phase| phase.asked).sum();
        let expected = u64::try_from(answered + outage.refusals.len())?;
        wait_for("all usage is on record", LIMIT, async || {
            let rows = request_log::Entity::find().count(&fleet.db).await?;
            let sums = usage_hour::Entity::find().all(&fleet.db).await?;
            outage.recorded = (rows, sums.iter().map(|sum| sum.requests).sum());
            Ok((rows >= expected).then_some(()))
        })
        .await?;
        ensure!(outage.recorded.0 == expected, "{:?} on record of {expected}", outage.recorded);
        api.expect_alive()?;
        worker.expect_alive()?;
        Ok(outage)
    }

    /// Part of the chats that were answered while it lasted.
    pub fn served(&self) -> f64 {
        let [_, during, _] = &self.phases;
        #[expect(clippy::cast_precision_loss, reason = "counts of chats are small")]
        let served = during.answered as f64 / during.asked.max(1) as f64;
        served
    }
}

/// Asks steadily, and waits for all answers.
async fn chats(client: &Client, length: Duration, a_second: u32) -> Phase {
    let (began, mut asked) = (Instant::now(), JoinSet::new());
    let mut tick = tokio::time::interval(Duration::from_secs(1) / a_second);
    while began.elapsed() < length {
        tick.tick().await;
        let client = client.clone();
        asked.spawn(async move { first_byte(&client).await });
    }
    let mut phase = Phase { asked: asked.len(), ..Phase::default() };
    while let Some(answer) = asked.join_next().await {
        if let Ok(Ok(took)) = answer {
            phase.answered += 1;
            phase.first_bytes.push(took);
        }
    }
    phase.first_bytes.sort_unstable();
    phase
}

/// Time to the first byte of an answer that comes to its end.
async fn first_byte(client: &Client) -> Result<Duration> {
    let body = json!({"model": "grok-3-fast", "stream": true, "messages": [{"role": "user", "content": "say:here"}]});
    let began = Instant::now();
    let answer = client.request(Method::POST, "/v1/chat/completions").json(&body).send().await?.error_for_status()?;
    let mut bytes = answer.bytes_stream();
    let mut text = Vec::from(bytes.next().await.context("an empty answer")??);
    let took = began.elapsed();
    while let Some(piece) = bytes.next().await {
        text.extend_from_slice(&piece?);
    }
    ensure!(text.windows(6).any(|window| window == b"[DONE]"), "the answer broke off");
    Ok(took)
}

/// Asks for videos, one a second, which nobody can accept now.
async fn refused(client: &Client, length: Duration) -> (Vec<Duration>, Vec<String>) {
    let (began, mut took, mut wrong) = (Instant::now(), Vec::new(), Vec::new());
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    // The first tick comes at once, when a commit may still get through.
    tick.tick().await;
    while began.elapsed() + Duration::from_secs(1) < length {
        tick.tick().await;
        let asked = Instant::now();
        let request = client.request(Method::POST, "/v1/videos").json(&json!({"prompt": "Sun"}));
        let Ok(answer) = request.send().await else {
            wrong.push("no answer".to_owned());
            continue;
        };
        took.push(asked.elapsed());
        let (status, comes_back) = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
        let body: Value = answer.json().await.unwrap_or_default();
        if status != 503 || !comes_back {
            wrong.push(format!("{status} {}", body["error"]["code"]));
        }
    }
    took.sort_unstable();
    (took, wrong)
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, phase) in ["before", "during", "after"].into_iter().zip(&self.phases) {
            let (p50, p99) = (phase.quantile(50), phase.quantile(99));
            let most = phase.first_bytes.last().copied().unwrap_or_default();
            let Phase { asked, answered, .. } = phase;
            writeln!(
                f,
                "{name}: {answered} of {asked} answered; first byte p50 {p50:.1?}, p99 {p99:.1?}, max {most:.1?}"
            )?;
        }
        let slowest = self.refusals.last().copied().unwrap_or_default();
        writeln!(
            f,
            "refused: {} videos, the slowest after {slowest:.2?}, wrong {:?}",
            self.refusals.len(),
            self.wrong_refusals
        )?;
        write!(f, "on record: {} requests one by one, {} in the sums", self.recorded.0, self.recorded.1)
    }
}
