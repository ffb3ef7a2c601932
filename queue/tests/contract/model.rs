//! The state machine against a model of it that fits on a page: random lives of jobs, in the rows and in the model.

use std::time::Duration;

use grok2api_entity::failure::Code;
use grok2api_entity::generation;
use grok2api_entity::job::{State, Step};
use grok2api_queue::{Claimed, End, Failure, Note, Sweeper, Ticket, now_ms};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use crate::support::{Base, Ground, Party, Road, accept, chaos};

/// What a job is, as far as its promises go.
#[derive(Debug, Clone, PartialEq)]
struct Spec {
    state: State,
    step: Step,
    epoch: i64,
    crashes: i32,
    tries: i32,
    progress: i32,
    code: Option<&'static str>,
}

/// What may happen to a job. `by` chooses one of those who ever claimed it.
#[derive(Debug, Clone)]
enum Act {
    Claim { stale: i64 },
    Step { by: usize, step: Step },
    Progress { by: usize, percent: i32 },
    Complete { by: usize },
    Fail { by: usize },
    Again { by: usize, counted: bool },
    HandOver { by: usize },
    Crash,
    Cancel,
}

impl Spec {
    fn new() -> Self {
        Self { state: State::Queued, step: Step::Start, epoch: 0, crashes: 0, tries: 0, progress: 0, code: None }
    }

    fn moved(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }

    /// Makes the act, if `held`, the epoch that its worker was given, allows it. Answers whether it did.
    fn act(&mut self, act: &Act, held: Option<i64>) -> bool {
        let ours = self.state == State::Running && held == Some(self.epoch);
        match act {
            Act::Claim { stale } if self.state == State::Queued && *stale == 0 => self.moved(State::Running),
            Act::Step { step, .. } if ours => {
                if *step != self.step && matches!(step, Step::Submitted | Step::Archiving) {
                    self.crashes = 0;
                }
                self.step = *step;
            }
            Act::Progress { percent, .. } if ours => self.progress = *percent,
            Act::Complete { .. } if ours => {
                self.progress = 100;
                self.moved(State::Completed);
            }
            Act::Fail { .. } if ours => {
                self.code = Some("upstream_error");
                self.moved(State::Failed);
            }
            Act::Again { counted, .. } if ours => {
                (self.step, self.tries) = (Step::Start, self.tries + i32::from(*counted));
                self.moved(State::Queued);
            }
            Act::HandOver { .. } if ours => self.moved(State::Queued),
            Act::Crash if self.state == State::Running => {
                self.crashes += 1;
                if self.crashes == 3 {
                    self.code = Some("job_crashed");
                }
                self.moved(if self.crashes == 3 { State::Failed } else { State::Queued });
            }
            Act::Cancel if matches!(self.state, State::Queued | State::Running) => self.moved(State::Cancelled),
            _ => return false,
        }
        true
    }
}

/// What a request is when its jobs are so.
fn request_of(jobs: &[Spec; 2]) -> (generation::State, i32) {
    use generation::State as S;

    let count = |state| jobs.iter().filter(|job| job.state == state).count();
    let open = count(State::Queued) + count(State::Running);
    let state = match (open, count(State::Completed), count(State::Failed)) {
        (0, 1.., _) => S::Completed,
        (0, 0, 1..) => S::Failed,
        (0, 0, 0) => S::Cancelled,
        _ => S::InProgress,
    };
    (state, i32::try_from(open).unwrap())
}

/// The rows of one life, and those who have, or had, its jobs.
struct Life {
    ids: [Uuid; 2],
    holders: [Vec<(i64, Option<Claimed>)>; 2],
}

/// Does to the row what the act says. Answers whether it was accepted, and the epoch of the one who did it.
async fn enact(party: &Party, life: &mut Life, which: usize, act: &Act) -> (bool, Option<i64>) {
    let row = party.row(life.ids[which]).await;
    let holders = &mut life.holders[which];
    let chosen = |by: usize, holders: &[(i64, Option<Claimed>)]| (!holders.is_empty()).then(|| by % holders.len());
    let (by, end) = match act {
        Act::Claim { stale } => {
            let ticket = Ticket { epoch: row.epoch - stale, ..Ticket::of(&row) };
            let claimed = party.claim(ticket, Uuid::now_v7()).await;
            let epoch = claimed.as_ref().map(|claimed| claimed.row().epoch);
            holders.extend(epoch.map(|epoch| (epoch, claimed)));
            return (epoch.is_some(), None);
        }
        Act::Crash => {
            let sweeper = Sweeper::new(party.jobs.clone(), Duration::ZERO);
            return (sweeper.take_over(None).await.unwrap() > 0, None);
        }
        Act::Cancel => return (party.jobs.cancel(&row).await.unwrap().is_some(), None),
        Act::Step { by, .. } | Act::Progress { by, .. } => (*by, None),
        Act::Complete { by } => (*by, Some(End::Completed)),
        Act::Fail { by } => (*by, Some(End::Failed(Failure::new(Code::UpstreamError, "no")))),
        Act::Again { by, counted } => {
            (*by, Some(End::Again { run_at: now_ms(), step: Step::Start, counted: *counted }))
        }
        Act::HandOver { by } => (*by, Some(End::HandOver)),
    };
    let Some(index) = chosen(by, holders) else { return (false, None) };
    let (epoch, slot) = &mut holders[index];
    let epoch = Some(*epoch);
    let Some(mut held) = slot.take() else { return (false, None) };
    match (act, end) {
        (_, Some(end)) => (held.end(end).await.is_ok(), epoch),
        (Act::Step { step, .. }, None) => {
            let done = held.note(Note { step: Some(*step), ..Note::default() }).await;
            *slot = Some(held);
            (done.is_ok(), epoch)
        }
        (Act::Progress { percent, .. }, None) => {
            let done = held.note(Note { progress: Some(*percent), ..Note::default() }).await;
            *slot = Some(held);
            (done.is_ok(), epoch)
        }
        _ => unreachable!("all other acts are answered above"),
    }
}

async fn live(party: &Party, acts: &[(usize, Act)]) {
    let request = accept(party, "alice", 4).await;
    let rows = party.jobs.of_generation(request.id).await.unwrap();
    let mut life = Life { ids: [rows[0].id, rows[1].id], holders: [Vec::new(), Vec::new()] };
    let mut specs = [Spec::new(), Spec::new()];
    for (which, act) in acts {
        let (accepted, held) = enact(party, &mut life, *which, act).await;
        let expected = if matches!(act, Act::Crash) {
            // Every worker of this test is dead: all running jobs are taken over at once.
            specs.iter_mut().map(|spec| spec.act(act, None)).fold(false, |any, one| any | one)
        } else {
            specs[*which].act(act, held)
        };
        assert_eq!(accepted, expected, "{act:?} of job {which}");
        for (spec, id) in specs.iter().zip(life.ids) {
            let row = party.row(id).await;
            let seen = Spec {
                state: row.state,
                step: row.step,
                epoch: row.epoch,
                crashes: row.crashes,
                tries: row.tries,
                progress: row.progress,
                code: row.error_code.as_deref().and_then(Code::parse).map(Code::as_str),
            };
            assert_eq!(&seen, spec, "after {act:?} of job {which}");
            assert_eq!(row.holder.is_some(), row.state == State::Running);
            assert_eq!(row.finished_at.is_some(), !matches!(row.state, State::Running | State::Queued));
        }
        let row = party.jobs.generation("alice", &request.public_id).await.unwrap().unwrap();
        let (state, pending) = request_of(&specs);
        assert_eq!(row.pending, pending);
        assert!(
            row.state == state || (state == generation::State::InProgress && row.state == generation::State::Queued)
        );
        assert_eq!(row.completed_at.is_some(), pending == 0);
    }
    // Nothing of this life is left running for the next.
    party.jobs.cancel_generation(request.id).await.unwrap();
}

fn acts() -> impl Strategy<Value = Vec<(usize, Act)>> {
    let step = prop_oneof![Just(Step::Start), Just(Step::Sending), Just(Step::Submitted), Just(Step::Archiving)];
    let by = 0..4_usize;
    let act = prop_oneof![
        5 => prop_oneof![4 => Just(0), 1 => 1..3_i64].prop_map(|stale| Act::Claim { stale }),
        3 => (by.clone(), step).prop_map(|(by, step)| Act::Step { by, step }),
        1 => (by.clone(), 0..=100).prop_map(|(by, percent)| Act::Progress { by, percent }),
        1 => by.clone().prop_map(|by| Act::Complete { by }),
        1 => by.clone().prop_map(|by| Act::Fail { by }),
        2 => (by.clone(), any::<bool>()).prop_map(|(by, counted)| Act::Again { by, counted }),
        2 => by.prop_map(|by| Act::HandOver { by }),
        3 => Just(Act::Crash),
        1 => Just(Act::Cancel),
    ];
    proptest::collection::vec((0..2_usize, act), 1..30)
}

#[test]
fn i2_rows_live_as_the_model_says() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (ground, party) = runtime.block_on(async {
        let ground = Ground::new(Base::Sqlite).await;
        let party = ground.party(Road::Rows).await;
        (ground, party)
    });
    let cases = u32::try_from(chaos(40, 2_000)).unwrap();
    // What fails is printed with the shortest life that shows it; there is no file of old failures to keep.
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    TestRunner::new(config)
        .run(&acts(), |acts| {
            runtime.block_on(live(&party, &acts));
            Ok(())
        })
        .unwrap();
    drop(party);
    runtime.block_on(ground.end());
}
