//! Clients that are slow on purpose: each is let go of in time, and those beside them notice nothing.

use std::time::Duration;

use futures_util::future::join_all;
use grok2api_tests::TestApp;
use grok2api_tests::raw::RawConnection;
use serde_json::json;

const FAST: &str = "grok-3-fast";
/// Stands for the limits of ten seconds and half a minute.
const SHORT: Duration = Duration::from_millis(300);

/// Connections that we cut: the system, with a limit of its own, would have done it later.
async fn stalled(app: &TestApp) -> usize {
    let metrics = app.client_with_key(None).get("/metrics").await.text;
    let line =
        metrics.lines().find_map(|line| line.strip_prefix("grok2api_connections_cut_total{reason=\"write_stall\"} "));
    line.map_or(0, |count| count.parse().unwrap())
}

#[tokio::test]
async fn h1_h5_slow_and_deaf_connections_are_closed_while_good_clients_are_served() {
    let app = TestApp::with(&["ann"])
        .house(|house| {
            house.options.header_timeout = SHORT;
            house.options.write_stall = SHORT;
        })
        .start()
        .await;
    let slow = join_all((0..40).map(|_| RawConnection::open(&app.url))).await;
    let deaf = join_all((0..40).map(|_| RawConnection::open(&app.url))).await;
    let slow = slow.into_iter().map(async |mut connection| {
        connection.send("GET /healthz HTTP/1.1\r\nhost: a\r\nx-slow: ").await.unwrap();
        connection.ended().await;
    });
    // Each asks for far more than the system keeps for a client that takes nothing.
    let questions = "GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n".repeat(500);
    let deaf = deaf.into_iter().map(async |mut connection| {
        connection.send(&questions).await.unwrap();
        connection.cut().await;
    });
    let good = async {
        for _ in 0..20 {
            assert_eq!(app.client().chat(FAST, "hi").await.status, 200);
        }
    };
    tokio::join!(join_all(slow), join_all(deaf), good);
    assert_eq!(stalled(&app).await, 40);
    app.stop().await;
}

#[tokio::test]
async fn h1_a_header_that_comes_byte_by_byte_is_not_waited_for() {
    let app = TestApp::with(&[]).house(|house| house.options.header_timeout = SHORT).start().await;
    let mut connection = RawConnection::open(&app.url).await;
    let mut beat = tokio::time::interval(SHORT / 10);
    connection.send("GET /healthz HTTP/1.1\r\nhost: a\r\nx: ").await.unwrap();
    while connection.send("a").await.is_ok() {
        beat.tick().await;
    }
    app.stop().await;
}

#[tokio::test]
async fn f19_a_stream_that_nobody_reads_is_cut_and_its_account_given_back() {
    let app = TestApp::with(&["ann"]).house(|house| house.options.write_stall = SHORT).start().await;
    let mut connection = RawConnection::open(&app.url).await;
    let body = json!({"model": FAST, "stream": true,
        "messages": [{"role": "user", "content": "bench:chunks=20000,bytes=1000"}]})
    .to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer g2a_test-key-of-the-stories\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    connection.send(head + &body).await.unwrap();
    connection.cut().await;
    assert_eq!(stalled(&app).await, 1);
    assert_eq!(app.sim.total_calls(), 1);
    assert!(app.no_lease_within(Duration::from_secs(10)).await);
    app.stop().await;
}

#[tokio::test]
async fn a_long_answer_arrives_whole() {
    let app = TestApp::with(&[]).house(|house| house.options.write_stall = SHORT).start().await;
    let whole = app.client_with_key(None).get("/docs").await.text;
    let connection = RawConnection::open(&app.url).await;
    let answer = connection.ask("GET /docs HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(answer.head.contains(&format!("content-length: {}", whole.len())), "{}", answer.head);
    assert!(answer.body == whole, "{} bytes of {}", answer.body.len(), whole.len());
    app.stop().await;
}

#[tokio::test]
async fn h2_a_body_that_drips_is_answered_408_long_before_its_time_is_over() {
    let app = TestApp::with(&["ann"])
        .house(|house| {
            house.state.body_limits.grace = SHORT;
            house.state.body_limits.timeout = Duration::from_secs(3600);
        })
        .start()
        .await;
    for content_type in ["application/json", "multipart/form-data; boundary=b"] {
        let path = if content_type.contains("json") { "chat/completions" } else { "images/edits" };
        let connection = RawConnection::open(&app.url).await;
        let request = format!(
            "POST /v1/{path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer g2a_test-key-of-the-stories\r\n\
             connection: close\r\ncontent-type: {content_type}\r\ncontent-length: 100\r\n\r\n{{\"mo"
        );
        let answer = connection.ask(request).await.unwrap();
        answer.expect_error(408, "request_timeout");
    }
    app.stop().await;
}
