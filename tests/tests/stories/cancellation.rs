//! Clients that leave.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use grok2api_sim::{Pace, Sim};
use grok2api_tests::TestApp;
use rand::Rng;

const FAST: &str = "grok-3-fast";

#[tokio::test]
async fn f17_a_client_that_leaves_in_mid_stream_frees_upstream_and_account() {
    const ROUNDS: usize = 500;
    const AT_ONCE: usize = 20;
    let names: Vec<String> = (0..10).map(|n| format!("acc{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let app = TestApp::with(&names)
        .sim(Sim::builder().pace(Pace::Every(Duration::from_millis(5))).unlimited())
        .setting("pool.max_in_flight", 100)
        .start()
        .await;
    let mut left = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS / AT_ONCE {
        let client = app.client();
        let leaving = (0..AT_ONCE).map(|_| {
            let client = client.clone();
            async move {
                let response = client.open_stream(FAST, "bench:chunks=4000,bytes=5,gap_ms=5").await;
                assert_eq!(response.status(), 200);
                let wanted = rand::rng().random_range(1..2000);
                let mut events = response.bytes_stream();
                let mut read = 0;
                while read < wanted {
                    read += events.next().await.unwrap().unwrap().len();
                }
                drop(events);
                Instant::now()
            }
        });
        left.extend(futures_util::future::join_all(leaving).await);
    }
    let all_cancelled = app.sim.wait_until(Duration::from_secs(10), |sim| sim.departures().len() == ROUNDS).await;
    assert!(all_cancelled, "only {} of {ROUNDS} were cancelled upstream", app.sim.cancelled());
    assert!(app.no_lease_within(Duration::from_secs(1)).await, "{} leases are left", app.leases());
    // Departures are compared in order: the k-th to leave is noticed no later than 250 ms after the k-th has left.
    left.sort();
    let mut noticed: Vec<Instant> = app.sim.departures().iter().map(|departure| departure.at).collect();
    noticed.sort();
    let mut delays: Vec<Duration> =
        noticed.iter().zip(&left).map(|(noticed, left)| noticed.saturating_duration_since(*left)).collect();
    delays.sort();
    let p99 = delays[delays.len() * 99 / 100];
    assert!(p99 <= Duration::from_millis(250), "p99 of {ROUNDS} departures: {p99:?}");
    app.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_before_the_first_byte_is_noticed_too() {
    let app = TestApp::with(&["ann.fault-silent"]).start().await;
    let client = app.client();
    let waiting = tokio::spawn(async move { client.chat(FAST, "hello").await });
    assert!(app.sim.wait_until(Duration::from_secs(10), |sim| sim.total_calls() == 1).await);
    assert_eq!(app.leases(), 1);
    waiting.abort();
    assert!(app.no_lease_within(Duration::from_secs(5)).await);
    app.stop().await;
}

#[tokio::test]
async fn a_stop_signal_lets_streams_end_with_an_error_event() {
    let app = TestApp::with(&["ann"]).sim(Sim::builder().pace(Pace::Every(Duration::from_millis(20)))).start().await;
    let response = app.client().open_stream(FAST, "bench:chunks=100000,bytes=5,gap_ms=20").await;
    let mut events = response.bytes_stream();
    events.next().await.unwrap().unwrap();
    let stopping = tokio::spawn(app.stop());
    let mut text = Vec::new();
    while let Some(piece) = events.next().await {
        text.extend_from_slice(&piece.unwrap());
    }
    stopping.await.unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains(r#""code":"shutting_down""#), "{text}");
    assert!(!text.contains("[DONE]"));
}
