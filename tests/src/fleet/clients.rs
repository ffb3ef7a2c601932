//! Clients that ask for pictures and videos, repeat what was not answered, and write down what they were told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;
use rand::Rng;
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::Client;
use crate::ledger::{Entry, Told};

/// A request that is not answered is repeated for this long.
const PATIENCE: Duration = Duration::from_secs(120);
/// Pause before it is repeated.
const PAUSE: Duration = Duration::from_millis(200);

/// What a client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The mark in the prompt.
    pub mark: String,
    /// Whether it is a video; otherwise pictures.
    pub video: bool,
    /// The prompt.
    pub prompt: String,
    /// How many pictures.
    pub pictures: u8,
}

impl Wish {
    /// A wish as chance will have it, with the mark `MARK`: mostly videos, each of a second or two.
    pub fn any(rng: &mut StdRng, mark: String) -> Self {
        let video = rng.random_bool(0.7);
        let head = rng.random_range(0..400);
        let gap = rng.random_range(20..350);
        let large = if rng.random_bool(0.1) { ",mib=1" } else { "" };
        let what = if video { "The sun rises" } else { "Draw a kite" };
        let steps = if video { ",steps=4" } else { "" };
        let prompt = format!("{what} media:head_ms={head},gap_ms={gap}{steps}{large} [[id={mark}]]");
        Self { mark, video, prompt, pictures: if video { 1 } else { rng.random_range(1..=2) } }
    }

    /// A video with an order of its own.
    pub fn video(mark: &str, order: &str) -> Self {
        let prompt = format!("The sun rises {order} [[id={mark}]]");
        Self { mark: mark.to_owned(), video: true, prompt, pictures: 1 }
    }

    fn path(&self) -> &'static str {
        if self.video { "/v1/videos" } else { "/v1/images/generations" }
    }

    fn body(&self) -> Value {
        if self.video { json!({"prompt": self.prompt}) } else { json!({"prompt": self.prompt, "n": self.pictures}) }
    }
}

/// The clients, and their log. Clones write the same one.
#[derive(Debug, Clone)]
pub struct Clients {
    client: Client,
    log: Arc<Mutex<Vec<Entry>>>,
    waiting: Arc<tokio::sync::Mutex<JoinSet<()>>>,
}

impl Clients {
    /// Clients of one gateway.
    pub fn new(client: Client) -> Self {
        Self { client, log: Arc::default(), waiting: Arc::default() }
    }

    /// Asks. A video is accepted at once; pictures are answered when they are there, which another task waits for.
    pub async fn ask(&self, wish: Wish) {
        if wish.video {
            self.settle(wish).await;
        } else {
            let this = self.clone();
            self.waiting.lock().await.spawn(async move { this.settle(wish).await });
        }
    }

    /// Asks until there is an answer, and writes it down.
    async fn settle(&self, wish: Wish) {
        let until = Instant::now() + PATIENCE;
        let told = loop {
            match self.once(&wish).await {
                Ok(told) => break told,
                Err(_) if Instant::now() < until => tokio::time::sleep(PAUSE).await,
                Err(_) => break Told::Nothing,
            }
        };
        self.log.lock().push(Entry { mark: wish.mark, told });
    }

    /// Asks once, under a key that makes repeating safe.
    async fn once(&self, wish: &Wish) -> Result<Told> {
        let request = self.client.request(Method::POST, wish.path()).header("idempotency-key", &wish.mark);
        let answer = request.json(&wish.body()).send().await?;
        let status = answer.status();
        let answer: Value = answer.json().await?;
        if status.is_success() {
            let id = answer["id"].as_str().map(str::to_owned);
            return Ok(if wish.video { Told::Accepted(Some(id.context("no id")?)) } else { Told::Done });
        }
        let code = answer["error"]["code"].as_str().unwrap_or_default().to_owned();
        // As the official libraries do: whatever is not an answer to the request itself is asked for again.
        if matches!(status.as_u16(), 409 | 429 | 500 | 503) {
            bail!("{code}");
        }
        Ok(Told::Error(code))
    }

    /// Waits until all have been answered, and gives the log.
    ///
    /// # Errors
    /// Somebody waits for longer than `limit`.
    pub async fn log(&self, limit: Duration) -> Result<Vec<Entry>> {
        let all = async { while self.waiting.lock().await.join_next().await.is_some() {} };
        tokio::time::timeout(limit, all).await.context("clients still wait for their answers")?;
        Ok(self.log.lock().clone())
    }
}
