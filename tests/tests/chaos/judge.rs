//! The ledger itself: it is green when all is well, and red for each fault that it is there to find.

use std::collections::HashMap;
use std::time::Duration;

use grok2api_entity::generation::{self, State as Asked};
use grok2api_entity::job::{self, State, Step};
use grok2api_entity::{asset, job::Kind};
use grok2api_sim::{CreateLedger, CreateStats};
use grok2api_tests::ledger::{Blow, Entry, Evidence, Hurt, Quantiles, Sightings, Told, Verdict};
use uuid::Uuid;

/// What is broken, and how.
type Break = (&'static str, fn(&mut Evidence));

fn request(mark: &str) -> generation::Model {
    generation::Model {
        id: Uuid::now_v7(),
        public_id: format!("video_{mark}"),
        kind: generation::Kind::Video,
        model: String::new(),
        owner: "o".to_owned(),
        prompt: format!("The sun rises [[id={mark}]] media:steps=2"),
        request: "{}".to_owned(),
        state: Asked::Completed,
        progress: 100,
        pending: 0,
        error_code: None,
        error_message: None,
        created_at: 1,
        completed_at: Some(2),
        deleted_at: None,
    }
}

fn job(request: &generation::Model) -> job::Model {
    job::Model {
        id: Uuid::now_v7(),
        kind: Kind::GenerateVideo,
        state: State::Completed,
        step: Step::Archiving,
        epoch: 2,
        crashes: 0,
        tries: 0,
        progress: 100,
        args: "{}".to_owned(),
        owner: "o".to_owned(),
        generation_id: Some(request.id),
        holder: None,
        account_id: None,
        upstream_id: None,
        run_at: 1,
        deadline_at: 9,
        error_code: None,
        error_message: None,
        created_at: 1,
        started_at: Some(1),
        finished_at: Some(2),
    }
}

fn result(request: &generation::Model, ordinal: i32) -> asset::Model {
    let id = Uuid::now_v7();
    asset::Model {
        id,
        name: format!("{id}.mp4"),
        seed_name: None,
        kind: asset::Kind::Video,
        state: asset::State::Stored,
        source_path: None,
        account_id: None,
        storage_key: Some(format!("ab/{id}")),
        content_type: Some("video/mp4".to_owned()),
        bytes: 5,
        sha256: None,
        owner: "o".to_owned(),
        generation_id: Some(request.id),
        ordinal,
        error_code: None,
        created_at: 1,
        stored_at: Some(2),
        last_used_at: 2,
    }
}

/// Three requests that were done as they should be.
fn all_well() -> Evidence {
    let marks = ["a", "b", "c"];
    let generations: Vec<_> = marks.iter().map(|mark| request(mark)).collect();
    let assets: Vec<_> = generations.iter().map(|request| result(request, 0)).collect();
    let creates = CreateStats { creates: 1, ..CreateStats::default() };
    let files = assets.iter().filter_map(|asset| Some((asset.storage_key.clone()?, 5)));
    Evidence {
        log: marks.map(|mark| Entry { mark: mark.to_owned(), told: accepted(mark) }).into(),
        jobs: generations.iter().map(job).collect(),
        files: files.collect::<HashMap<_, _>>(),
        creates: CreateLedger {
            by_name: marks.map(|mark| (mark.to_owned(), creates.clone())).into(),
            ..CreateLedger::default()
        },
        generations,
        assets,
        seen: Sightings { freed: vec![Duration::from_secs(4)], ..Sightings::default() },
        resubmits: false,
    }
}

fn accepted(mark: &str) -> Told {
    Told::Accepted(Some(format!("video_{mark}")))
}

/// The first request has failed with this code.
fn failed(evidence: &mut Evidence, code: &str) {
    let code = Some(code.to_owned());
    (evidence.generations[0].state, evidence.generations[0].error_code) = (Asked::Failed, code.clone());
    (evidence.jobs[0].state, evidence.jobs[0].error_code) = (State::Failed, code);
    evidence.assets.remove(0);
}

fn hurt(evidence: &mut Evidence, epoch: i64, step: Step, blow: Blow) {
    let job = evidence.jobs[0].id;
    evidence.seen.hurt.insert(Hurt { job, epoch, step, blow });
}

/// What is in the lists of faults, by their names.
fn faults(verdict: &Verdict) -> Vec<&'static str> {
    verdict.faults().filter(|(_, faults)| !faults.is_empty()).map(|(name, _)| name).collect()
}

fn judged(change: impl FnOnce(&mut Evidence)) -> Verdict {
    let mut evidence = all_well();
    change(&mut evidence);
    evidence.judge()
}

#[test]
fn it_is_green_when_all_is_well() {
    let verdict = judged(|_| ());
    assert!(!verdict.is_red(), "{verdict}");
    assert_eq!((verdict.accepted, verdict.completed, verdict.unknown), (3, 3, 0));
}

#[test]
fn it_finds_what_was_lost() {
    let lost: [Break; 7] = [
        ("a job that is still queued", |seen| {
            (seen.jobs[0].state, seen.generations[0].state) = (State::Queued, Asked::Queued);
        }),
        ("a job that still runs", |seen| seen.jobs[0].state = State::Running),
        ("no job", |seen| drop(seen.jobs.remove(0))),
        ("another id", |seen| seen.log[0].told = accepted("x")),
        ("no result", |seen| drop(seen.assets.remove(0))),
        ("a result without a file", |seen| drop(seen.files.drain())),
        ("a result that is not stored", |seen| seen.assets[0].state = asset::State::Failed),
    ];
    for (what, change) in lost {
        let verdict = judged(change);
        assert_eq!(faults(&verdict), ["lost"], "{what}: {verdict}");
    }
    let no_record = judged(|seen| drop(seen.generations.remove(0)));
    assert!(faults(&no_record).contains(&"lost"), "{no_record}");
}

#[test]
fn it_finds_what_was_doubled() {
    let again = judged(|seen| seen.creates.by_name.get_mut("b").unwrap().creates = 2);
    assert_eq!(faults(&again), ["doubled submissions"], "{again}");
    let twice = judged(|seen| {
        let double = result(&seen.generations[1], 0);
        seen.files.insert(double.storage_key.clone().unwrap(), 5);
        seen.assets.push(double);
    });
    assert_eq!(faults(&twice), ["doubled results"], "{twice}");
    let recorded = judged(|seen| {
        let double = request("c");
        seen.jobs.push(job(&double));
        seen.assets.push(result(&double, 0));
        seen.files.extend(seen.assets.last().and_then(|asset| Some((asset.storage_key.clone()?, 5))));
        seen.generations.push(double);
    });
    assert_eq!(faults(&recorded), ["doubled results"], "{recorded}");
}

#[test]
fn it_lets_a_second_call_pass_only_where_it_was_asked_for() {
    let twice = |seen: &mut Evidence| {
        seen.creates.by_name.get_mut("a").unwrap().creates = 2;
        seen.jobs[0].tries = 1;
    };
    assert_eq!(faults(&judged(twice)), ["doubled submissions"]);
    let allowed = judged(|seen| {
        twice(seen);
        seen.resubmits = true;
    });
    assert!(!allowed.is_red(), "{allowed}");
}

#[test]
fn it_asks_for_the_blow_that_explains_a_failure() {
    for code in ["upstream_outcome_unknown", "upstream_interrupted", "job_crashed", "internal_error"] {
        let verdict = judged(|seen| failed(seen, code));
        assert_eq!(faults(&verdict), ["unexplained failures"], "{code}: {verdict}");
    }
    let struck = judged(|seen| {
        failed(seen, "upstream_outcome_unknown");
        hurt(seen, 1, Step::Sending, Blow::Killed);
    });
    assert!(!struck.is_red(), "{struck}");
    assert_eq!((struck.unknown, struck.caught_in_call), (1, 1));
    // Before it was sent, or with the results in hand, no call can have been lost.
    for step in [Step::Start, Step::Archiving] {
        let early = judged(|seen| {
            failed(seen, "upstream_outcome_unknown");
            hurt(seen, 1, step, Blow::Killed);
        });
        assert_eq!(faults(&early), ["unexplained failures"], "{early}");
    }
    let zombie = judged(|seen| {
        failed(seen, "upstream_interrupted");
        hurt(seen, 1, Step::Submitted, Blow::Paused);
    });
    assert!(!zombie.is_red(), "{zombie}");
}

#[test]
fn f9_it_counts_the_crashes_of_a_job_that_was_given_up() {
    for (crashes, red) in [(2, true), (3, false)] {
        let verdict = judged(|seen| {
            failed(seen, "job_crashed");
            (0..crashes).for_each(|crash| hurt(seen, 1 + 2 * crash, Step::Start, Blow::Killed));
        });
        assert_eq!(verdict.is_red(), red, "{crashes} crashes: {verdict}");
    }
}

#[test]
fn it_finds_what_cannot_be() {
    let wrong: [Break; 7] = [
        ("told done, but failed", |seen| {
            seen.log[0].told = Told::Done;
            failed(seen, "upstream_interrupted");
            hurt(seen, 1, Step::Submitted, Blow::Killed);
        }),
        ("done without a paid call", |seen| drop(seen.creates.by_name.remove("a"))),
        ("half a file", |seen| seen.files.values_mut().for_each(|bytes| *bytes = 4)),
        ("jobs left to count", |seen| seen.generations[0].pending = 1),
        ("a request of nobody", |seen| drop(seen.log.remove(0))),
        ("a lease that does not end", |seen| seen.seen.still_held = 1),
        ("two that have one job", |seen| seen.seen.broken_fences.push("a".to_owned())),
    ];
    for (what, change) in wrong {
        let verdict = judged(change);
        assert_eq!(faults(&verdict), ["wrong"], "{what}: {verdict}");
    }
    let late = judged(|seen| seen.seen.freed.push(Duration::from_secs(11)));
    assert_eq!(faults(&late), ["wrong"], "{late}");
}

#[test]
fn quantiles_are_of_the_times_that_were() {
    let times: Vec<_> = (1..=200).rev().map(Duration::from_secs).collect();
    let of = Quantiles::of(&times);
    assert_eq!([of.p50, of.p99, of.max].map(|time| time.as_secs()), [100, 198, 200]);
    assert_eq!(Quantiles::of(&[]), Quantiles::default());
}
