//! A hostile upstream: memory stays bounded, and nothing broken is passed off as an answer.

use grok2api_tests::TestApp;

const FAST: &str = "grok-3-fast";

/// Peak of this process's resident memory, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn f49_f50_endless_lines_and_compressed_bombs_cost_little_memory() {
    let names = ["a.fault-hugeline:64", "a.fault-bomb:gzip", "a.fault-bomb:br", "a.fault-bomb:zstd", "a.fault-garbage"];
    for name in names {
        let app = TestApp::with(&[name]).setting("pool.max_attempts", 1).start().await;
        // Both ways once, so that what is made on first use does not count.
        app.client().chat(FAST, "hi").await;
        let before = peak_kib();
        let whole = app.client().chat(FAST, "hi").await;
        assert_eq!(whole.status, 502, "{name}: {}", whole.text);
        match app.client().stream(FAST, "hi").await {
            Ok(events) => assert!(!events.is_done() && events.error().is_some(), "{name}"),
            Err(answer) => assert_eq!(answer.status, 502, "{name}: {}", answer.text),
        }
        let grown = peak_kib() - before;
        assert!(grown <= 64 * 1024, "{name}: peak memory grew by {grown} KiB");
        app.stop().await;
    }
}

#[tokio::test]
async fn f48_f51_what_is_no_answer_is_an_error() {
    for (name, code) in [
        ("a.fault-garbage", "upstream_not_stream"),
        ("a.fault-html200", "upstream_not_stream"),
        ("a.fault-empty", "upstream_empty"),
        ("a.fault-close", "upstream_interrupted"),
        ("a.fault-errorline:8", "upstream_rate_limited"),
        ("a.fault-moderated", "content_policy_violation"),
        ("a.fault-nomodel", "model_not_found"),
        ("a.fault-overload", "upstream_overloaded"),
    ] {
        let app = TestApp::with(&[name]).setting("pool.max_attempts", 1).start().await;
        assert_eq!(app.client().chat(FAST, "hi").await.code(), code, "{name}");
        app.stop().await;
    }
}

#[tokio::test]
async fn an_answer_without_end_marker_is_not_complete() {
    let app = TestApp::with(&["a.fault-noend:8"]).start().await;
    app.client().chat(FAST, "bench:chunks=50,bytes=5").await.expect_error(502, "upstream_interrupted");
    let events = app.client().stream(FAST, "bench:chunks=50,bytes=5").await.unwrap();
    assert!(!events.is_done() && events.error().is_some());
    app.stop().await;
}

#[tokio::test]
async fn c7_credentials_do_not_follow_a_redirect() {
    let app = TestApp::with(&["a.fault-redirect"]).start().await;
    assert_eq!(app.client().chat(FAST, "hi").await.status, 502);
    assert!(app.sim.requests().iter().all(|request| !request.path.contains("honeypot")));
    app.stop().await;
}
