//! What only many processes can do, each thing shown and checked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use grok2api_entity::job::{self, State, Step};
use grok2api_entity::{tick, worker};
use reqwest::Client;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::children::Process;
use super::ground::Ground;
use super::{PROCESSES, wait_for};
use crate::balancer::Balancer;
use crate::demo::media::Visitor;
use crate::demo::{PICTURE, SCENES, VIDEO, play, say};
use crate::house::Role;

/// Chats at once.
const CHATS: usize = 60;
/// Streams that are open while a process is restarted.
const STREAMS: usize = 12;
/// A stream of a second and a half.
const STREAM: &str = "bench:chunks=60,bytes=5,gap_ms=25";
/// A video whose file comes in 32 slow pieces, and the name by which the upstream counts it.
const SLOW_VIDEO: &str = "The tide comes in media:mib=2 [[id=tide]]";
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(90);

/// The show.
pub(super) struct Show<'a> {
    ground: &'a Ground,
    processes: Vec<Process>,
    balancer: Balancer,
    client: Client,
}

impl<'a> Show<'a> {
    /// With these processes behind that balancer.
    pub(super) fn new(ground: &'a Ground, processes: Vec<Process>, balancer: Balancer) -> Result<Self> {
        // Each request on a connection of its own, so that the balancer chooses for each.
        let client = Client::builder().no_proxy().pool_max_idle_per_host(0).build()?;
        Ok(Self { ground, processes, balancer, client })
    }

    /// Shows everything.
    pub(super) async fn play(&mut self) -> Result<()> {
        say("grok2api demo --scaled: one pool of 4 simulated accounts, served by seven processes.\n")?;
        for process in &mut self.processes {
            process.ready(&self.client).await?;
            say(&format!("  {:<12} process {:>7}, http://{}", process.name, process.pid(), process.address))?;
        }
        say(&format!("  {:<12} asks /readyz,      http://{}", "balancer", self.balancer.address()))?;
        self.balanced().await?;
        let address = self.balancer.address();
        for scene in &SCENES[..2] {
            play(&self.client, address, &self.ground.key, scene).await.with_context(|| format!("'{}'", scene.title))?;
        }
        let visitor = Visitor { client: &self.client, address, key: &self.ground.key };
        visitor.picture(PICTURE).await.context("the picture failed")?;
        visitor.video(VIDEO).await.context("the video failed")?;
        self.crowd().await.context("many chats at once")?;
        self.restart().await.context("a restart under open streams")?;
        self.death().await.context("a worker that dies")?;
        self.schedules().await.context("schedules")?;
        self.invite()
    }

    /// Ends all processes in order.
    pub(super) async fn end(mut self) -> Result<()> {
        for process in &self.processes {
            process.terminate()?;
        }
        for process in &mut self.processes {
            process.ended().await?;
        }
        Ok(())
    }

    async fn balanced(&self) -> Result<()> {
        wait_for("the balancer has found both", PATIENCE, async || {
            Ok((0..PROCESSES[0].1).all(|number| self.balancer.is_ready(number)).then_some(()))
        })
        .await
    }

    /// Many chats at once: who served how many.
    async fn crowd(&self) -> Result<()> {
        say(&format!("\n── {CHATS} chats at once ──"))?;
        let before = self.served().await?;
        let began = Instant::now();
        let mut chats = JoinSet::new();
        for _ in 0..CHATS {
            chats.spawn(whole(self.request("Hello!", false)));
        }
        while let Some(chat) = chats.join_next().await {
            chat??;
        }
        let took = began.elapsed();
        let after = self.served().await?;
        let parts: Vec<String> =
            after.iter().map(|(name, served)| format!("{name} {}", served - before.get(name).unwrap_or(&0))).collect();
        say(&format!("all answered in {:.1} s: {}", took.as_secs_f64(), parts.join(", ")))
    }

    /// Chats that each process has served, by its own account.
    async fn served(&self) -> Result<BTreeMap<String, u64>> {
        let mut served = BTreeMap::new();
        for process in self.of(Role::Api) {
            served.insert(process.name.clone(), self.counted(process, "grok2api_chats_total").await?);
        }
        Ok(served)
    }

    /// The sum of a counter over all its labels.
    async fn counted(&self, process: &Process, counter: &str) -> Result<u64> {
        let text = self.client.get(format!("http://{}/metrics", process.address)).send().await?.text().await?;
        let lines = text.lines().filter(|line| line.starts_with(&format!("{counter}{{")));
        Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
    }

    fn of(&self, role: Role) -> impl Iterator<Item = &Process> {
        self.processes.iter().filter(move |process| process.name.starts_with(role.as_str()))
    }

    fn request(&self, prompt: &str, stream: bool) -> reqwest::RequestBuilder {
        self.client
            .post(format!("http://{}/v1/chat/completions", self.balancer.address()))
            .bearer_auth(self.ground.key.expose_secret())
            .json(&json!({
                "model": "grok-3-fast", "stream": stream, "messages": [{"role": "user", "content": prompt}],
            }))
    }

    /// A process is restarted while streams run: nobody notices.
    async fn restart(&mut self) -> Result<()> {
        say(&format!("\n── api-1 is restarted under {STREAMS} open streams ──"))?;
        let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut streams = JoinSet::new();
        for _ in 0..STREAMS {
            let (over, done, request) = (Arc::clone(&over), Arc::clone(&done), self.request(STREAM, true));
            streams.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let request = request.try_clone().context("a stream cannot be repeated")?;
                    ensure!(whole(request).await?.ends_with("data: [DONE]\n\n"), "a stream broke off");
                    done.fetch_add(1, Ordering::Relaxed);
                }
                anyhow::Ok(())
            });
        }
        let ground = self.ground;
        let first = &mut self.processes[0];
        let began = Instant::now();
        first.terminate()?;
        first.ended().await?;
        let drained = began.elapsed();
        first.start_again(ground)?;
        first.ready(&self.client).await?;
        self.balanced().await?;
        over.store(true, Ordering::Relaxed);
        while let Some(stream) = streams.join_next().await {
            stream??;
        }
        let streams = done.load(Ordering::Relaxed);
        say(&format!("it drained for {:.1} s and came back; {streams} streams, 0 errors", drained.as_secs_f64()))
    }

    /// A worker is killed while it fetches a video: another one finishes it, and nothing is paid for twice.
    async fn death(&mut self) -> Result<()> {
        say("\n── A worker is killed in the middle of a video ──")?;
        let url = format!("http://{}/v1/videos", self.balancer.address());
        let request = self.client.post(&url).bearer_auth(self.ground.key.expose_secret());
        let video: Value =
            request.json(&json!({"prompt": SLOW_VIDEO})).send().await?.error_for_status()?.json().await?;
        let id = video["id"].as_str().context("the video has no id")?.to_owned();
        let pid = wait_for("a worker fetches the video", PATIENCE, async || self.fetching().await).await?;
        let ground = self.ground;
        let victim = self.processes.iter_mut().find(|process| process.pid() == pid);
        let victim = victim.with_context(|| format!("process {pid} is none of ours"))?;
        let began = Instant::now();
        victim.kill().await?;
        say(&format!("{} (process {pid}) was killed while it fetched the file", victim.name))?;
        let status = wait_for("the video comes to its end", PATIENCE, async || {
            let request = self.client.get(format!("{url}/{id}")).bearer_auth(self.ground.key.expose_secret());
            let video: Value = request.send().await?.error_for_status()?.json().await?;
            let status = video["status"].as_str().unwrap_or_default().to_owned();
            Ok(matches!(status.as_str(), "completed" | "failed").then_some(status))
        })
        .await?;
        ensure!(status == "completed", "the video has {status}");
        let asked = self.ground.sim.creates().by_name.get("tide").map_or(0, |stats| stats.creates);
        ensure!(asked == 1, "the upstream was asked {asked} times");
        victim.start_again(ground)?;
        victim.ready(&self.client).await?;
        say(&format!(
            "another worker finished it {:.1} s later; the upstream was asked once; {} is back",
            began.elapsed().as_secs_f64(),
            victim.name
        ))
    }

    /// The process that fetches the slow video at this moment.
    async fn fetching(&self) -> Result<Option<u32>> {
        let db = &self.ground.store.db;
        let fetching = job::Entity::find()
            .filter(job::Column::State.eq(State::Running))
            .filter(job::Column::Step.eq(Step::Archiving))
            .filter(job::Column::Kind.eq(job::Kind::GenerateVideo));
        let Some(holder) = fetching.one(db).await?.and_then(|job| job.holder) else { return Ok(None) };
        let holder = worker::Entity::find_by_id(holder).one(db).await?;
        Ok(holder.and_then(|holder| u32::try_from(holder.pid).ok()))
    }

    /// Two schedulers watch, and everything happens once.
    async fn schedules(&self) -> Result<()> {
        say("\n── Two schedulers, and each time that something is due happens once ──")?;
        let ticks = wait_for("something is due", PATIENCE, async || {
            let ticks = tick::Entity::find().all(&self.ground.store.db).await?;
            Ok((ticks.len() >= 4).then_some(ticks))
        })
        .await?;
        let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
        for tick in &ticks {
            *by_name.entry(tick.schedule.as_str()).or_default() += 1;
        }
        let jobs = job::Entity::find().filter(job::Column::Id.is_in(ticks.iter().map(|tick| tick.job_id)));
        let jobs = jobs.all(&self.ground.store.db).await?.len();
        if jobs != ticks.len() {
            bail!("{} times something was due, and there are {jobs} jobs", ticks.len());
        }
        let mut made = Vec::new();
        for process in self.of(Role::Scheduler) {
            made.push(format!("{} made {}", process.name, self.counted(process, "grok2api_ticks_total").await?));
        }
        let times: Vec<String> = by_name.iter().map(|(name, times)| format!("{name} {times}")).collect();
        say(&format!("{} times due, {jobs} jobs: {} ({})", ticks.len(), times.join(", "), made.join(", ")))
    }

    fn invite(&self) -> Result<()> {
        let (base, key) = (format!("http://{}", self.balancer.address()), self.ground.key.expose_secret());
        let logs = self.ground.folder.path().display();
        say(&format!(
            "\n  API        {base}/v1\n  Key        {key}\n  Documents  {base}/docs\n  Logs       {logs}\n\nTry it:\n\n  curl -N {base}/v1/chat/completions \\\n    -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\\n    -d '{{\"model\":\"grok-4-fast\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}'\n"
        ))
    }
}

/// The text of an answer, to its end.
async fn whole(request: reqwest::RequestBuilder) -> Result<String> {
    let response = request.send().await?;
    let status = response.status();
    let text = response.text().await?;
    ensure!(status.is_success(), "the gateway answered {status}: {text}");
    Ok(text)
}
