//! F11, D8: restarts that nobody notices. `grok2api-chaos --restarts 20` is the long form.

use std::time::Duration;

use grok2api_tests::fleet::{Fleet, Part, Plan, Records, Rolling, wait_for};

const SOON: Duration = Duration::from_secs(40);

#[tokio::test(flavor = "multi_thread")]
async fn f11_restarts_one_after_the_other_show_no_error_to_any_client() {
    let rolling = Rolling {
        records: Records::Sqlite,
        restarts: 1,
        workers: 1,
        schedulers: 1,
        requests_per_second: 20,
        streams: 10,
    };
    let outcome = rolling.run().await.unwrap();
    println!("{outcome}");
    assert!(!outcome.is_red(), "{outcome}");
    assert_eq!(outcome.restarts, 4);
    assert!(outcome.answers > 0 && outcome.streams > 0 && outcome.videos["completed"] > 0, "{outcome}");
}

#[tokio::test(flavor = "multi_thread")]
async fn d8_a_process_that_was_told_to_end_is_unready_at_once_and_serves_on_until_told_again() {
    let plan = Plan::new(Records::Sqlite, false).variable("GROK2API_SERVER__DRAIN_DELAY_SECS", "3600");
    let fleet = Fleet::prepare(plan).await.unwrap();
    let mut serve = fleet.ready(Part::Serve, "").await.unwrap();
    let kept = fleet.client().get("/readyz").await;
    assert!(kept.status == 200 && !kept.headers.contains_key("connection"), "{kept:?}");
    serve.terminate().unwrap();
    wait_for("it is unready", SOON, async || Ok((fleet.client().get("/readyz").await.status == 503).then_some(())))
        .await
        .unwrap();
    assert_eq!(fleet.client().get("/healthz").await.status, 200);
    let answer = fleet.client().chat("grok-3-fast", "say: still here").await;
    assert_eq!((answer.status.as_u16(), &answer.headers["connection"]), (200, &"close".parse().unwrap()));
    assert!(answer.text.contains("still here"));
    serve.terminate().unwrap();
    assert_eq!(serve.wait(SOON).await.unwrap().code(), Some(1));
}
