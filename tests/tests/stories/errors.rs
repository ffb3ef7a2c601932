//! One shape for every error, on every path.

use grok2api_sim::Script;
use grok2api_tests::TestApp;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn every_failure_has_the_same_four_members() {
    let app = TestApp::start().await;
    let client = app.client();
    let chat = || client.request(Method::POST, "/v1/chat/completions");
    let json_type = "application/json";

    client.send(chat().header("content-type", json_type).body("{\"model\":")).await.expect_error(400, "invalid_json");
    client.send(chat().header("content-type", json_type).body("")).await.expect_error(400, "invalid_json");
    client.send(chat().header("content-type", json_type).body("[1]")).await.expect_error(400, "invalid_value");
    client
        .send(chat().header("content-type", json_type).body(vec![0xff, 0xfe]))
        .await
        .expect_error(400, "invalid_json");
    client.send(chat().body("{}")).await.expect_error(415, "unsupported_media_type");
    client
        .send(chat().header("content-type", "text/plain").body("{}"))
        .await
        .expect_error(415, "unsupported_media_type");
    let coded = chat().header("content-type", json_type).header("content-encoding", "gzip").body("{}");
    client.send(coded).await.expect_error(415, "unsupported_media_type");

    let unknown = client.get("/v1/nothing").await;
    unknown.expect_error(404, "");
    assert!(unknown.headers.contains_key("x-request-id"));
    let wrong = client.get("/v1/chat/completions").await;
    wrong.expect_error(405, "method_not_allowed");
    assert_eq!(wrong.headers["allow"], "POST");
    client.send(client.request(Method::DELETE, "/v1/models/grok-3-fast")).await.expect_error(405, "method_not_allowed");
    app.stop().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_also_when_it_is_sent_in_chunks() {
    let app = TestApp::with(&["ann"]).startup(|startup| startup.server.max_body_bytes = 10_000).start().await;
    let client = app.client();
    let body = json!({"model": "grok-3-fast", "messages": [{"role": "user", "content": "x".repeat(20_000)}]});
    client.post_chat(&body).await.expect_error(413, "request_too_large");
    let pieces = futures_util::stream::iter((0..40).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1000])));
    let chunked = client
        .request(Method::POST, "/v1/chat/completions")
        .header("content-type", "application/json")
        .body(reqwest::Body::wrap_stream(pieces));
    client.send(chunked).await.expect_error(413, "request_too_large");
    app.stop().await;
}

#[tokio::test]
async fn k8_without_a_key_nobody_gets_in_and_wrong_keys_are_refused() {
    let app = TestApp::start().await;
    for key in [None, Some("wrong"), Some(""), Some(&*"x".repeat(300))] {
        let refused = app.client_with_key(key).get("/v1/models").await;
        refused.expect_error(401, "invalid_api_key");
        assert_eq!(refused.headers["www-authenticate"], "Bearer");
        app.client_with_key(key).chat("grok-3-fast", "hi").await.expect_error(401, "invalid_api_key");
    }
    assert_eq!(app.sim.total_calls(), 0);
    let nobody = app.client_with_key(None);
    let by_header = nobody.request(Method::GET, "/v1/models").header("x-api-key", "g2a_test-key-of-the-stories");
    assert_eq!(nobody.send(by_header).await.status, 200);
    let two = app.client().request(Method::GET, "/v1/models").header("x-api-key", "another");
    nobody.send(two).await.expect_error(401, "invalid_api_key");
    let in_query = nobody.get("/v1/models?key=g2a_test-key-of-the-stories").await;
    in_query.expect_error(401, "invalid_api_key");
    app.stop().await;

    let closed = TestApp::with(&["ann"]).setting("grok.api_key", Value::Null).start().await;
    for key in [None, Some(""), Some("anything")] {
        closed.client_with_key(key).get("/v1/models").await.expect_error(401, "invalid_api_key");
    }
    closed.stop().await;
}

#[tokio::test]
async fn upstream_refusals_reach_the_client_as_classified() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/http-errors.json")).unwrap();
    let cases: Value = serde_json::from_str(&text).unwrap();
    for case in cases["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let app = TestApp::with(&["ann"]).setting("pool.max_attempts", 1).start().await;
        let status = u16::try_from(case["status"].as_u64().unwrap()).unwrap();
        let content_type = case["content_type"].as_str().unwrap();
        let body = case["body"].as_str().unwrap().to_owned();
        let script = || Script::body(body.clone()).with_status(status).header("content-type", content_type);
        app.sim.script(script());
        let answer = app.client().chat("grok-3-fast", "hello").await;
        let wanted = u16::try_from(case["client_status"].as_u64().unwrap()).unwrap();
        answer.expect_error(wanted, case["client_code"].as_str().unwrap());
        assert!(!answer.text.contains('<'), "{name}: raw HTML must not be passed on");
        revive(&app);
        app.sim.script(script());
        let streamed = app.client().stream("grok-3-fast", "hello").await;
        streamed.err().unwrap().expect_error(wanted, case["client_code"].as_str().unwrap());
        app.stop().await;
    }
}

fn revive(app: &TestApp) {
    let state = app.gateway.pool().state();
    for id in state.ids() {
        let (mut seed, _) = state.inspect(id).unwrap();
        seed.status = grok2api_pool::Status::Active;
        seed.refusals = 0;
        seed.budgets.clear();
        state.upsert(seed);
    }
}

#[tokio::test]
async fn request_ids_are_given_kept_and_echoed() {
    let app = TestApp::start().await;
    let client = app.client();
    let own = client.send(client.request(Method::GET, "/v1/models").header("x-request-id", "abc-123")).await;
    assert_eq!(own.headers["x-request-id"], "abc-123");
    let odd = client.send(client.request(Method::GET, "/v1/models").header("x-request-id", "a b\"c")).await;
    assert!(odd.headers["x-request-id"].to_str().unwrap().starts_with("req_"));
    let echoed = client.send(client.request(Method::GET, "/health").header("x-client-request-id", "mine")).await;
    assert_eq!(echoed.headers["x-client-request-id"], "mine");
    let streamed = client.stream("grok-3-fast", "hi").await.unwrap();
    assert!(streamed.headers.contains_key("x-request-id"));
    app.stop().await;
}

#[tokio::test]
async fn browsers_of_other_origins_may_use_the_client_api_and_nothing_else() {
    let app = TestApp::start().await;
    let client = app.client();
    let preflight = client
        .request(Method::OPTIONS, "/v1/chat/completions")
        .header("origin", "https://chat.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,x-stainless-lang");
    let answer = client.send(preflight).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    assert_eq!(answer.headers["access-control-allow-headers"], "authorization,content-type,x-stainless-lang");
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    let real = client.send(client.request(Method::GET, "/v1/models").header("origin", "https://chat.example")).await;
    assert_eq!(real.headers["access-control-allow-origin"], "*");
    assert!(real.headers["access-control-expose-headers"].to_str().unwrap().contains("x-request-id"));
    let other = client.send(client.request(Method::GET, "/health").header("origin", "https://chat.example")).await;
    assert!(!other.headers.contains_key("access-control-allow-origin"));
    app.stop().await;
}
