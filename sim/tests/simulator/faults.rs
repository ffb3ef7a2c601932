//! Each fault does what its name says.

use std::time::{Duration, Instant};

use crate::client::{Client, LIMITS, UPLOAD, chat, get, post};
use grok2api_sim::{Script, Sim, fixture, fixture_names};
use serde_json::json;

const SOON: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_secs(5);

async fn sim() -> Sim {
    Sim::builder().start("127.0.0.1:0").await.unwrap()
}

#[tokio::test]
async fn f41_f42_f44_refusals_have_the_upstreams_status_and_words() {
    let sim = sim().await;
    for (fault, status, words) in [
        ("400", 400, "Invalid model name"),
        ("401", 401, "Unauthenticated"),
        ("401marker", 401, "invalid-credentials"),
        ("403", 403, "Permission denied"),
        ("403html", 403, "<!DOCTYPE html>"),
        ("403bot", 403, "anti-bot"),
        ("403blocked", 403, "blocked-user"),
        ("429", 429, "Too many requests"),
        ("500", 500, "internal error"),
        ("502", 502, "Bad gateway"),
        ("503", 503, "heavy usage"),
        ("503html", 503, "<!DOCTYPE html>"),
        ("html200", 200, "<!DOCTYPE html>"),
    ] {
        let reply = chat(&sim, &format!("a.fault-{fault}"), "hi").await;
        assert_eq!(reply.status, status, "{fault}");
        assert!(reply.text().contains(words), "{fault}: {}", reply.text());
        assert_eq!(reply.headers.contains("text/html"), words.contains("html"), "{fault}");
    }
    assert_eq!(sim.cancelled(), 0, "nobody left");
}

#[tokio::test]
async fn f43_a_limited_account_tells_how_long() {
    let sim = sim().await;
    assert!(chat(&sim, "a.fault-429:7", "hi").await.headers.contains("retry-after: 7"));
    assert!(!chat(&sim, "a.fault-429", "hi").await.headers.contains("retry-after"));
    let limits = post(&sim, LIMITS, "a.fault-429:7", &json!({"modelName": "grok-3"})).await.json();
    assert_eq!((&limits["remainingTokens"], &limits["lowEffortRateLimits"]["waitTimeSeconds"]), (&json!(0), &json!(7)));
}

#[tokio::test]
async fn a_flaky_account_recovers_after_its_first_calls() {
    let sim = sim().await;
    let statuses = [
        chat(&sim, "a.fault-flaky429:2", "hi").await.status,
        chat(&sim, "a.fault-flaky429:2", "hi").await.status,
        chat(&sim, "a.fault-flaky429:2", "hi").await.status,
    ];
    assert_eq!(statuses, [429, 429, 200]);
}

#[tokio::test]
async fn f45_a_silent_account_never_sends_a_head_and_notices_who_leaves() {
    let sim = sim().await;
    let mut client = Client::chatting(&sim, "a.fault-silent", "hi").await;
    assert!(client.is_silent(SOON).await);
    assert_eq!(sim.running(), 1);
    let left_at = Instant::now();
    drop(client);
    assert!(sim.wait_until(LONG, |sim| sim.cancelled() == 1 && sim.running() == 0).await);
    assert!(sim.departures()[0].at - left_at < Duration::from_millis(250));
}

#[tokio::test]
async fn f45_slow_delays_the_head_and_latebody_the_first_line() {
    let sim = sim().await;
    let begin = Instant::now();
    let mut slow = Client::chatting(&sim, "a.fault-slow:200", "hi").await;
    assert_eq!(slow.head().await.unwrap().0, 200);
    assert!(begin.elapsed() >= Duration::from_millis(200));

    let begin = Instant::now();
    let mut late = Client::chatting(&sim, "b.fault-latebody:400", "hi").await;
    assert_eq!(late.head().await.unwrap().0, 200);
    assert!(begin.elapsed() < Duration::from_millis(350), "the head waited");
    assert!(late.reply_rest().await.len() > 4);
    assert!(begin.elapsed() >= Duration::from_millis(400));
}

#[tokio::test]
async fn a_stalled_stream_sends_its_lines_and_then_nothing() {
    let sim = sim().await;
    let mut client = Client::chatting(&sim, "a.fault-stall:5", "hi there").await;
    client.head().await.unwrap();
    for _ in 0..5 {
        assert!(client.chunk().await.unwrap().ends_with(b"\n"));
    }
    assert!(client.is_silent(SOON).await);
    drop(client);
    assert!(sim.wait_until(LONG, |sim| sim.cancelled() == 1).await);
    assert_eq!(sim.departures()[0].account, "a.fault-stall:5");
}

#[tokio::test]
async fn f47_a_cut_stream_ends_without_an_end() {
    let sim = sim().await;
    let reply = chat(&sim, "a.fault-cut:5", "hi there").await;
    assert_eq!((reply.chunks.len(), reply.complete), (5, false));
    assert_eq!(sim.cancelled(), 0, "the simulator cut it, not the client");
    let ended = chat(&sim, "a.fault-noend:5", "hi there").await;
    assert_eq!((ended.chunks.len(), ended.complete), (5, true));
}

#[tokio::test]
async fn f47_a_recording_can_be_cut_or_ended_at_each_byte() {
    let sim = Sim::builder().unlimited().start("127.0.0.1:0").await.unwrap();
    let whole = fixture("10").unwrap();
    for at in 0..whole.len() {
        let cut = chat(&sim, "a", &format!("fixture:10 cut={at}")).await;
        assert_eq!((cut.body(), cut.complete), (whole[..at].to_vec(), false));
        let ended = chat(&sim, "a", &format!("fixture:10 end={at} pieces=9")).await;
        assert_eq!((ended.body(), ended.complete), (whole[..at].to_vec(), true));
    }
}

#[tokio::test]
async fn f46_a_dripping_stream_sends_one_byte_at_a_time() {
    let sim = sim().await;
    let mut client = Client::chatting(&sim, "a.fault-drip:1", "hi").await;
    client.head().await.unwrap();
    for expected in b"{\"result\":{\"conversation\"" {
        assert_eq!(client.chunk().await.unwrap(), [*expected]);
    }
}

#[tokio::test]
async fn f48_f51_bodies_that_are_no_answer() {
    let sim = sim().await;
    let garbage = chat(&sim, "a.fault-garbage", "hi").await;
    assert!(garbage.complete && garbage.text().lines().all(|line| line.contains("no JSON")));
    let empty = chat(&sim, "a.fault-empty", "hi").await;
    assert_eq!((empty.status, empty.chunks.len(), empty.complete), (200, 0, true));
    let error = chat(&sim, "a.fault-errorline:16", "hi").await;
    assert_eq!((error.status, &error.lines()[0]["error"]["code"]), (200, &json!(16)));
    let middle = chat(&sim, "a.fault-errormid:6", "hi").await.lines();
    assert_eq!((middle.len(), &middle[6]["error"]["code"]), (7, &json!(13)));
    for (fault, cause) in [("moderated", "contentModerated"), ("nomodel", "modelNotAvailable")] {
        let lines = chat(&sim, &format!("a.fault-{fault}"), "hi").await.lines();
        assert!(lines.last().unwrap()["result"]["response"]["error"][cause].is_object());
    }
    let overload = chat(&sim, "a.fault-overload", "hi").await.lines();
    let message = &overload.last().unwrap()["result"]["response"]["modelResponse"];
    assert!(message["error"].as_str().unwrap().contains("heavy usage"));
}

#[tokio::test]
async fn f49_a_huge_line_has_no_end() {
    let sim = sim().await;
    let body = chat(&sim, "a.fault-hugeline:2", "hi").await.body();
    assert!(body.len() > 2 << 20 && !body.contains(&b'\n'));
}

#[tokio::test]
async fn f50_a_bomb_is_small_on_the_wire() {
    let sim = sim().await;
    for coding in ["gzip", "br", "zstd"] {
        let reply = chat(&sim, &format!("a.fault-bomb:{coding}"), "hi").await;
        assert!(reply.headers.contains(&format!("content-encoding: {coding}")));
        assert!(reply.body().len() < 4 << 20, "{coding}: {}", reply.body().len());
    }
}

#[tokio::test]
async fn a_lingering_and_an_endless_stream_end_when_the_client_leaves() {
    let sim = sim().await;
    let mut lingering = Client::chatting(&sim, "a.fault-linger", "say:done").await;
    lingering.head().await.unwrap();
    while !lingering.chunk().await.unwrap().windows(13).any(|part| part == b"modelResponse") {}
    assert!(lingering.is_silent(SOON).await);
    let mut endless = Client::chatting(&sim, "b.fault-endless", "hi").await;
    endless.head().await.unwrap();
    for _ in 0..2_000 {
        assert!(!endless.chunk().await.unwrap().is_empty());
    }
    drop((lingering, endless));
    assert!(sim.wait_until(LONG, |sim| sim.cancelled() == 2 && sim.running() == 0).await);
}

#[tokio::test]
async fn a_closed_connection_and_a_redirect() {
    let sim = sim().await;
    let mut client = Client::chatting(&sim, "a.fault-close", "hi").await;
    assert!(client.head().await.is_none());
    let reply = chat(&sim, "a.fault-redirect", "hi").await;
    assert_eq!(reply.status, 302);
    assert!(reply.headers.contains(&format!("location: http://localhost:{}/honeypot", sim.addr().port())));
}

#[tokio::test]
async fn faults_of_uploads_limits_and_downloads_leave_chat_alone() {
    let sim = sim().await;
    let account = "a.fault-upload-500.fault-limits-503.fault-asset-flaky404:1";
    assert_eq!(chat(&sim, account, "hi").await.status, 200);
    assert_eq!(post(&sim, UPLOAD, account, &json!({})).await.status, 500);
    assert_eq!(post(&sim, LIMITS, account, &json!({})).await.status, 503);
    assert_eq!(get(&sim, "/users/u/generated/a/image.jpg", account).await.status, 404);
    assert_eq!(get(&sim, "/users/u/generated/a/image.jpg", account).await.status, 403);
}

#[tokio::test]
async fn a_test_can_change_faults_while_it_runs() {
    let sim = sim().await;
    sim.set_outage(&["500"]);
    assert_eq!(chat(&sim, "a", "hi").await.status, 500);
    sim.set_outage(&[]);
    sim.set_faults("a", &["429:3"]);
    assert_eq!((chat(&sim, "a", "hi").await.status, chat(&sim, "b", "hi").await.status), (429, 200));
    let unknown = chat(&sim, "c.fault-stal", "hi").await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.text().contains("knows no fault"));
}

#[tokio::test]
async fn scripts_are_taken_once_and_in_order() {
    let sim = sim().await;
    sim.script(Script::status(429).header("retry-after", "9"));
    sim.script(Script::fixture("15").unwrap().splits(&[394, 396]));
    sim.script(Script::lines(["{\"a\":1}", "{\"b\":2}"]).gap(Duration::from_millis(40)).then_cut());
    sim.script(Script::text("exactly this").for_account("b"));
    sim.script(Script::body("{}").with_status(418).on(grok2api_sim::Route::RateLimits));
    assert!(chat(&sim, "a", "hi").await.headers.contains("retry-after: 9"));
    let recording = chat(&sim, "a", "hi").await;
    assert_eq!((recording.chunks.len(), recording.body()), (3, fixture("15").unwrap().to_vec()));
    let begin = Instant::now();
    let cut = chat(&sim, "a", "hi").await;
    assert_eq!((cut.chunks.len(), cut.complete), (2, false));
    assert!(begin.elapsed() >= Duration::from_millis(40));
    assert_eq!(chat(&sim, "a", "say:plain").await.answer(), "plain", "the text is for another account");
    assert_eq!(chat(&sim, "b", "hi").await.answer(), "exactly this");
    assert_eq!(post(&sim, LIMITS, "a", &json!({})).await.status, 418);
    assert_eq!(sim.scripts_waiting(), 0);
}

#[tokio::test]
async fn every_recording_is_sent_as_it_is() {
    let sim = sim().await;
    for name in fixture_names() {
        let reply = chat(&sim, "a", &format!("fixture:{name}")).await;
        assert_eq!((reply.body(), reply.complete), (fixture(name).unwrap().to_vec(), true), "{name}");
    }
    assert_eq!(chat(&sim, "a", "fixture:99").await.status, 400);
}
