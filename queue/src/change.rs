//! The changes a job may go through: from the row as it is and a change to the row as it then is, without a database.

use grok2api_entity::failure::Code;
use grok2api_entity::generation;
use grok2api_entity::job::{Model, State, Step};
use uuid::Uuid;

use crate::news::is_over;
use crate::ticket::{NewJob, Stub};

/// Workers that may die over a job, without coming closer to its end, before it is given up (F9).
pub const MAX_CRASHES: i32 = 3;

/// Characters kept of a failure's message.
const MESSAGE: usize = 2_000;
/// Characters kept of an upstream's id.
const UPSTREAM_ID: usize = 128;

/// Why work failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// From the closed list.
    pub code: Code,
    /// In words fit for the client.
    pub message: String,
}

impl Failure {
    /// A failure in words.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// What a worker notes about the job it has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Note {
    /// The step it has come to. Coming to `submitted` or `archiving` forgives earlier crashes.
    pub step: Option<Step>,
    /// Percent, 0 to 100.
    pub progress: Option<i32>,
    /// The account it uses.
    pub account_id: Option<Uuid>,
    /// What the upstream calls it.
    pub upstream_id: Option<String>,
    /// A paid call that is about to leave.
    pub attempt: Option<i32>,
    /// How that call ended: `ok`, or why it failed.
    pub attempt_outcome: Option<(i32, String)>,
}

/// How a worker lets go of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Done.
    Completed,
    /// Given up.
    Failed(Failure),
    /// To be tried again, from the beginning of its step.
    Again {
        /// Not before this time, in Unix milliseconds.
        run_at: i64,
        /// The step to begin with.
        step: Step,
        /// Whether it counts as one of the tries.
        counted: bool,
    },
    /// Passed on as it is: this process goes down.
    HandOver,
}

/// One change.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// A new row.
    Insert(NewJob),
    /// A worker takes it.
    Claim { stub: Stub, holder: Uuid },
    /// Its worker notes something.
    Note { stub: Stub, note: Note },
    /// Its worker lets go.
    End { stub: Stub, end: End },
    /// Its worker is dead.
    TakeOver { stub: Stub },
    /// It has waited for too long.
    Expire { stub: Stub },
    /// Nobody wants it any more.
    Cancel { id: Uuid },
    /// Somebody wants it again; with `resubmit`, also if its call may be paid for twice.
    Revive { id: Uuid, resubmit: bool },
}

impl Change {
    /// The job that changes.
    pub(crate) fn id(&self) -> Uuid {
        match self {
            Self::Insert(job) => job.id,
            Self::Claim { stub, .. }
            | Self::Note { stub, .. }
            | Self::End { stub, .. }
            | Self::TakeOver { stub }
            | Self::Expire { stub } => stub.id,
            Self::Cancel { id } | Self::Revive { id, .. } => *id,
        }
    }

    /// Whether the request of the job has to be looked at, after the job went from `old` to `new`.
    pub(crate) fn concerns_request(&self, old: &Model, new: &Model) -> bool {
        let ended = is_over(new.state) && !is_over(old.state);
        let revived = matches!(self, Self::Revive { .. });
        let noted = matches!(self, Self::Note { note, .. } if note.step.is_some() || note.progress.is_some());
        ended || noted || revived
    }
}

/// The row after a change, at `now` in Unix milliseconds; `None` when the job has changed hands, and stays as it is (I2).
pub(crate) fn next(row: &Model, change: &Change, now: i64) -> Option<Model> {
    match change {
        Change::Insert(_) => None,
        Change::Claim { stub, holder } => held(row, *stub, State::Queued).map(|mut row| {
            row.state = State::Running;
            row.holder = Some(*holder);
            row.epoch += 1;
            row.started_at.get_or_insert(now);
            row
        }),
        Change::Note { stub, note } => held(row, *stub, State::Running).map(|row| noted(row, note)),
        Change::End { stub, end } => match held(row, *stub, State::Running) {
            Some(held) => Some(ended(held, end, now)),
            None => ended_before(row, *stub, end).then(|| row.clone()),
        },
        Change::TakeOver { stub } => held(row, *stub, State::Running).map(|mut row| {
            row.crashes += 1;
            if row.crashes < MAX_CRASHES {
                return back_in_line(row);
            }
            let failure = Failure::new(Code::JobCrashed, "The workers that tried this ended unexpectedly.");
            over(row, State::Failed, Some(&failure), now)
        }),
        Change::Expire { stub } => held(row, *stub, State::Queued).map(|row| {
            let failure = Failure::new(Code::Expired, "It waited for longer than it may.");
            over(row, State::Failed, Some(&failure), now)
        }),
        Change::Cancel { .. } => (!is_over(row.state)).then(|| over(row.clone(), State::Cancelled, None, now)),
        Change::Revive { resubmit, .. } => {
            let may_be = can_be_revived(row) && (*resubmit || !is_outcome_unknown(row));
            may_be.then(|| revived(row.clone(), now))
        }
    }
}

/// The row to change, if it is in this epoch and state.
fn held(row: &Model, stub: Stub, state: State) -> Option<Model> {
    (row.epoch == stub.epoch && row.state == state).then(|| row.clone())
}

fn noted(mut row: Model, note: &Note) -> Model {
    if let Some(step) = note.step {
        if matches!(step, Step::Submitted | Step::Archiving) && step != row.step {
            row.crashes = 0;
        }
        row.step = step;
    }
    if let Some(progress) = note.progress {
        row.progress = progress.clamp(0, 100);
    }
    row.account_id = note.account_id.or(row.account_id);
    if let Some(id) = &note.upstream_id {
        row.upstream_id = Some(clean(id, UPSTREAM_ID));
    }
    row
}

fn ended(mut row: Model, end: &End, now: i64) -> Model {
    match end {
        End::Completed => over(row, State::Completed, None, now),
        End::Failed(failure) => over(row, State::Failed, Some(failure), now),
        End::Again { run_at, step, counted } => {
            row.step = *step;
            row.tries += i32::from(*counted);
            row.run_at = *run_at;
            back_in_line(row)
        }
        End::HandOver => back_in_line(row),
    }
}

/// Whether this very end was written already, by a commit whose answer got lost. Nobody but the worker that had the job
/// in this epoch can have brought it to this end.
fn ended_before(row: &Model, stub: Stub, end: &End) -> bool {
    row.epoch == stub.epoch + 1
        && match end {
            End::Completed => row.state == State::Completed,
            End::Failed(failure) => {
                row.state == State::Failed && row.error_code.as_deref() == Some(failure.code.as_str())
            }
            End::Again { .. } | End::HandOver => false,
        }
}

/// Where it stood before: it does not wait for those who came after it.
fn back_in_line(mut row: Model) -> Model {
    row.state = State::Queued;
    row.holder = None;
    row.epoch += 1;
    row
}

fn over(mut row: Model, state: State, failure: Option<&Failure>, now: i64) -> Model {
    row.state = state;
    row.holder = None;
    row.finished_at = Some(now);
    row.epoch += 1;
    if state == State::Completed {
        row.progress = 100;
    }
    if let Some(failure) = failure {
        row.error_code = Some(failure.code.as_str().to_owned());
        row.error_message = Some(clean(&failure.message, MESSAGE));
    }
    row
}

/// Whether a job came to an end at which it can be wanted again.
pub(crate) fn can_be_revived(row: &Model) -> bool {
    matches!(row.state, State::Failed | State::Cancelled)
}

/// Whether a paid call of the job may have counted without giving anything.
pub(crate) fn is_outcome_unknown(row: &Model) -> bool {
    matches!(row.step, Step::Sending | Step::Submitted)
}

/// As new, but for what is known of its results: those are fetched, and nothing is paid for again.
fn revived(mut row: Model, now: i64) -> Model {
    let patience = row.deadline_at.saturating_sub(row.created_at).max(0);
    if row.step != Step::Archiving {
        row.step = Step::Start;
        row.progress = 0;
    }
    row.crashes = 0;
    row.tries = 0;
    row.run_at = now;
    row.deadline_at = now.saturating_add(patience);
    row.error_code = None;
    row.error_message = None;
    row.finished_at = None;
    back_in_line(row)
}

/// What every database can store of a text that came from elsewhere.
pub(crate) fn clean(text: &str, most: usize) -> String {
    text.chars().filter(|char| *char != '\0').take(most).collect()
}

/// The request after a change of one of its jobs. All of its jobs are given, in the order they were made.
pub(crate) fn settled(request: &generation::Model, jobs: &[Model], now: i64) -> generation::Model {
    use generation::State as S;

    let mut after = request.clone();
    let count = |state| jobs.iter().filter(|job| job.state == state).count();
    let open = count(State::Queued) + count(State::Running);
    after.pending = i32::try_from(open).unwrap_or(i32::MAX);
    // Somebody wants one of its jobs again.
    if matches!(request.state, S::Failed | S::Cancelled) && open > 0 && request.deleted_at.is_none() {
        after.state = S::Queued;
        after.error_code = None;
        after.error_message = None;
        after.completed_at = None;
    }
    if !matches!(after.state, S::Queued | S::InProgress) || jobs.is_empty() {
        return after;
    }
    let sum: i64 =
        jobs.iter().map(|job| if job.state == State::Completed { 100 } else { i64::from(job.progress) }).sum();
    let mean = sum / i64::try_from(jobs.len()).unwrap_or(i64::MAX);
    after.progress = i32::try_from(mean).unwrap_or(0);
    if open > 0 {
        let begun = |job: &Model| is_over(job.state) || job.step != Step::Start || job.progress > 0;
        if jobs.iter().any(begun) {
            after.state = S::InProgress;
        }
        return after;
    }
    after.completed_at = Some(now);
    if count(State::Completed) > 0 {
        after.state = S::Completed;
        after.progress = 100;
    } else if let Some(failed) = jobs.iter().find(|job| job.state == State::Failed) {
        after.state = S::Failed;
        after.error_code.clone_from(&failed.error_code);
        after.error_message.clone_from(&failed.error_message);
    } else {
        after.state = S::Cancelled;
    }
    after
}
