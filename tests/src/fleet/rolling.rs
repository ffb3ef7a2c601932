//! Restarts of all processes, one after the other, under clients that repeat nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use grok2api::balancer::Balancer;
use grok2api_entity::generation;
use parking_lot::Mutex;
use reqwest::Method;
use sea_orm::EntityTrait;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Fleet, Part, Plan, Process, Records, free_port, wait_for};
use crate::app::KEY;
use crate::client::Client;

/// Longest wait for a process to end or to be ready, and for the last videos.
const PATIENCE: Duration = Duration::from_secs(90);
/// Clients that take turns, each request on a connection of its own: a balancer chooses for each request.
const KEPT: usize = 8;
/// A stream of a second and a half.
const STREAM: &str = "bench:chunks=60,bytes=5,gap_ms=25";

/// A rolling restart, in numbers.
#[derive(Debug, Clone, Copy)]
pub struct Rolling {
    /// Where the records lie; jobs travel through Redis.
    pub records: Records,
    /// How often each process is restarted.
    pub restarts: usize,
    /// Processes that only work, beside the two that answer.
    pub workers: usize,
    /// Processes that only say what is due.
    pub schedulers: usize,
    /// Whole answers asked for in each second; every twentieth is a video, which is accepted.
    pub requests_per_second: u32,
    /// Streams at the same time.
    pub streams: usize,
}

/// What clients saw.
#[derive(Debug, Clone, Default)]
pub struct RollingOutcome {
    /// Processes restarted.
    pub restarts: usize,
    /// Whole answers.
    pub answers: usize,
    /// Streams that came to their end.
    pub streams: usize,
    /// Videos by how they ended.
    pub videos: BTreeMap<String, usize>,
    /// Everything else that clients saw.
    pub errors: BTreeMap<String, usize>,
    /// Longest time from the order to end to the end of a process.
    pub longest_end: Duration,
    /// How long it took.
    pub took: Duration,
}

impl RollingOutcome {
    fn note(&mut self, error: &anyhow::Error) {
        *self.errors.entry(format!("{error:#}")).or_default() += 1;
    }

    /// Whether a client saw an error, or a video did not come.
    pub fn is_red(&self) -> bool {
        !self.errors.is_empty() || self.videos.keys().any(|state| state != "completed")
    }
}

impl fmt::Display for RollingOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { restarts, answers, streams, videos, errors, longest_end, took } = self;
        writeln!(
            f,
            "{restarts} restarts in {:.0} s, the slowest end {:.1} s: {answers} answers, {streams} streams, videos {videos:?}, {} errors",
            took.as_secs_f64(),
            longest_end.as_secs_f64(),
            errors.values().sum::<usize>()
        )?;
        errors.iter().take(20).try_for_each(|(error, times)| writeln!(f, "  {times} times: {error}"))
    }
}

/// The processes and what stands before them.
struct Scene {
    fleet: Fleet,
    addresses: Vec<SocketAddr>,
    balancer: Balancer,
    seen: Arc<Mutex<RollingOutcome>>,
}

impl Rolling {
    /// Lets it happen.
    ///
    /// # Errors
    /// A process cannot be started, or does not end as it should. What clients saw is in the outcome.
    pub async fn run(self) -> Result<RollingOutcome> {
        let began = Instant::now();
        let plan = Plan::new(self.records, true)
            .variable("GROK2API_SERVER__DRAIN_DELAY_SECS", "2")
            .variable("GROK2API_SERVER__SHUTDOWN_GRACE_SECS", "30");
        let fleet = Fleet::prepare(Plan { more_accounts: 40 * self.restarts, ..plan }).await?;
        let mut addresses = Vec::new();
        for _ in 0..2 {
            addresses.push(SocketAddr::from(([127, 0, 0, 1], free_port().await?)));
        }
        let balancer = Balancer::before(TcpListener::bind("127.0.0.1:0").await?, addresses.clone())?;
        let scene = Scene { fleet, addresses, balancer, seen: Arc::default() };
        let mut processes = Vec::new();
        for place in scene.places(self.workers, self.schedulers) {
            processes.push((place, scene.start(place).await?));
        }
        let stop = CancellationToken::new();
        let clients = self.clients(&scene, &stop);
        for _ in 0..self.restarts {
            for (place, process) in &mut processes {
                scene.restart(*place, process).await?;
            }
        }
        stop.cancel();
        clients.join_all().await;
        scene.fleet.settle(PATIENCE).await;
        let mut outcome = scene.seen.lock().clone();
        for video in generation::Entity::find().all(&scene.fleet.db).await? {
            *outcome.videos.entry(format!("{:?}", video.state).to_lowercase()).or_default() += 1;
        }
        outcome.took = began.elapsed();
        Ok(outcome)
    }

    /// Clients that repeat nothing.
    fn clients(self, scene: &Scene, stop: &CancellationToken) -> JoinSet<()> {
        let mut clients = JoinSet::new();
        let url = format!("http://{}", scene.balancer.address());
        for _ in 0..self.streams {
            clients.spawn(stream(Client::without_kept_connections(&url, KEY), Arc::clone(&scene.seen), stop.clone()));
        }
        let pause = Duration::from_secs(1) / self.requests_per_second.max(1);
        clients.spawn(requests(url, pause, Arc::clone(&scene.seen), stop.clone()));
        clients
    }
}

/// Where a process stands.
#[derive(Debug, Clone, Copy)]
enum Stand {
    Api(usize),
    Worker,
    Scheduler,
}

impl Scene {
    fn places(&self, workers: usize, schedulers: usize) -> Vec<Stand> {
        let answering = (0..self.addresses.len()).map(Stand::Api);
        let working = std::iter::repeat_n(Stand::Worker, workers);
        answering.chain(working).chain(std::iter::repeat_n(Stand::Scheduler, schedulers)).collect()
    }

    async fn start(&self, place: Stand) -> Result<Process> {
        match place {
            Stand::Worker => self.fleet.ready(Part::Worker, "").await,
            Stand::Scheduler => Ok(self.fleet.another(Part::Scheduler, &[]).await?.0),
            Stand::Api(number) => {
                let address = self.addresses[number].to_string();
                let mut process = self.fleet.start_with(Part::Api, &[("GROK2API_LISTEN", &address)])?;
                wait_for("a process gets connections", PATIENCE, async || {
                    process.expect_alive()?;
                    Ok(self.balancer.is_ready(number).then_some(()))
                })
                .await?;
                Ok(process)
            }
        }
    }

    async fn restart(&self, place: Stand, process: &mut Process) -> Result<()> {
        let told = Instant::now();
        process.terminate()?;
        let status = process.wait(PATIENCE).await.with_context(|| format!("{place:?} does not end"))?;
        ensure!(status.success(), "{place:?} ended with {status}: {}", process.last_words());
        let took = told.elapsed();
        *process = self.start(place).await?;
        let mut seen = self.seen.lock();
        seen.restarts += 1;
        seen.longest_end = seen.longest_end.max(took);
        Ok(())
    }
}

async fn stream(client: Client, seen: Arc<Mutex<RollingOutcome>>, stop: CancellationToken) {
    let body = json!({"model": "grok-3-fast", "stream": true, "messages": [{"role": "user", "content": STREAM}]});
    while !stop.is_cancelled() {
        let answer = async {
            let response = client.request(Method::POST, "/v1/chat/completions").json(&body).send().await?;
            let status = response.status();
            let text = response.text().await?;
            ensure!(status == 200 && text.trim_end().ends_with("data: [DONE]"), "a stream: {status} {}", tail(&text));
            Ok(())
        };
        match answer.await {
            Ok(()) => seen.lock().streams += 1,
            Err(error) => seen.lock().note(&error),
        }
    }
}

async fn requests(url: String, pause: Duration, seen: Arc<Mutex<RollingOutcome>>, stop: CancellationToken) {
    let clients: Vec<Client> = (0..KEPT).map(|_| Client::without_kept_connections(&url, KEY)).collect();
    let mut open = JoinSet::new();
    let mut tick = tokio::time::interval(pause);
    for number in 0_usize.. {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.cancelled() => break,
        }
        let (client, seen) = (clients[number % KEPT].clone(), Arc::clone(&seen));
        open.spawn(async move {
            match request(&client, number).await {
                Ok(()) => seen.lock().answers += 1,
                Err(error) => seen.lock().note(&error),
            }
        });
        while open.try_join_next().is_some() {}
    }
    open.join_all().await;
}

async fn request(client: &Client, number: usize) -> Result<()> {
    let (path, body) = if number.is_multiple_of(20) {
        ("/v1/videos", json!({"prompt": format!("The sun rises media:gap_ms=100,steps=4 [[id=roll{number}]]")}))
    } else {
        let messages = json!([{"role": "user", "content": "say: here"}]);
        ("/v1/chat/completions", json!({"model": "grok-3-fast", "messages": messages}))
    };
    let response = client.request(Method::POST, path).json(&body).send().await.with_context(|| path.to_owned())?;
    let status = response.status();
    let text = response.text().await.with_context(|| format!("{path}: {status}"))?;
    ensure!(status == 200, "{path}: {status} {}", tail(&text));
    Ok(())
}

fn tail(text: &str) -> String {
    let from = text.char_indices().rev().nth(300).map_or(0, |(at, _)| at);
    text[from..].to_owned()
}
