//! For those who run the gateway: models, health, readiness, metrics, documents, paths in all spellings.

use grok2api_config::Tier;
use grok2api_tests::TestApp;
use reqwest::Method;
use serde_json::json;

use crate::videos::create;

#[tokio::test]
async fn models_are_listed_in_order_with_constant_dates_and_only_if_somebody_can_serve_them() {
    let app = TestApp::with(&["ann"]).start().await;
    let ids = |list: serde_json::Value| -> Vec<String> {
        list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect()
    };
    let list = app.client().get("/v1/models").await.json();
    assert_eq!(list["object"], "list");
    assert_eq!(
        ids(list.clone()),
        ["grok-3-fast", "grok-4-fast", "grok-4-fast-expert", "grok-4-expert", "grok-imagine-0.9"]
    );
    let model = &list["data"][1];
    assert_eq!(model["created"], app.client().get("/v1/models/grok-4-fast").await.json()["created"]);
    assert!(model["created"].is_i64() && model["default_top_p"] == 0.95);
    app.client().get("/v1/models/gpt-99").await.expect_error(404, "model_not_found");
    app.stop().await;
    let paying = TestApp::with(&[]).account("sue", Tier::Super).start().await;
    assert_eq!(ids(paying.client().get("/v1/models").await.json()).len(), 6);
    paying.stop().await;
}

#[tokio::test]
async fn health_and_readiness_say_what_is_so() {
    let app = TestApp::with(&[]).start().await;
    let nobody = app.client_with_key(None);
    let health = nobody.get("/health").await.json();
    assert_eq!((&health["status"], &health["service"]), (&"healthy".into(), &"Grok2API".into()));
    assert_eq!(nobody.get("/healthz").await.text, r#"{"status":"ok"}"#);
    let ready = nobody.get("/readyz").await;
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json()["status"], "degraded", "an empty pool is no reason to restart: {}", ready.text);
    app.stop().await;
    let app = TestApp::with(&["ann"]).start().await;
    assert_eq!(app.client().get("/readyz").await.json()["status"], "ready");
    app.stop().await;
}

#[tokio::test]
async fn metrics_tell_how_much_work_waits_and_runs() {
    let app = TestApp::with(&["ann"]).start().await;
    let video = create(&app.client(), &json!({"prompt": "waves media:stall"})).await;
    let nobody = app.client_with_key(None);
    let running = r#"grok2api_jobs{kind="generate_video",state="running"} 1"#;
    let metrics = loop {
        let metrics = nobody.get("/metrics").await.text;
        if metrics.contains(running) {
            break metrics;
        }
        tokio::task::yield_now().await;
    };
    for line in [
        r#"grok2api_jobs{kind="generate_video",state="queued"} 0"#,
        r#"grok2api_jobs{kind="bulk_import",state="queued"} 0"#,
        r#"grok2api_job_oldest_seconds{kind="generate_video"} 0"#,
        r#"grok2api_accounts{state="active"} 1"#,
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line} is missing in\n{metrics}");
    }
    let path = format!("/v1/videos/{}", video["id"].as_str().unwrap());
    app.client().send(app.client().request(Method::DELETE, &path)).await;
    app.stop().await;
}

#[tokio::test]
async fn h11_metrics_are_for_this_machine_or_for_bearers_of_the_token() {
    let app = TestApp::start().await;
    let nobody = app.client_with_key(None);
    assert_eq!(nobody.get("/metrics").await.status, 200);
    let passed_on = nobody.request(Method::GET, "/metrics").header("x-forwarded-for", "203.0.113.9");
    nobody.send(passed_on).await.expect_error(401, "invalid_api_key");
    app.stop().await;
    let guarded = TestApp::with(&["ann"])
        .startup(|startup| startup.server.metrics_token = Some("metrics-token".into()))
        .start()
        .await;
    guarded.client_with_key(None).get("/metrics").await.expect_error(401, "invalid_api_key");
    assert_eq!(guarded.client_with_key(Some("metrics-token")).get("/metrics").await.status, 200);
    guarded.stop().await;
}

#[tokio::test]
async fn paths_are_found_in_the_spellings_clients_use() {
    let app = TestApp::start().await;
    for path in ["/v1/models", "/models", "//v1//models", "/v1/models/", "/v1/v1/models"] {
        assert_eq!(app.client().get(path).await.json()["object"], "list", "{path}");
    }
    let root = app.client().get("/").await;
    assert_eq!(root.status, 200);
    assert_eq!(app.client().send(app.client().request(Method::HEAD, "/")).await.status, 200);
    let body = serde_json::json!({"model": "grok-3-fast", "messages": [{"role": "user", "content": "hi"}]});
    let answer = app.client().send(app.client().request(Method::POST, "/chat/completions").json(&body)).await;
    assert_eq!(answer.status, 200);
    app.stop().await;
}

#[tokio::test]
async fn the_openapi_document_is_the_committed_one() {
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json")).unwrap();
    let served = grok2api_api::openapi_document();
    assert_eq!(served.trim(), committed.trim(), "run `cargo run -- openapi > docs/openapi.json` and commit it");
    let app = TestApp::start().await;
    assert_eq!(app.client().get("/openapi.json").await.text, served);
    assert!(app.client().get("/docs").await.text.contains("grok2api"));
    app.stop().await;
}

#[tokio::test]
async fn the_document_names_every_status_an_operation_can_have_once() {
    let document: serde_json::Value = serde_json::from_str(&grok2api_api::openapi_document()).unwrap();
    let chat = &document["paths"]["/v1/chat/completions"]["post"]["responses"];
    for status in ["200", "400", "401", "404", "405", "413", "415", "429", "500", "502", "503", "504"] {
        assert!(chat.get(status).is_some(), "{status} is missing");
    }
    let media: Vec<&String> = chat["200"]["content"].as_object().unwrap().keys().collect();
    assert_eq!(media, ["application/json", "text/event-stream"]);
}
