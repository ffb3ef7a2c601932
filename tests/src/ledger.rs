//! The only judge of the kill tests: from what clients were told, what the records say, what lies in the store, what the
//! upstream counted and what was seen of the dead, it tells what went wrong.
//!
//! It knows nothing of how work is carried out, and so cannot share a fault with it.

mod verdict;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use grok2api_entity::generation::State as Asked;
use grok2api_entity::job::{State, Step};
use grok2api_entity::{asset, generation, job};
use grok2api_sim::CreateLedger;
use uuid::Uuid;

pub use verdict::{Quantiles, Verdict};

/// How long a dead worker's name may stand on a job.
pub const LEASE: Duration = Duration::from_secs(10);
/// Workers that may die over a job before it is given up.
const CRASHES: usize = 3;

/// What a client was told about one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The mark in its prompt, `[[id=MARK]]`: nobody else's.
    pub mark: String,
    /// What it heard.
    pub told: Told,
}

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Accepted; the id, where the answer has one.
    Accepted(Option<String>),
    /// Done: here are the results.
    Done,
    /// An error, by its code: of the request or of its work.
    Error(String),
    /// Nothing: the connection broke, and repeating was given up.
    Nothing,
}

/// What befell a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blow {
    /// Its process ended without a word.
    Killed,
    /// Its process stood still and went on later.
    Paused,
    /// Nothing: it was taken for dead by mistake, which a starved machine may bring about.
    None,
}

/// A job that was taken from its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hurt {
    /// The job.
    pub job: Uuid,
    /// The epoch that its worker had it in.
    pub epoch: i64,
    /// How far it had come then.
    pub step: Step,
    /// What befell its worker.
    pub blow: Blow,
}

/// What the history of the jobs tells of the struck.
#[derive(Debug, Clone, Default)]
pub struct Sightings {
    /// Jobs that were taken from their workers.
    pub hurt: HashSet<Hurt>,
    /// From a worker's death until its name was off a job.
    pub freed: Vec<Duration>,
    /// From a worker's death until another one had claimed the job.
    pub resumed: Vec<Duration>,
    /// The same as `freed`, when the database stood still meanwhile: then nobody can take over, and nobody may for a lease
    /// after (I3).
    pub disturbed: Vec<Duration>,
    /// Jobs that still stood in a dead worker's name at the end.
    pub still_held: usize,
    /// Changes of hands that the epochs should have prevented (I2).
    pub broken_fences: Vec<String>,
}

/// All that the judge looks at.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// What clients were told.
    pub log: Vec<Entry>,
    /// Requests on record.
    pub generations: Vec<generation::Model>,
    /// Jobs on record, of requests only.
    pub jobs: Vec<job::Model>,
    /// Files on record.
    pub assets: Vec<asset::Model>,
    /// Files in the store: names and sizes.
    pub files: HashMap<String, u64>,
    /// What the upstream accepted.
    pub creates: CreateLedger,
    /// What was seen of the struck.
    pub seen: Sightings,
    /// Whether a job whose paid call may or may not have counted is sent once more.
    pub resubmits: bool,
}

/// What belongs to one request.
struct Case<'a> {
    mark: &'a str,
    request: &'a generation::Model,
    jobs: &'a [&'a job::Model],
    results: &'a [&'a asset::Model],
    creates: u64,
}

impl Evidence {
    /// Judges.
    pub fn judge(&self) -> Verdict {
        let mut verdict = Verdict {
            freed: Quantiles::of(&self.seen.freed),
            resumed: Quantiles::of(&self.seen.resumed),
            disturbed: Quantiles::of(&self.seen.disturbed),
            ..Verdict::default()
        };
        let mut jobs: HashMap<Uuid, Vec<&job::Model>> = HashMap::new();
        for job in &self.jobs {
            jobs.entry(job.generation_id.unwrap_or_default()).or_default().push(job);
        }
        let mut results: HashMap<Uuid, Vec<&asset::Model>> = HashMap::new();
        for asset in self.assets.iter().filter(|asset| asset.kind != asset::Kind::Input) {
            results.entry(asset.generation_id.unwrap_or_default()).or_default().push(asset);
        }
        let mut by_mark: HashMap<&str, Vec<&generation::Model>> = HashMap::new();
        for request in &self.generations {
            by_mark.entry(mark_of(&request.prompt)).or_default().push(request);
        }
        for entry in &self.log {
            let requests = by_mark.remove(entry.mark.as_str()).unwrap_or_default();
            self.accepted(&mut verdict, entry, &requests);
            for request in requests {
                let case = Case {
                    mark: &entry.mark,
                    request,
                    jobs: jobs.get(&request.id).map_or(&[], Vec::as_slice),
                    results: results.get(&request.id).map_or(&[], Vec::as_slice),
                    creates: self.creates.by_name.get(&entry.mark).map_or(0, |stats| stats.creates),
                };
                self.request(&mut verdict, &case);
            }
        }
        for mark in by_mark.keys() {
            verdict.wrong(format!("{mark}: a request that no client made"));
        }
        self.store(&mut verdict);
        self.leases(&mut verdict);
        verdict
    }

    /// Whether what the client was told is on record, once.
    fn accepted(&self, verdict: &mut Verdict, entry: &Entry, requests: &[&generation::Model]) {
        let mark = &entry.mark;
        let was_accepted = matches!(entry.told, Told::Accepted(_) | Told::Done);
        if requests.is_empty() {
            if was_accepted {
                verdict.accepted += 1;
                verdict.lost.push(format!("{mark}: accepted, and not on record"));
            } else {
                let code = if let Told::Error(code) = &entry.told { code.as_str() } else { "no answer" };
                *verdict.refused.entry(code.to_owned()).or_default() += 1;
            }
            if self.creates.by_name.contains_key(mark) {
                verdict.wrong(format!("{mark}: paid for, and not on record"));
            }
            return;
        }
        verdict.accepted += 1;
        if requests.len() > 1 {
            verdict.doubled_results.push(format!("{mark}: on record {} times", requests.len()));
        }
        if let Told::Accepted(Some(id)) = &entry.told
            && requests.iter().all(|request| request.public_id != *id)
        {
            verdict.lost.push(format!("{mark}: not on record under the id that the client was told"));
        }
        if entry.told == Told::Done && requests.iter().all(|request| request.state != Asked::Completed) {
            verdict.wrong(format!("{mark}: the client was told that it is done, and it is not"));
        }
    }

    fn request(&self, verdict: &mut Verdict, case: &Case<'_>) {
        let Case { mark, request, jobs, .. } = case;
        let over = matches!(request.state, Asked::Completed | Asked::Failed | Asked::Cancelled);
        let open = jobs.iter().filter(|job| matches!(job.state, State::Queued | State::Running)).count();
        if jobs.is_empty() || open > 0 || !over {
            let states: Vec<_> = jobs.iter().map(|job| (job.state.as_str(), job.step.as_str(), job.epoch)).collect();
            verdict.lost.push(format!("{mark}: {} with jobs {states:?}", request.state.as_str()));
            return;
        }
        let done = jobs.iter().filter(|job| job.state == State::Completed).count();
        if (done > 0) != (request.state == Asked::Completed) || request.pending != 0 {
            verdict.wrong(format!("{mark}: {} although {done} of its jobs are done", request.state.as_str()));
        }
        verdict.completed += usize::from(request.state == Asked::Completed);
        if let Some(code) = request.error_code.as_ref().filter(|_| request.state == Asked::Failed) {
            *verdict.failed.entry(code.clone()).or_default() += 1;
        }
        self.paid(verdict, case);
        for job in *jobs {
            match job.state {
                State::Failed => self.failure(verdict, mark, job),
                State::Completed if case.creates == 0 => verdict.wrong(format!("{mark}: done, and never paid for")),
                _ => {}
            }
        }
        Self::results(verdict, case);
    }

    /// One job, one paid call.
    fn paid(&self, verdict: &mut Verdict, case: &Case<'_>) {
        let repeated: i32 = case.jobs.iter().filter(|_| self.resubmits).map(|job| job.tries.min(1)).sum();
        let allowed = case.jobs.len() as u64 + u64::try_from(repeated).unwrap_or(0);
        if case.creates > allowed {
            verdict.doubled_submissions.push(format!("{}: {} paid calls for {allowed}", case.mark, case.creates));
        }
    }

    /// A job may fail through a blow, and for no other reason.
    fn failure(&self, verdict: &mut Verdict, mark: &str, job: &job::Model) {
        let code = job.error_code.as_deref().unwrap_or("no code");
        let hurt: Vec<&Hurt> = self.seen.hurt.iter().filter(|hurt| hurt.job == job.id).collect();
        let explained = match code {
            "upstream_outcome_unknown" | "upstream_interrupted" => {
                verdict.unknown += 1;
                hurt.iter().any(|hurt| is_open(hurt.step))
            }
            "job_crashed" => hurt.iter().map(|hurt| hurt.epoch).collect::<HashSet<_>>().len() >= CRASHES,
            _ => false,
        };
        if !explained {
            let message = job.error_message.as_deref().unwrap_or_default();
            verdict.unexplained.push(format!("{mark}: {code} ({message}); blows: {hurt:?}"));
        }
    }

    /// Each picture and video once.
    fn results(verdict: &mut Verdict, case: &Case<'_>) {
        let mut places: BTreeMap<i32, usize> = BTreeMap::new();
        for asset in case.results {
            *places.entry(asset.ordinal).or_default() += 1;
        }
        for (ordinal, count) in places.into_iter().filter(|(_, count)| *count > 1) {
            verdict.doubled_results.push(format!("{}: result {ordinal} is there {count} times", case.mark));
        }
        let is_result = |asset: &&&asset::Model| asset.kind != asset::Kind::Preview;
        let stored = case.results.iter().filter(is_result).filter(|asset| asset.state == asset::State::Stored).count();
        let done = case.jobs.iter().filter(|job| job.state == State::Completed).count();
        if stored < done {
            verdict.lost.push(format!("{}: {done} jobs are done, and {stored} files are stored", case.mark));
        }
    }

    /// Every stored file is in the store, whole.
    fn store(&self, verdict: &mut Verdict) {
        let mut known = HashSet::new();
        for asset in self.assets.iter().filter(|asset| asset.state == asset::State::Stored) {
            let key = asset.storage_key.as_deref().unwrap_or_default();
            known.insert(key);
            match self.files.get(key) {
                Some(bytes) if i64::try_from(*bytes) == Ok(asset.bytes) => {}
                Some(bytes) => verdict.wrong(format!("{}: {bytes} bytes instead of {}", asset.name, asset.bytes)),
                None => verdict.lost.push(format!("{}: its file is gone", asset.name)),
            }
        }
        verdict.stray_files = self.files.keys().filter(|key| !known.contains(key.as_str())).count();
    }

    /// Nobody keeps what is not his.
    fn leases(&self, verdict: &mut Verdict) {
        let late = self.seen.freed.iter().filter(|after| **after > LEASE).count() + self.seen.still_held;
        if late > 0 {
            verdict.wrong(format!("{late} jobs were in a dead worker's name for more than {LEASE:?}"));
        }
        for broken in &self.seen.broken_fences {
            verdict.wrong(format!("a fence is broken: {broken}"));
        }
        verdict.false_deaths = self.seen.hurt.iter().filter(|hurt| hurt.blow == Blow::None).count();
        verdict.caught_in_call = self.seen.hurt.iter().filter(|hurt| is_open(hurt.step)).count();
    }
}

/// Whether the paid call had begun and was not over.
fn is_open(step: Step) -> bool {
    matches!(step, Step::Sending | Step::Submitted)
}

/// The mark in a prompt.
fn mark_of(prompt: &str) -> &str {
    let mark = prompt.split_once("[[id=").and_then(|(_, rest)| rest.split_once("]]"));
    mark.map_or("", |(mark, _)| mark)
}
