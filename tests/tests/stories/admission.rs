//! Which account serves a request, and what happens when none can.

use std::time::Duration;

use futures_util::future::join_all;
use grok2api_config::Tier;
use grok2api_pool::Status;
use grok2api_sim::{Pace, Sim};
use grok2api_tests::TestApp;
use grok2api_tests::fleet::wait_for;

const FAST: &str = "grok-3-fast";

#[tokio::test]
async fn a_request_that_meets_a_limited_account_succeeds_on_another() {
    let app = TestApp::with(&["ann.fault-429", "bob"]).setting("pool.strategy", "fill_first").start().await;
    let answer = app.client().chat(FAST, "hello").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!((app.sim.account("ann.fault-429").calls, app.sim.account("bob").calls), (1, 1));
    // The limited account is left alone from now on.
    assert_eq!(app.client().chat(FAST, "again").await.status, 200);
    assert_eq!((app.sim.account("ann.fault-429").calls, app.sim.account("bob").calls), (1, 2));
    app.stop().await;
}

#[tokio::test]
async fn at_most_three_accounts_are_tried_and_the_last_error_is_told() {
    let names = ["a.fault-429:9", "b.fault-429:9", "c.fault-429:9", "d.fault-429:9"];
    let app = TestApp::with(&names).start().await;
    let answer = app.client().chat(FAST, "hello").await;
    let error = answer.expect_error(429, "upstream_rate_limited");
    assert_eq!(error["type"], "rate_limit_error");
    assert_eq!(answer.headers["retry-after"], "9");
    assert_eq!(app.sim.total_calls(), 3);
    app.stop().await;
}

#[tokio::test]
async fn g16_one_bad_request_cools_at_most_one_account() {
    let app = TestApp::with(&["a.fault-429", "b.fault-429", "c.fault-429"]).start().await;
    app.client().chat(FAST, "hello").await.expect_error(429, "upstream_rate_limited");
    assert_eq!(cooled(&app), 1);
    app.stop().await;
}

#[tokio::test]
async fn g16_a_request_that_every_account_refuses_takes_one_out_of_service() {
    let app = TestApp::with(&["a.fault-401", "b.fault-401", "c.fault-401"]).start().await;
    app.client().chat(FAST, "hello").await;
    let asked = wait_for("all were asked for a second opinion", Duration::from_secs(20), async || {
        let asked: u64 = app.sim.accounts().values().map(|stats| stats.rate_limit_calls).sum();
        Ok((asked >= 3).then_some(()))
    });
    asked.await.unwrap();
    let gateway = app.gateway.clone();
    app.stop().await;
    let census = gateway.pool().state().census();
    assert_eq!((census.active, census.total()), (2, 3));
}

#[tokio::test]
async fn a_hundred_requests_over_ten_accounts_are_spread_evenly_within_their_limits() {
    let names: Vec<String> = (0..10).map(|n| format!("acc{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let app = TestApp::with(&names)
        .sim(Sim::builder().pace(Pace::Every(Duration::from_millis(2))))
        .setting("pool.max_in_flight", 10)
        .start()
        .await;
    let client = app.client();
    let answers = join_all((0..100).map(|n| {
        let client = client.clone();
        async move { client.chat(FAST, &format!("hello {n}")).await.status }
    }))
    .await;
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    for (name, stats) in app.sim.accounts() {
        assert!(stats.max_running <= 10, "{name}: {stats:?}");
        assert!((8..=12).contains(&stats.calls), "{name}: {stats:?}");
    }
    assert!(app.no_lease_within(Duration::from_secs(5)).await);
    app.stop().await;
}

#[tokio::test]
async fn more_requests_than_slots_wait_for_their_turn() {
    let app = TestApp::with(&["ann"]).setting("pool.max_in_flight", 2).start().await;
    let client = app.client();
    let answers = join_all((0..12).map(|n| {
        let client = client.clone();
        async move { client.chat(FAST, &format!("hello {n}")).await.status }
    }))
    .await;
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    assert!(app.sim.account("ann").max_running <= 2);
    app.stop().await;
}

#[tokio::test]
async fn a_busy_pool_answers_503_when_the_wait_is_over() {
    let app = TestApp::with(&["ann.fault-silent"])
        .setting("pool.max_in_flight", 1)
        .setting("pool.wait_ms", 50)
        .setting("pool.max_waiting", 1)
        .start()
        .await;
    let client = app.client();
    let blocker = tokio::spawn({
        let client = client.clone();
        async move { client.chat(FAST, "hang").await }
    });
    assert!(app.sim.wait_until(Duration::from_secs(10), |sim| sim.running() == 1 || sim.total_calls() == 1).await);
    let answer = client.chat(FAST, "wait").await;
    answer.expect_error(503, "no_available_account");
    assert_eq!(answer.headers["retry-after"], "1");
    blocker.abort();
    app.stop().await;
}

#[tokio::test]
async fn an_empty_pool_answers_503_no_available_account() {
    let app = TestApp::with(&[]).start().await;
    let answer = app.client().chat(FAST, "hello").await;
    answer.expect_error(503, "no_available_account");
    assert!(answer.headers.contains_key("retry-after"));
    app.stop().await;
}

#[tokio::test]
async fn basic_accounts_serve_before_super_ones_and_heavy_needs_a_super_one() {
    let app = TestApp::with(&["ann"]).account("sue", Tier::Super).start().await;
    for _ in 0..3 {
        assert_eq!(app.client().chat(FAST, "hello").await.status, 200);
    }
    assert_eq!((app.sim.account("ann").calls, app.sim.account("sue").calls), (3, 0));
    assert_eq!(app.client().chat("grok-4-heavy", "hello").await.status, 200);
    assert_eq!(app.sim.account("sue").calls, 1);
    let basic_only = TestApp::with(&["ann"]).start().await;
    basic_only.client().chat("grok-4-heavy", "hello").await.expect_error(503, "no_available_account");
    basic_only.stop().await;
    app.stop().await;
}

#[tokio::test]
async fn f41_a_refused_account_is_asked_again_before_it_is_condemned() {
    let app = TestApp::with(&["ann.fault-401"]).start().await;
    app.client().chat(FAST, "hello").await.expect_error(502, "upstream_account_invalid");
    // The second opinion comes from the rate-limit call, which this account refuses as well.
    assert!(
        app.sim.wait_until(Duration::from_secs(10), |sim| sim.account("ann.fault-401").rate_limit_calls == 1).await
    );
    let state = app.gateway.pool().state();
    let id = state.ids()[0];
    until(|| matches!(state.status(id), Some(Status::Expired { .. }))).await;
    app.client().chat(FAST, "hello").await.expect_error(503, "no_available_account");
    app.stop().await;
}

#[tokio::test]
async fn a_single_bad_answer_condemns_nobody() {
    let app = TestApp::with(&["ann.fault-flaky401:1"]).start().await;
    app.client().chat(FAST, "hello").await.expect_error(502, "upstream_account_invalid");
    let state = app.gateway.pool().state();
    let id = state.ids()[0];
    until(|| state.status(id) == Some(Status::Active)).await;
    assert_eq!(app.client().chat(FAST, "hello").await.status, 200);
    app.stop().await;
}

#[tokio::test]
async fn f42_a_refused_egress_address_blames_no_account() {
    for fault in ["403html", "403bot", "403"] {
        let name = format!("ann.fault-{fault}");
        let app = TestApp::with(&[&name]).start().await;
        app.client().chat(FAST, "hello").await.expect_error(502, "upstream_blocked");
        let state = app.gateway.pool().state();
        let (seed, in_flight) = state.inspect(state.ids()[0]).unwrap();
        assert_eq!((seed.status, in_flight), (Status::Active, 0), "{fault}");
        app.stop().await;
    }
}

#[tokio::test]
async fn general_trouble_is_tried_on_one_more_account_only() {
    let app = TestApp::with(&["a.fault-500", "b.fault-500", "c.fault-500"]).start().await;
    app.client().chat(FAST, "hello").await.expect_error(502, "upstream_error");
    assert_eq!(app.sim.total_calls(), 2);
    app.stop().await;
}

#[tokio::test]
async fn after_the_first_byte_nothing_is_tried_again() {
    let app = TestApp::with(&["a.fault-cut:8", "b.fault-cut:8"]).start().await;
    let events = app.client().stream(FAST, "bench:chunks=50,bytes=5").await.unwrap();
    assert!(!events.is_done());
    assert_eq!(events.error().unwrap()["code"], "upstream_interrupted");
    assert_eq!(app.sim.total_calls(), 1);
    app.stop().await;
}

/// Waits for a condition that background work brings about.
async fn until(condition: impl Fn() -> bool) {
    let held = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), held).await.is_ok(), "the condition never held");
}

#[tokio::test]
async fn j14_one_request_for_several_answers_penalises_one_account_at_most() {
    let app = TestApp::with(&["a.fault-429", "b.fault-429", "c.fault-429", "d.fault-429"]).start().await;
    let body = serde_json::json!({"model": FAST, "n": 4, "messages": [{"role": "user", "content": "hello"}]});
    app.client().post_chat(&body).await.expect_error(429, "upstream_rate_limited");
    assert_eq!(cooled(&app), 1);
    app.stop().await;
}

/// Accounts that a refusal has put to rest; what the upstream itself says about their budgets does not count.
fn cooled(app: &TestApp) -> usize {
    let state = app.gateway.pool().state();
    let rests = |id| state.inspect(id).unwrap().0.budgets.iter().any(|budget| budget.cooling_until_ms.is_some());
    state.ids().into_iter().filter(|id| rests(*id)).count()
}
