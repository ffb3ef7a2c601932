//! What comes before any operation: header blocks, hosts, codings, proxies, the number of connections.

use grok2api_tests::raw::{RawAnswer, RawConnection};
use grok2api_tests::{TestApp, TestAppBuilder};
use reqwest::Method;
use serde_json::json;

const FAST: &str = "grok-3-fast";

async fn ask(app: &TestApp, request: impl AsRef<[u8]>) -> Option<RawAnswer> {
    RawConnection::open(&app.url).await.ask(request).await
}

fn get_with(fields: &str) -> String {
    format!("GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}\r\n")
}

fn fields(count: usize) -> String {
    let fields: Vec<String> = (0..count).map(|number| format!("x-{number}: a\r\n")).collect();
    fields.concat()
}

#[tokio::test]
async fn h1_headers_that_are_too_many_or_too_long_are_answered_as_everything_is() {
    let app = TestApp::with(&[]).start().await;
    // Two are there already.
    assert_eq!(ask(&app, get_with(&fields(98))).await.unwrap().status, 200);
    assert_eq!(ask(&app, get_with(&format!("x: {}\r\n", "a".repeat(31_000)))).await.unwrap().status, 200);
    for too_much in [fields(99), fields(5000), format!("x: {}\r\n", "a".repeat(33_000))] {
        ask(&app, get_with(&too_much)).await.unwrap().expect_error(431, "headers_too_large");
    }
    let longer = get_with(&format!("x: {}\r\n", "a".repeat(500_000)));
    ask(&app, longer).await.unwrap().expect_error(431, "headers_too_large");
    let address = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(40_000));
    ask(&app, address).await.unwrap().expect_error(431, "headers_too_large");
    app.stop().await;
}

#[tokio::test]
async fn h10_requests_that_two_servers_could_read_differently_are_refused() {
    let app = TestApp::with(&[]).start().await;
    let body = "5\r\nhello\r\n0\r\n\r\n";
    for request in [
        format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n{body}"),
        format!("POST / HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n{body}"),
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello".to_owned(),
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +5\r\n\r\nhello".to_owned(),
        format!("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n{body}"),
        format!("POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{body}"),
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost: \r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost: a\"><script>\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost: a b\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n".to_owned(),
        "GET /\0 HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost: a\r\nx: a\rb\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost : a\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost: a\r\n folded\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost: a\r\nnonsense\r\n\r\n".to_owned(),
    ] {
        let answer = ask(&app, &request).await;
        answer.unwrap_or_else(|| panic!("no answer to {request:?}")).expect_error(400, "bad_request");
    }
    app.stop().await;
}

#[tokio::test]
async fn h10_what_is_behind_a_refused_request_is_not_read_as_another() {
    let app = TestApp::with(&[]).start().await;
    let hidden = "0\r\n\r\nGET /health HTTP/1.1\r\nhost: a\r\n\r\n";
    let request = format!(
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\ntransfer-encoding: chunked\r\n\r\n{hidden}",
        hidden.len()
    );
    let answer = ask(&app, request).await.unwrap();
    assert!(!answer.body.contains("HTTP/1.1"), "{answer:?}");
    // A length in one request says nothing about the next one, nor does one in a body.
    let mut chunked =
        "POST /v1/x HTTP/1.1\r\nhost: a\r\ncontent-length: 21\r\n\r\n\r\ncontent-length: 1\r\n".to_owned();
    chunked += "POST /v1/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\n";
    let answer = ask(&app, chunked).await.unwrap();
    assert_eq!((answer.status, answer.body.matches("HTTP/1.1 404").count()), (404, 1), "{answer:?}");
    app.stop().await;
}

#[tokio::test]
async fn old_clients_need_no_host_and_those_of_http2_are_not_served() {
    let app = TestApp::with(&[]).start().await;
    assert_eq!(ask(&app, "GET /healthz HTTP/1.0\r\n\r\n").await.unwrap().status, 200);
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    assert!(ask(&app, preface).await.is_none_or(|answer| answer.status == 400));
    app.stop().await;
}

#[tokio::test]
async fn h3_compressed_bodies_are_refused_on_every_path() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    for path in ["/v1/chat/completions", "/v1/images/edits", "/api/bulk/import", "/v1/nothing", "/healthz"] {
        for coding in ["gzip", "br", "zstd", "deflate", "identity, gzip", "x-unknown"] {
            let request = client.request(Method::POST, path).header("content-encoding", coding).body("{}");
            client.send(request).await.expect_error(415, "unsupported_media_type");
        }
    }
    let plain = client.request(Method::POST, "/v1/chat/completions").header("content-encoding", "Identity");
    let body = json!({"model": FAST, "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(client.send(plain.json(&body)).await.status, 200);
    app.stop().await;
}

#[tokio::test]
async fn h4_beyond_the_cap_of_connections_clients_are_told_to_come_back() {
    let app = TestApp::with(&[]).startup(|startup| startup.server.max_connections = 2).start().await;
    let held = [RawConnection::open(&app.url).await, RawConnection::open(&app.url).await];
    let answer = ask(&app, get_with("")).await.unwrap();
    answer.expect_error(503, "server_overloaded");
    assert!(answer.head.contains("retry-after: 1"), "{}", answer.head);
    drop(held);
    // Their ends have to be noticed first.
    while ask(&app, get_with("")).await.is_none_or(|answer| answer.status != 200) {
        tokio::task::yield_now().await;
    }
    app.stop().await;
}

fn behind_a_proxy() -> TestAppBuilder {
    TestApp::with(&["ann"]).startup(|startup| startup.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()])
}

#[tokio::test]
async fn h9_only_a_trusted_proxy_says_that_a_client_speaks_tls() {
    for (builder, is_believed) in [(behind_a_proxy(), true), (TestApp::with(&["ann"]), false)] {
        let app = builder.start().await;
        let client = app.client();
        let request = client.request(Method::POST, "/v1/images/generations").json(&json!({"prompt": "a red kite"}));
        let answer = client.send(request.header("x-forwarded-proto", "https").header("host", "gw.example")).await;
        let scheme = if is_believed { "https" } else { "http" };
        let url = answer.json()["data"][0]["url"].as_str().unwrap_or_default().to_owned();
        assert!(url.starts_with(&format!("{scheme}://gw.example/images/")), "{}", answer.text);
        assert_eq!(answer.headers.contains_key("strict-transport-security"), is_believed);
        app.stop().await;
    }
}

#[tokio::test]
async fn h9_metrics_are_not_for_those_behind_a_proxy_on_this_machine() {
    let app = behind_a_proxy().start().await;
    let nobody = app.client_with_key(None);
    assert_eq!(nobody.get("/metrics").await.status, 200);
    for name in ["x-forwarded-for", "forwarded"] {
        let passed_on = nobody.request(Method::GET, "/metrics").header(name, "127.0.0.1");
        nobody.send(passed_on).await.expect_error(401, "invalid_api_key");
    }
    app.stop().await;
}

#[tokio::test]
async fn h13_a_request_that_has_passed_this_gateway_before_is_refused() {
    let app = TestApp::with(&["ann"]).start().await;
    assert_eq!(app.client().chat(FAST, "hi").await.status, 200);
    let via = app.sim.last_chat().unwrap().header("via").unwrap().to_owned();
    let chat = |via: &str| {
        let body = json!({"model": FAST, "messages": [{"role": "user", "content": "hi"}]});
        app.client().request(Method::POST, "/v1/chat/completions").header("via", via).json(&body)
    };
    let client = app.client();
    client.send(chat(&format!("1.1 a-proxy, {via}"))).await.expect_error(508, "loop_detected");
    assert_eq!(client.send(chat("1.1 a-proxy, 1.1 grok2api-0123456789abcdef")).await.status, 200);
    assert_eq!(app.sim.total_calls(), 2);
    app.stop().await;
}
