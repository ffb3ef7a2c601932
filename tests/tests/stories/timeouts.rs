//! An upstream that is silent at each stage: the right limit fires, with the right answer, and on silence alone.

use std::time::{Duration, Instant};

use grok2api_sim::{Pace, Sim};
use grok2api_tests::{TestApp, TestAppBuilder};

const FAST: &str = "grok-3-fast";

fn app(account: &str) -> TestAppBuilder {
    TestApp::with(&[account])
        .setting("pool.max_attempts", 1)
        .setting("grok.stream_first_response_timeout", 1)
        .setting("grok.stream_chunk_timeout", 1)
        .setting("grok.stream_total_timeout", 30)
}

#[tokio::test]
async fn f45_an_upstream_that_sends_no_head_times_out_as_504() {
    let app = app("ann.fault-silent").start().await;
    for answer in [app.client().chat(FAST, "hi").await, app.client().stream(FAST, "hi").await.err().unwrap()] {
        let error = answer.expect_error(504, "upstream_timeout");
        assert!(error["message"].as_str().unwrap().contains("did not begin"), "{error}");
    }
    assert!(app.no_lease_within(Duration::from_secs(1)).await);
    app.stop().await;
}

#[tokio::test]
async fn f45_an_upstream_that_sends_a_head_but_no_line_times_out_as_504() {
    let app = app("ann.fault-latebody:60000").start().await;
    app.client().chat(FAST, "hi").await.expect_error(504, "upstream_timeout");
    app.client().stream(FAST, "hi").await.err().unwrap().expect_error(504, "upstream_timeout");
    app.stop().await;
}

#[tokio::test]
async fn an_upstream_that_falls_silent_in_mid_answer_ends_the_stream_with_an_error() {
    let app = app("ann.fault-stall:8").start().await;
    let events = app.client().stream(FAST, "bench:chunks=50,bytes=5").await.unwrap();
    assert!(!events.is_done());
    assert!(!events.joined("content").is_empty());
    let error = events.error().unwrap();
    assert_eq!(error["code"], "upstream_timeout");
    assert!(error["message"].as_str().unwrap().contains("fell silent"), "{error}");
    app.client().chat(FAST, "bench:chunks=50,bytes=5").await.expect_error(504, "upstream_timeout");
    app.stop().await;
}

#[tokio::test]
async fn an_upstream_that_never_ends_meets_the_total_limit() {
    let app = app("ann.fault-endless:20").setting("grok.stream_total_timeout", 2).start().await;
    let began = Instant::now();
    let events = app.client().stream(FAST, "hi").await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(1900));
    assert!(!events.is_done());
    assert_eq!(events.error().unwrap()["code"], "upstream_timeout");
    app.stop().await;
}

#[tokio::test]
async fn an_upstream_that_never_pauses_meets_the_total_limit_too() {
    let app = app("ann.fault-endless").setting("grok.stream_total_timeout", 1).start().await;
    app.client().chat(FAST, "hi").await.expect_error(504, "upstream_timeout");
    app.stop().await;
}

#[tokio::test]
async fn f46_one_byte_a_second_is_no_sign_of_life() {
    let app = app("ann.fault-drip:100").start().await;
    app.client().chat(FAST, "hi").await.expect_error(504, "upstream_timeout");
    app.stop().await;
}

#[tokio::test]
async fn r15_a_complete_answer_ends_although_its_body_does_not() {
    let app = app("ann.fault-linger").setting("grok.stream_chunk_timeout", 60).start().await;
    let events = app.client().stream(FAST, "bench:chunks=5,bytes=5").await.unwrap();
    assert!(events.is_done());
    assert_eq!(events.joined("content"), grok2api_sim::bench_text(5, 5));
    app.stop().await;
}

#[tokio::test]
async fn lines_of_any_kind_keep_a_slow_answer_alive() {
    let app = app("ann").sim(Sim::builder().pace(Pace::Every(Duration::from_millis(400)))).start().await;
    let events = app.client().stream(FAST, "bench:chunks=6,bytes=5,gap_ms=400").await.unwrap();
    assert!(events.is_done(), "{:?}", events.error());
    app.stop().await;
}
