//! G1–G3 in their short form: blows at every named place and at random, on all kinds of records. `make chaos` is the long
//! form.

use grok2api_tests::fleet::{Outcome, POINTS, Records, Storm};

/// Replays a run.
const SEED: &str = "GROK2API_CHAOS_SEED";

fn seed() -> u64 {
    let replayed = std::env::var(SEED).ok().map(|text| text.parse().unwrap());
    let seed = replayed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    println!("{SEED}={seed}");
    seed
}

async fn outcome(name: &str, storm: Storm) -> Outcome {
    let outcome = storm.run().await.unwrap_or_else(|error| panic!("{name}: {error:#}"));
    println!("-- {name}\n{outcome}");
    outcome
}

/// All three at once: they mostly wait.
#[tokio::test(flavor = "multi_thread")]
async fn g1_killed_and_stopped_workers_lose_nothing_and_double_nothing() {
    let seed = seed();
    let (sqlite, postgres, embedded) = tokio::join!(
        outcome("Redis and SQLite", Storm::new(Records::Sqlite, false, seed, 18, 120)),
        outcome("Redis and PostgreSQL", Storm::new(Records::Postgres, false, seed ^ 1, 8, 50)),
        outcome("embedded", Storm::new(Records::Sqlite, true, seed ^ 2, 12, 60)),
    );
    for (name, outcome) in [("Redis and SQLite", &sqlite), ("Redis and PostgreSQL", &postgres), ("embedded", &embedded)]
    {
        assert!(!outcome.verdict.is_red(), "{name}:\n{outcome}");
        assert!(outcome.verdict.completed > 0, "{name}: nothing was done:\n{outcome}");
        assert!(outcome.tally.pauses > 0 && outcome.tally.hand_overs > 0, "{name}:\n{outcome}");
    }
    let (struck, all) = (sqlite.tally.points.len(), POINTS.len());
    assert_eq!(struck, all, "workers died at every place:\n{sqlite}");
}

/// A worker that sends again what may have been sent: the fault that the ledger is there for.
#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_goes_red_when_a_worker_pays_twice() {
    let places = &["after_submitted", "after_send", "after_sending"];
    let storm = Storm { places, fault: Some("bug_resubmit=on"), ..Storm::new(Records::Sqlite, true, seed(), 3, 20) };
    let outcome = outcome("with a fault", storm).await;
    assert!(outcome.verdict.is_red(), "{outcome}");
    assert!(!outcome.verdict.doubled_submissions.is_empty(), "{outcome}");
    assert!(outcome.verdict.lost.is_empty() && outcome.verdict.doubled_results.is_empty(), "{outcome}");
}
