//! Keys of clients: made once, limited, changed, taken away.

use std::time::Duration;

use grok2api_entity::{client_key, connect};
use grok2api_tests::fleet::wait_for;
use grok2api_tests::{Answer, Client, TestApp};
use reqwest::Method;
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};

const TOKEN: &str = "the-operators-token-1";
const LONG: Duration = Duration::from_secs(40);

async fn start() -> TestApp {
    let builder = TestApp::with(&["ann", "bob"]).startup(|startup| startup.server.admin_token = Some(TOKEN.into()));
    builder.setting("schedules.token_test", "off").start().await
}

async fn records(app: &TestApp) -> DatabaseConnection {
    connect::file(&app.folder.path().join("data/grok2api.db")).await.unwrap()
}

fn admin(app: &TestApp) -> Client {
    app.client_with_key(Some(TOKEN))
}

async fn send(app: &TestApp, method: Method, path: &str, body: &Value) -> Answer {
    let admin = admin(app);
    admin.send(admin.request(method, path).json(body)).await
}

/// A new key: its terms and a client that has it.
async fn create(app: &TestApp, terms: &Value) -> (Value, Client) {
    let answer = send(app, Method::POST, "/api/keys", terms).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let made = answer.json();
    (made["terms"].clone(), app.client_with_key(made["key"].as_str()))
}

fn path(terms: &Value) -> String {
    format!("/api/keys/{}", terms["id"].as_str().unwrap())
}

#[tokio::test]
async fn k1_k2_a_key_is_shown_once_and_stored_as_a_keyed_hash() {
    let app = start().await;
    let made = send(&app, Method::POST, "/api/keys", &json!({"name": " ci "})).await.json();
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with("g2a_") && key.len() == 37, "{key}");
    assert_eq!((made["terms"]["name"].clone(), made["terms"]["models"].clone()), (json!("ci"), Value::Null));
    assert_eq!(made["terms"]["hint"], format!("g2a_…{}", &key[33..]));
    assert_eq!(app.client_with_key(Some(key)).chat("grok-3-fast", "hi").await.status, 200);
    let list = admin(&app).get("/api/keys").await;
    assert_eq!((list.json()["data"][0].clone(), list.text.contains(key)), (made["terms"].clone(), false));
    assert_eq!(admin(&app).get(&path(&made["terms"])).await.json(), made["terms"]);
    let row = format!("{:?}", client_key::all(&records(&app).await).await.unwrap());
    assert!(!row.contains(&key[4..]), "{row}");
    send(&app, Method::POST, "/api/keys", &json!({"name": "ci"})).await.expect_error(409, "name_taken");
    app.stop().await;
}

#[tokio::test]
async fn k9_a_key_sees_and_uses_its_models_alone() {
    let app = start().await;
    let (terms, client) =
        create(&app, &json!({"name": "ci", "models": ["grok-3-fast", "grok-imagine-0.9", "grok-3-fast"]})).await;
    assert_eq!(terms["models"], json!(["grok-3-fast", "grok-imagine-0.9"]));
    let listed = client.get("/v1/models").await.json();
    let ids: Vec<&str> = listed["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["grok-3-fast", "grok-imagine-0.9"]);
    client.get("/v1/models/grok-4-fast").await.expect_error(404, "model_not_found");
    assert_eq!(client.chat("grok-3-fast", "hi").await.status, 200);
    client.chat("grok-4-fast", "hi").await.expect_error(404, "model_not_found");
    for (path, body) in [
        ("/v1/images/generations", json!({"model": "grok-4-fast", "prompt": "a kite"})),
        ("/v1/images/edits", json!({"model": "grok-4-fast", "prompt": "a kite", "images": [{"image_url": "data:,"}]})),
    ] {
        client.send(client.request(Method::POST, path).json(&body)).await.expect_error(404, "model_not_found");
    }
    let pictures = json!({"prompt": "a kite", "model": "grok-3-fast"});
    let drawn = client.send(client.request(Method::POST, "/v1/images/generations").json(&pictures)).await;
    assert_eq!(drawn.status, 200, "{}", drawn.text);
    let changed = send(&app, Method::PUT, &path(&terms), &json!({"name": "ci", "models": ["grok-4-fast"]})).await;
    assert_eq!(changed.json()["models"], json!(["grok-4-fast"]));
    client.chat("grok-3-fast", "hi").await.expect_error(404, "model_not_found");
    let video = json!({"prompt": "waves", "model": "grok-imagine-0.9"});
    let refused = client.send(client.request(Method::POST, "/v1/videos").json(&video)).await;
    refused.expect_error(404, "model_not_found");
    app.client().chat("grok-3-fast", "hi").await;
    app.stop().await;
}

#[tokio::test]
async fn k10_a_key_that_is_switched_off_over_or_taken_away_opens_nothing() {
    let app = start().await;
    let (terms, client) = create(&app, &json!({"name": "ci"})).await;
    let off = json!({"name": "ci", "disabled": true});
    assert_eq!(send(&app, Method::PUT, &path(&terms), &off).await.json()["status"], "disabled");
    let error = client.get("/v1/models").await.expect_error(401, "invalid_api_key");
    assert_eq!(error["message"], "This API key is switched off.");
    send(&app, Method::PUT, &path(&terms), &json!({"name": "ci", "expires_at_ms": 4_000_000_000_000_i64})).await;
    assert_eq!(client.get("/v1/models").await.status, 200);
    // Its time runs out, by a change that another process makes.
    let db = records(&app).await;
    let row = client_key::all(&db).await.unwrap().remove(0);
    client_key::update(&db, client_key::Model { expires_at: Some(1), ..row }).await.unwrap();
    let over = wait_for("its time is over", LONG, async || {
        let answer = client.get("/v1/models").await;
        Ok((answer.status == 401).then_some(answer))
    });
    assert_eq!(over.await.unwrap().expect_error(401, "invalid_api_key")["message"], "This API key has expired.");
    let gone = send(&app, Method::DELETE, &path(&terms), &json!({})).await.json();
    assert_eq!(gone["deleted"], true);
    let error = client.get("/v1/models").await.expect_error(401, "invalid_api_key");
    assert_eq!(error["message"], "Incorrect API key provided.");
    for method in [Method::GET, Method::DELETE] {
        send(&app, method, &path(&terms), &json!({})).await.expect_error(404, "not_found");
    }
    let actions: Vec<Value> =
        admin(&app).get("/api/audit?action=key.").await.json()["data"].as_array().unwrap().clone();
    let actions: Vec<&str> = actions.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["key.delete", "key.update", "key.update", "key.create"]);
    app.stop().await;
}

#[tokio::test]
async fn k7_what_one_key_made_is_not_there_for_another() {
    let app = start().await;
    let (_, one) = create(&app, &json!({"name": "one"})).await;
    let (_, other) = create(&app, &json!({"name": "other"})).await;
    let video = one.send(one.request(Method::POST, "/v1/videos").json(&json!({"prompt": "waves"}))).await.json();
    let path = format!("/v1/videos/{}", video["id"].as_str().unwrap());
    assert_eq!(one.get(&path).await.status, 200);
    for stranger in [other, app.client()] {
        stranger.get(&path).await.expect_error(404, "not_found");
        assert_eq!(stranger.get("/v1/videos").await.json()["data"], json!([]));
    }
    app.stop().await;
}

#[tokio::test]
async fn k8_keys_with_names_open_a_gateway_whose_settings_have_none() {
    let app = start().await;
    app.set("grok.api_key", "").await;
    app.client().get("/v1/models").await.expect_error(401, "invalid_api_key");
    let readiness = async || app.client_with_key(None).get("/readyz").await.text.contains("Nobody can get in");
    assert!(readiness().await, "an operator is needed");
    let (_, client) = create(&app, &json!({"name": "ci"})).await;
    assert_eq!(client.get("/v1/models").await.status, 200);
    assert!(!readiness().await);
    app.client_with_key(Some("")).get("/v1/models").await.expect_error(401, "invalid_api_key");
    app.stop().await;
}

#[tokio::test]
async fn h7_terms_that_make_no_sense_are_refused() {
    let app = start().await;
    for (terms, code) in [
        (json!({}), "missing_required_parameter"),
        (json!({"name": " "}), "invalid_value"),
        (json!({"name": "x".repeat(101)}), "invalid_value"),
        (json!({"name": "a", "models": []}), "invalid_value"),
        (json!({"name": "a", "models": ["grok-9"]}), "invalid_value"),
        (json!({"name": "a", "expires_at_ms": 1}), "invalid_value"),
        (json!({"name": "a", "limit": 1}), "invalid_value"),
    ] {
        send(&app, Method::POST, "/api/keys", &terms).await.expect_error(400, code);
    }
    assert_eq!(admin(&app).get("/api/keys").await.json()["data"], json!([]));
    app.stop().await;
}
