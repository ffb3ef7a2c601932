//! A storm of blows over a fleet that works: a plan made of a seed, one task for each worker process, clients that keep
//! asking, and the ledger at the end.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_util::future::{try_join, try_join_all};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::{Clients, Fleet, Part, Plan, Process, Records, Strikes, Wish};
use crate::ledger::{Blow, Verdict};

/// The places in a job's way where a process can be made to die.
pub const POINTS: [&str; 12] = [
    "before_claim",
    "after_claim",
    "before_sending",
    "after_sending",
    "after_send",
    "after_submitted",
    "before_archiving",
    "after_archiving",
    "before_fetch",
    "after_fetch",
    "before_end",
    "after_end",
];
/// A process that has not come by its place after this time is killed where it is.
const STRIKES_WITHIN: Duration = Duration::from_secs(25);
/// Longest wait for the end of a process that was asked to end: jobs may go on for 30 s.
const HAND_OVER: Duration = Duration::from_secs(45);
/// A process that cannot start is started again for this long.
const STARTS_WITHIN: Duration = Duration::from_secs(120);
/// Longest wait for the last job after the storm.
const SETTLE: Duration = Duration::from_secs(120);
/// Requests that are under way at once.
const UNDER_WAY: u64 = 14;
/// Requests that are under way at least, until the last blow has fallen.
const ALWAYS: u64 = 3;

/// What is to happen.
#[derive(Debug, Clone)]
pub struct Storm {
    /// Chooses everything.
    pub seed: u64,
    /// Processes that end without a word.
    pub kills: usize,
    /// Requests.
    pub jobs: usize,
    /// Where the records lie.
    pub records: Records,
    /// Whether one process does everything; otherwise three work, and jobs travel through Redis.
    pub embedded: bool,
    /// Mean life of a process.
    pub life: Duration,
    /// Longest time that a process stands still.
    pub pause: Duration,
    /// Where processes die that do not die at any time.
    pub places: &'static [&'static str],
    /// A fault that is switched on in every worker, to be found by the ledger.
    pub fault: Option<&'static str>,
}

/// What befalls one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Dies at a place, the n-th time it comes by.
    Point(&'static str, u32),
    /// Dies at a time.
    Kill,
    /// Stands still for a while, goes on, and is asked to end a little later.
    Pause,
    /// Is asked to end.
    Term,
}

/// What has happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Deaths at each place.
    pub points: BTreeMap<&'static str, usize>,
    /// Deaths at any time.
    pub kills: usize,
    /// Processes that stood still and went on.
    pub pauses: usize,
    /// Processes that ended with an error before they were ready.
    pub failed_starts: usize,
    /// Processes that ended in order.
    pub hand_overs: usize,
    /// The longest of these ends.
    pub longest_hand_over: Duration,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What the ledger found.
    pub verdict: Verdict,
    /// What has happened.
    pub tally: Tally,
    /// How long it took.
    pub took: Duration,
}

impl Tally {
    /// Processes that ended without a word.
    pub fn deaths(&self) -> usize {
        self.kills + self.points.values().sum::<usize>()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { points, kills, pauses, failed_starts, hand_overs, longest_hand_over } = &self.tally;
        let took = self.took.as_secs_f64();
        writeln!(f, "{took:.0} s: {} kills ({kills} at random, {points:?}), {pauses} pauses", self.tally.deaths())?;
        writeln!(f, "{hand_overs} hand-overs, the longest {longest_hand_over:.1?}; {failed_starts} failed starts")?;
        write!(f, "{}", self.verdict)
    }
}

/// What the tasks of a storm share.
struct Scene {
    storm: Storm,
    fleet: Fleet,
    strikes: Strikes,
    clients: Clients,
    fates: Mutex<VecDeque<Fate>>,
    all: usize,
    over: AtomicUsize,
    tally: Mutex<Tally>,
}

impl Storm {
    /// A storm of this size, over three workers or, embedded, over the one process.
    pub fn new(records: Records, embedded: bool, seed: u64, kills: usize, jobs: usize) -> Self {
        let life = if embedded { Duration::from_millis(1_200) } else { Duration::from_secs(5) };
        Self { seed, kills, jobs, records, embedded, life, pause: Duration::from_secs(6), places: &POINTS, fault: None }
    }

    /// Lets it happen.
    ///
    /// # Errors
    /// The fleet cannot be started, or a process does what it should not. What became of the jobs is in the verdict.
    pub async fn run(self) -> Result<Outcome> {
        let began = Instant::now();
        let fleet = Fleet::prepare(Plan::new(self.records, !self.embedded)).await?;
        let api = if self.embedded { None } else { Some(fleet.ready(Part::Api, "").await?) };
        let fates = self.fates();
        let mut scene = Scene {
            strikes: Strikes::watch(fleet.db.clone()),
            clients: Clients::new(fleet.client()),
            all: fates.len(),
            fates: Mutex::new(fates.into()),
            over: AtomicUsize::new(0),
            tally: Mutex::default(),
            storm: self,
            fleet,
        };
        let outcome = scene.play(api, began).await;
        if std::env::var_os("GROK2API_CHAOS_KEEP").is_some() {
            eprintln!("kept: {}", scene.fleet.keep_folder().display());
        }
        outcome
    }

    /// All blows, in the order they fall. Every place has its turn before any has its second.
    fn fates(&self) -> Vec<Fate> {
        let mut rng = StdRng::seed_from_u64(self.seed);
        // About as often as a process comes by in its life.
        let most = u32::try_from(self.life.as_secs()).unwrap_or(u32::MAX).max(4);
        let at_places = (self.kills * 2 / 5).max(self.places.len().min(self.kills));
        let point = |number: usize| Fate::Point(self.places[number % self.places.len()], 1);
        let mut fates: Vec<Fate> = (0..at_places).map(point).collect();
        for fate in &mut fates {
            if let Fate::Point(_, nth) = fate {
                *nth = rng.random_range(1..=most);
            }
        }
        fates.resize(self.kills, Fate::Kill);
        fates.extend(std::iter::repeat_n(Fate::Pause, self.kills.div_ceil(8)));
        fates.extend(std::iter::repeat_n(Fate::Term, self.kills.div_ceil(8)));
        fates.shuffle(&mut rng);
        fates
    }
}

impl Scene {
    async fn play(&self, api: Option<Process>, began: Instant) -> Result<Outcome> {
        let slots = if self.storm.embedded { 1 } else { 3 };
        let (mut last, ()) = try_join(try_join_all((0..slots).map(|slot| self.slot(slot))), self.feed()).await?;
        self.fleet.settle(SETTLE).await;
        let log = self.clients.log(SETTLE).await?;
        for process in last.iter_mut().chain(&mut api.into_iter().collect::<Vec<_>>()) {
            self.end_in_order(process).await?;
        }
        let verdict = self.fleet.evidence(log, self.strikes.sightings().await?).await?.judge();
        let tally = self.tally.lock().clone();
        Ok(Outcome { verdict, tally, took: began.elapsed() })
    }

    /// Keeps requests under way, spread over the storm: as many as there may be, and always some for the blows to fall on.
    async fn feed(&self) -> Result<()> {
        let mut rng = StdRng::seed_from_u64(self.storm.seed ^ 0xfeed);
        let slots = if self.storm.embedded { 1 } else { 3 };
        let mut asked = 0;
        loop {
            let over = self.over.load(Ordering::Relaxed);
            if over >= self.all && asked >= self.storm.jobs {
                return Ok(());
            }
            let is_due = over >= self.all || asked * self.all <= self.storm.jobs * (over + slots);
            if self.fleet.open_jobs().await? < if is_due { UNDER_WAY } else { ALWAYS } {
                self.clients.ask(Wish::any(&mut rng, format!("j{asked}"))).await;
                asked += 1;
            } else {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// One place for a process: as long as there are fates left, one process after the other. Answers one that nothing
    /// befalls any more.
    async fn slot(&self, number: u64) -> Result<Process> {
        let mut rng = StdRng::seed_from_u64(self.storm.seed.wrapping_mul(31).wrapping_add(number));
        loop {
            let fate = self.fates.lock().pop_front();
            let Some(fate) = fate else { return self.new_process("").await };
            let point = match fate {
                Fate::Point(point, nth) => format!("{point}=abort@{nth}"),
                _ => String::new(),
            };
            let mut process = self.new_process(&point).await?;
            self.befall(fate, &mut process, &mut rng).await?;
            self.over.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A new process. Like a service manager, tries again when it cannot start: the database may be busy with the dead.
    async fn new_process(&self, points: &str) -> Result<Process> {
        let part = if self.storm.embedded { Part::Serve } else { Part::Worker };
        let faults: Vec<&str> = [points].into_iter().filter(|text| !text.is_empty()).chain(self.storm.fault).collect();
        let began = Instant::now();
        loop {
            let mut process = self.fleet.start(part, &faults.join(","))?;
            let ready = self.fleet.wait_ready(part, &mut process).await;
            match (ready, process.ended()?) {
                (Ok(()), _) => return Ok(process),
                // It has come by its place before we looked.
                (Err(_), Some(status)) if status.code().is_none() => return Ok(process),
                (Err(_), Some(_)) if began.elapsed() < STARTS_WITHIN => {}
                (Err(error), _) => return Err(error),
            }
            self.tally.lock().failed_starts += 1;
        }
    }

    async fn befall(&self, fate: Fate, process: &mut Process, rng: &mut StdRng) -> Result<()> {
        let life = self.storm.life.mul_f64(rng.random_range(0.1..1.9));
        match fate {
            Fate::Point(point, _) => {
                let struck = process.wait(STRIKES_WITHIN).await;
                self.strikes.strike(process.pid(), Blow::Killed);
                if struck.is_ok() {
                    *self.tally.lock().points.entry(point).or_default() += 1;
                } else {
                    process.kill()?;
                    self.tally.lock().kills += 1;
                }
            }
            Fate::Kill => {
                tokio::time::sleep(life).await;
                process.expect_alive()?;
                self.strikes.strike(process.pid(), Blow::Killed);
                process.kill()?;
                self.tally.lock().kills += 1;
            }
            Fate::Pause => {
                tokio::time::sleep(life).await;
                process.expect_alive()?;
                self.strikes.strike(process.pid(), Blow::Paused);
                process.pause()?;
                tokio::time::sleep(self.storm.pause.mul_f64(rng.random_range(0.2..=1.0))).await;
                process.resume()?;
                tokio::time::sleep(Duration::from_secs(2)).await;
                self.tally.lock().pauses += 1;
                self.end_in_order(process).await?;
            }
            Fate::Term => {
                tokio::time::sleep(life).await;
                let took = self.end_in_order(process).await?;
                let mut tally = self.tally.lock();
                tally.hand_overs += 1;
                tally.longest_hand_over = tally.longest_hand_over.max(took);
            }
        }
        Ok(())
    }

    async fn end_in_order(&self, process: &mut Process) -> Result<Duration> {
        process.expect_alive()?;
        let began = Instant::now();
        process.terminate()?;
        let status = process.wait(HAND_OVER).await?;
        ensure!(status.success(), "a process did not end in order ({status}):\n{}", process.last_words());
        Ok(began.elapsed())
    }
}
