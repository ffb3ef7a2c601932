//! Who called how often, how many at a time, and what is left.

use std::time::Duration;

use crate::client::{CHAT, Client, LIMITS, UPLOAD, chat, get, post};
use grok2api_sim::{Route, Sim};
use serde_json::{Value, json};

const LONG: Duration = Duration::from_secs(5);

async fn sim() -> Sim {
    Sim::builder().start("127.0.0.1:0").await.unwrap()
}

async fn limits(sim: &Sim, account: &str, model: &str) -> Value {
    post(sim, LIMITS, account, &json!({"requestKind": "DEFAULT", "modelName": model})).await.json()
}

#[tokio::test]
async fn a_call_without_an_account_is_refused_and_still_recorded() {
    let sim = sim().await;
    let reply = chat(&sim, "", "hi").await;
    assert_eq!(reply.status, 401);
    assert_eq!((sim.requests().len(), sim.total_calls()), (1, 0));
}

#[tokio::test]
async fn calls_are_counted_by_account_and_kind() {
    let sim = sim().await;
    for account in ["a", "a", "b"] {
        chat(&sim, account, "hi").await;
    }
    limits(&sim, "a", "grok-3").await;
    post(&sim, UPLOAD, "b", &json!({"fileName": "i.png", "fileMimeType": "image/png", "content": "aGk="})).await;
    assert!(sim.wait_until(LONG, |sim| sim.running() == 0).await);
    let (a, b) = (sim.account("a"), sim.account("b"));
    assert_eq!((a.calls, a.uploads, a.rate_limit_calls, a.max_running), (2, 0, 1, 1));
    assert_eq!((b.calls, b.uploads, b.rate_limit_calls, b.running), (1, 1, 0, 0));
    assert_eq!((sim.total_calls(), sim.accounts().len()), (3, 2));
    sim.forget();
    assert_eq!((sim.account("a").calls, sim.total_calls(), sim.requests().len()), (0, 0, 0));
}

#[tokio::test]
async fn the_most_calls_at_one_time_are_remembered() {
    let sim = sim().await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(Client::chatting(&sim, "a", "bench:wait").await);
    }
    assert!(sim.wait_until(LONG, |sim| sim.account("a").running == 5).await);
    drop(clients);
    assert!(sim.wait_until(LONG, |sim| sim.account("a").running == 0).await);
    chat(&sim, "a", "hi").await;
    assert_eq!((sim.account("a").max_running, sim.cancelled()), (5, 5));
}

#[tokio::test]
async fn g6_a_client_that_leaves_is_noticed_at_once() {
    let sim = sim().await;
    for _ in 0..20 {
        let mut client = Client::chatting(&sim, "a", "bench:chunks=100,gap_ms=50").await;
        client.head().await.unwrap();
        client.chunk().await.unwrap();
        drop(client);
    }
    let left_at = std::time::Instant::now();
    assert!(sim.wait_until(LONG, |sim| sim.cancelled() == 20).await);
    assert!(sim.departures().iter().all(|departure| departure.at - left_at < Duration::from_millis(250)));
}

#[tokio::test]
async fn a_budget_runs_dry_by_cost_and_comes_back_with_its_window() {
    let sim = sim().await;
    assert_eq!(limits(&sim, "a", "grok-4").await["remainingTokens"], 80);
    let expert = json!({"message": "hi", "modelName": "grok-4", "modelMode": "MODEL_MODE_EXPERT"});
    for _ in 0..20 {
        assert_eq!(post(&sim, CHAT, "a", &expert).await.status, 200);
    }
    let refused = post(&sim, CHAT, "a", &expert).await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (429, &json!(8)));
    let left = limits(&sim, "a", "grok-4").await;
    assert_eq!((&left["remainingTokens"], &left["highEffortRateLimits"]["remainingQueries"]), (&json!(0), &json!(0)));
    assert!(left["highEffortRateLimits"]["waitTimeSeconds"].as_u64().unwrap() > 71_000);
    sim.pass_time(Duration::from_secs(72_001));
    assert_eq!(post(&sim, CHAT, "a", &expert).await.status, 200);
}

#[tokio::test]
async fn drawing_uses_four_units_and_heavy_counts_calls() {
    let sim = sim().await;
    chat(&sim, "a", "draw a boat").await;
    chat(&sim, "a", "hello").await;
    assert_eq!(sim.remaining("a", "grok-3"), Some(75));
    let heavy = json!({"message": "hi", "modelName": "grok-4-heavy", "modelMode": "MODEL_MODE_HEAVY"});
    post(&sim, CHAT, "super-1", &heavy).await;
    let left = limits(&sim, "super-1", "grok-4-heavy").await;
    assert_eq!((&left["remainingQueries"], &left["totalQueries"]), (&json!(19), &json!(20)));
    assert!(left["lowEffortRateLimits"].is_null() && left.get("remainingTokens").is_none());
    assert_eq!(limits(&sim, "super-1", "grok-3").await["windowSizeSeconds"], 7_200);
}

#[tokio::test]
async fn a_test_sets_budgets_and_unlimited_never_runs_dry() {
    let sim = sim().await;
    sim.set_budget("a", "grok-3", 1, 80, Duration::from_secs(60), Some(Duration::from_secs(9)));
    assert_eq!(chat(&sim, "a", "hi").await.status, 200);
    assert_eq!(chat(&sim, "a", "hi").await.status, 429);
    let wait = limits(&sim, "a", "grok-3").await["lowEffortRateLimits"]["waitTimeSeconds"].as_u64().unwrap();
    assert!((8..=9).contains(&wait));

    let unlimited = Sim::builder().unlimited().record(false).start("127.0.0.1:0").await.unwrap();
    unlimited.set_budget("a", "grok-3", 0, 80, Duration::from_secs(60), None);
    assert_eq!(chat(&unlimited, "a", "hi").await.status, 200);
    assert!(unlimited.requests().is_empty());
}

#[tokio::test]
async fn the_last_chat_call_can_be_looked_at() {
    let sim = sim().await;
    chat(&sim, "a.b.c", "hi").await;
    limits(&sim, "a.b.c", "grok-3").await;
    let call = sim.last_chat().unwrap();
    assert_eq!((call.account.as_str(), call.text("message"), call.path.as_str()), ("a.b.c", Some("hi"), CHAT));
    assert_eq!(call.header("cookie"), Some("sso-rw=a.b.c;sso=a.b.c"));
    assert_eq!(sim.last(Route::RateLimits).unwrap().text("requestKind"), Some("DEFAULT"));
}

#[tokio::test]
async fn an_upload_belongs_to_its_account() {
    let sim = sim().await;
    let file = json!({"fileName": "image.png", "fileMimeType": "image/png", "content": "iVBORw0KGgo="});
    let uploaded = post(&sim, UPLOAD, "a", &file).await.json();
    let id = uploaded["fileMetadataId"].as_str().unwrap();
    assert!(uploaded["fileUri"].as_str().unwrap().ends_with(&format!("/{id}/content")));
    let edit = json!({"message": "draw it in blue", "modelName": "grok-3", "fileAttachments": [id]});
    let own = post(&sim, CHAT, "a", &edit).await;
    assert!(own.text().contains("generated_image_urls") || own.text().contains("generatedImageUrls"));
    let foreign = post(&sim, CHAT, "b", &edit).await;
    assert!(foreign.text().contains("attachmentLoadFailed"));
    assert_eq!(
        post(&sim, UPLOAD, "a", &json!({"fileName": "x", "fileMimeType": "y", "content": "!"})).await.status,
        400
    );
}

#[tokio::test]
async fn generated_files_are_for_the_account_that_made_them() {
    let sim = sim().await;
    let lines = chat(&sim, "a", "draw a boat").await.lines();
    let message = lines.iter().find_map(|line| line["result"]["response"]["modelResponse"].as_object()).unwrap();
    let pictures = message["generatedImageUrls"].as_array().unwrap();
    assert_eq!(pictures.len(), 2);
    let path = format!("/{}", pictures[0].as_str().unwrap());
    let picture = get(&sim, &path, "a").await;
    assert_eq!((picture.status, &picture.body()[..3]), (200, &b"\xff\xd8\xff"[..]));
    assert!(picture.headers.contains("image/jpeg"));
    assert_eq!(get(&sim, &path, "b").await.status, 403);
    let video = get(&sim, &path.replace("image.jpg", "generated_video.mp4"), "a").await;
    assert_eq!(&video.body()[4..8], b"ftyp");
    assert_eq!(get(&sim, &path.replace("image.jpg", "image.svg"), "a").await.status, 404);
}
