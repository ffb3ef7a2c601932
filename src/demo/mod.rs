//! `grok2api demo`: the whole product on a temporary folder, with the simulated upstream behind it.

mod media;
mod scaled;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::StreamExt;
use grok2api_config::{StartUp, Tier, client_key};
use grok2api_sim::{Pace, Sim};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::media::Visitor;
use crate::accounts::{self, Template};
use crate::house::{House, Role};

pub use scaled::{Servers, run as run_scaled};

const PACE: Duration = Duration::from_millis(25);
const ACCOUNTS: [(&str, Tier); 4] = [
    ("demo-basic-one", Tier::Basic),
    ("demo-basic-two", Tier::Basic),
    ("demo-basic-three", Tier::Basic),
    ("demo-super-one", Tier::Super),
];

/// One thing the demo shows.
struct Scene {
    title: &'static str,
    model: &'static str,
    prompt: &'static str,
}

const SCENES: [Scene; 3] = [
    Scene { title: "A streaming chat", model: "grok-3-fast", prompt: "Hello! What are you?" },
    Scene { title: "A thinking chat", model: "grok-4-fast", prompt: "Think it through: why is the sky blue?" },
    Scene { title: "A web-search chat", model: "grok-4-fast", prompt: "Search the web for news about Rust releases." },
];

const PICTURE: &str = "A lighthouse at dusk, waves below";
const VIDEO: &str = "The waves roll in and the light turns";

/// Shows the gateway at work, then keeps it serving until Ctrl-C, or ends if `once`.
///
/// # Errors
/// Something of the demo does not work; it says what.
pub async fn run(listen: Option<SocketAddr>, once: bool) -> Result<()> {
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let sim = Sim::builder().pace(Pace::Every(PACE)).start("127.0.0.1:0").await?;
    let startup = startup(folder.path(), &sim)?;
    let mut house = House::open(&startup).await?;
    house.state.metrics = grok2api_api::metrics::install().ok();
    let key = client_key::generate()?;
    furnish(&house, &key).await?;
    let listener = listener(listen).await?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let serving = tokio::spawn(house.serve(Some(listener), Role::All, stop.clone()));
    let shown = show(address, &key).await;
    if shown.is_ok() && !once {
        say("Serving until Ctrl-C.")?;
        tokio::signal::ctrl_c().await?;
        say("\nEnding. The demo's folder is removed; nothing is left behind.")?;
    }
    stop.cancel();
    serving.await.context("the server ended badly")??;
    sim.shutdown().await;
    shown
}

fn startup(folder: &std::path::Path, sim: &Sim) -> Result<StartUp> {
    let mut startup = StartUp { data_dir: folder.to_owned(), ..StartUp::default() };
    startup.upstream.base_url = sim.url().parse().context("the simulator's address")?;
    startup.upstream.assets_base_url = startup.upstream.base_url.clone();
    startup.server.drain_delay_secs = 0;
    startup.server.shutdown_grace_secs = 1;
    Ok(startup)
}

/// Gives the empty house its accounts and its key.
async fn furnish(house: &House, key: &SecretString) -> Result<()> {
    for (name, tier) in ACCOUNTS {
        let template = Template { tier, tags: vec!["demo".to_owned()], note: String::new(), created_at: 0 };
        let token = SecretString::from(name);
        accounts::add(&house.store.db, &house.store.vault, &[token], &template).await?;
    }
    house.load_accounts().await?;
    let change = BTreeMap::from([("grok.api_key".to_owned(), Value::from(key.expose_secret()))]);
    house.store.settings.update(&change).await?;
    Ok(())
}

/// The usual port if it is free, else any.
async fn listener(asked: Option<SocketAddr>) -> Result<TcpListener> {
    if let Some(address) = asked {
        return TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"));
    }
    match TcpListener::bind("127.0.0.1:8000").await {
        Ok(listener) => Ok(listener),
        Err(_taken) => TcpListener::bind("127.0.0.1:0").await.context("no port is free"),
    }
}

async fn show(address: SocketAddr, key: &SecretString) -> Result<()> {
    say("grok2api demo: a pool of 4 simulated accounts behind one OpenAI-compatible endpoint.")?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    for scene in &SCENES {
        play(&client, address, key, scene).await.with_context(|| format!("'{}' failed", scene.title))?;
    }
    let visitor = Visitor { client: &client, address, key };
    visitor.picture(PICTURE).await.context("the picture failed")?;
    visitor.video(VIDEO).await.context("the video failed")?;
    let base = format!("http://{address}");
    let key = key.expose_secret();
    say(&format!(
        "\n  API        {base}/v1\n  Key        {key}\n  Documents  {base}/docs\n\nTry it:\n\n  curl -N {base}/v1/chat/completions \\\n    -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\\n    -d '{{\"model\":\"grok-4-fast\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}'\n\n  curl {base}/v1/models -H 'Authorization: Bearer {key}'\n"
    ))?;
    Ok(())
}

/// Streams one chat through the real HTTP API and prints it as it comes.
async fn play(client: &reqwest::Client, address: SocketAddr, key: &SecretString, scene: &Scene) -> Result<()> {
    say(&format!("\n── {} ({}) ──\n> {}\n", scene.title, scene.model, scene.prompt))?;
    let response = client
        .post(format!("http://{address}/v1/chat/completions"))
        .bearer_auth(key.expose_secret())
        .json(&json!({
            "model": scene.model,
            "stream": true,
            "messages": [{"role": "user", "content": scene.prompt}],
        }))
        .send()
        .await?;
    if !response.status().is_success() {
        bail!("the gateway answered {}: {}", response.status(), response.text().await?);
    }
    let mut events = response.bytes_stream();
    let mut buffer = Vec::new();
    let mut printer = Printer::default();
    while let Some(piece) = events.next().await {
        buffer.extend_from_slice(&piece?);
        while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = buffer.drain(..end + 2).collect();
            printer.event(&event)?;
        }
    }
    printer.end()
}

/// Prints the deltas of one answer.
#[derive(Default)]
struct Printer {
    thinking: bool,
    done: bool,
}

impl Printer {
    fn event(&mut self, event: &[u8]) -> Result<()> {
        let Some(data) = event.strip_prefix(b"data: ") else { return Ok(()) };
        if data.trim_ascii() == b"[DONE]" {
            self.done = true;
            return Ok(());
        }
        let chunk: Value = serde_json::from_slice(data)?;
        if let Some(error) = chunk.get("error") {
            bail!("the stream ended with an error: {error}");
        }
        let delta = &chunk["choices"][0]["delta"];
        if let Some(text) = delta["reasoning_content"].as_str() {
            if !self.thinking {
                self.thinking = true;
                print("(thinking)\n")?;
            }
            print(text)?;
        }
        if let Some(text) = delta["content"].as_str().filter(|text| !text.is_empty()) {
            if self.thinking {
                self.thinking = false;
                print("\n(answer)\n")?;
            }
            print(text)?;
        }
        Ok(())
    }

    fn end(&self) -> Result<()> {
        if !self.done {
            bail!("the stream broke off");
        }
        say("")
    }
}

fn say(line: &str) -> Result<()> {
    print(line)?;
    print("\n")
}

fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush().context("standard output is closed")
}
