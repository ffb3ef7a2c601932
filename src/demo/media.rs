//! The scenes with a picture and a video: durable work, asked for and followed through the real HTTP API.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Client, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{print, say};

/// How often the video is asked for.
const LOOK: Duration = Duration::from_millis(200);
/// Longest time a video of the simulator may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Width of the progress bar, in characters.
const BAR: usize = 40;

/// Who asks, and where.
pub(super) struct Visitor<'a> {
    pub(super) client: &'a Client,
    pub(super) address: SocketAddr,
    pub(super) key: &'a SecretString,
}

impl Visitor<'_> {
    /// Draws a picture and says where it can be seen.
    pub(super) async fn picture(&self, prompt: &str) -> Result<()> {
        say(&format!("\n── A picture (POST /v1/images/generations) ──\n> {prompt}\n"))?;
        let drawn = self.post("/v1/images/generations", &json!({"prompt": prompt})).await?;
        let url = drawn["data"][0]["url"].as_str().context("there is no link to the picture")?;
        say(&format!("{} of {} bytes: {url}", "image/jpeg", self.fetched(url, "image/").await?))
    }

    /// Makes a video, showing its progress, and says where it can be seen.
    pub(super) async fn video(&self, prompt: &str) -> Result<()> {
        say(&format!("\n── A video (POST /v1/videos) ──\n> {prompt}\n"))?;
        let mut video = self.post("/v1/videos", &json!({"prompt": prompt})).await?;
        let id = video["id"].as_str().context("the video has no id")?.to_owned();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let status = video["status"].as_str().unwrap_or_default().to_owned();
            bar(&status, video["progress"].as_u64().unwrap_or(0))?;
            match status.as_str() {
                "completed" => break,
                "failed" => bail!("the video failed: {}", video["error"]),
                _ if tokio::time::Instant::now() > deadline => bail!("the video is not ready in time"),
                _ => tokio::time::sleep(LOOK).await,
            }
            video = self.get(&format!("/v1/videos/{id}")).await?;
        }
        say("")?;
        let job = self.get(&format!("/v1/jobs/{id}")).await?;
        let results = job["results"].as_array().context("the job has no results")?;
        let video = results.iter().find(|result| result["kind"] == "video");
        let url = video.and_then(|video| video["url"].as_str()).context("there is no link to the video")?;
        say(&format!("{} of {} bytes: {url}", "video/mp4", self.fetched(url, "video/").await?))
    }

    /// Size of the file behind a link, which must be of that type.
    async fn fetched(&self, url: &str, of_type: &str) -> Result<usize> {
        let response = self.client.get(url).send().await?.error_for_status()?;
        let found = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !found.starts_with(of_type) {
            bail!("the link leads to {found}");
        }
        Ok(response.bytes().await?.len())
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.client.post(format!("http://{}{path}", self.address)).json(body);
        read(request.bearer_auth(self.key.expose_secret()).send().await?).await
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let request = self.client.get(format!("http://{}{path}", self.address));
        read(request.bearer_auth(self.key.expose_secret()).send().await?).await
    }
}

async fn read(response: Response) -> Result<Value> {
    let status = response.status();
    if !status.is_success() {
        bail!("the gateway answered {status}: {}", response.text().await?);
    }
    Ok(response.json().await?)
}

/// Draws the bar over its last state.
fn bar(status: &str, percent: u64) -> Result<()> {
    let filled = usize::try_from(percent.min(100)).unwrap_or(0) * BAR / 100;
    print(&format!("\r[{}{}] {percent:>3} % {status:<12}", "#".repeat(filled), ".".repeat(BAR - filled)))
}
