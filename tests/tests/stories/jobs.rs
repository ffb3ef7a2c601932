//! Work that goes on by itself: asked for, followed, cancelled.

use std::time::Duration;

use futures_util::StreamExt;
use grok2api_entity::{connect, job};
use grok2api_tests::{Client, TestApp};
use reqwest::Method;
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::images::{GENERATIONS, post};
use crate::videos::{VIDEOS, create, finished};

async fn job(client: &Client, id: &str) -> Value {
    let answer = client.get(&format!("/v1/jobs/{id}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// Events of a finished stream: name and data.
fn events(text: &str) -> Vec<(String, Value)> {
    let event = |block: &str| {
        let (name, data) = block.strip_prefix("event: ")?.split_once("\ndata: ")?;
        Some((name.to_owned(), serde_json::from_str(data).ok()?))
    };
    text.split("\n\n").filter_map(event).collect()
}

#[tokio::test]
async fn progress_comes_as_events_until_the_end() {
    let app = TestApp::with(&["ann-canary"]).start().await;
    let client = app.client();
    let video = create(&client, &json!({"prompt": "The sun rises media:steps=5,gap_ms=20"})).await;
    let id = video["id"].as_str().unwrap();
    let answer = client.get(&format!("/v1/jobs/{id}/events")).await;
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    assert!(answer.text.starts_with("retry: 2000\n\n"), "{}", answer.text);
    let events = events(&answer.text);
    let (last, before) = events.split_last().unwrap();
    assert_eq!(
        (last.0.as_str(), &last.1["status"], &last.1["progress"]),
        ("job.completed", &"completed".into(), &100.into())
    );
    let percents: Vec<i64> = events.iter().map(|(_, data)| data["progress"].as_i64().unwrap()).collect();
    assert!(percents.is_sorted(), "{percents:?}");
    assert!(before.iter().all(|(name, data)| *name == format!("job.{}", data["status"].as_str().unwrap())));
    assert!(before.iter().all(|(_, data)| data.get("results").is_none()));
    let attempts = last.1["attempts"].as_array().unwrap();
    assert_eq!((attempts.len(), &attempts[0]["number"], &attempts[0]["outcome"]), (1, &1.into(), &"ok".into()));
    let kinds: Vec<&str> =
        last.1["results"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"video"), "{kinds:?}");
    assert_eq!(job(&client, id).await, last.1);
    assert!(!answer.text.contains("canary"), "the account is the operator's business: {}", answer.text);
    // Who comes late gets the last event alone.
    let late = client.get(&format!("/v1/jobs/{id}/events")).await;
    assert_eq!(self::events(&late.text), std::slice::from_ref(last));
    app.stop().await;
}

#[tokio::test]
async fn j8_cancelling_ends_the_upstream_call_and_those_who_wait() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    let video = create(&client, &json!({"prompt": "The sun rises media:stall"})).await;
    let id = video["id"].as_str().unwrap().to_owned();
    assert!(app.sim.wait_until(Duration::from_secs(20), |sim| sim.running() == 1).await);
    let mut follower =
        client.request(Method::GET, &format!("/v1/jobs/{id}/events")).send().await.unwrap().bytes_stream();
    let first = follower.next().await.unwrap().unwrap();
    assert!(first.starts_with(b"retry"));
    let answer = client.send(client.request(Method::POST, &format!("/v1/jobs/{id}/cancel"))).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (200, &"cancelled".into()));
    let mut rest = Vec::new();
    while let Some(piece) = follower.next().await {
        rest.extend_from_slice(&piece.unwrap());
    }
    assert!(String::from_utf8_lossy(&rest).contains("event: job.cancelled\n"));
    assert!(app.sim.wait_until(Duration::from_secs(20), |sim| sim.running() == 0).await);
    assert!(app.no_lease_within(Duration::from_secs(10)).await);
    let again = client.send(client.request(Method::POST, &format!("/v1/jobs/{id}/cancel"))).await;
    assert_eq!(again.json()["status"], "cancelled");
    let video = client.get(&format!("{VIDEOS}/{id}")).await.json();
    assert_eq!((&video["status"], &video["error"]["code"]), (&"failed".into(), &"cancelled".into()));
    app.stop().await;
}

#[tokio::test]
async fn a_client_that_waits_for_cancelled_pictures_is_told_so() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { post(&client, GENERATIONS, &json!({"prompt": "a red kite media:head_ms=60000"})).await }
    });
    assert!(app.sim.wait_until(Duration::from_secs(20), |sim| sim.total_calls() == 1).await);
    let db = connect::file(&app.folder.path().join("data/grok2api.db")).await.unwrap();
    let jobs = job::Entity::find().all(&db).await.unwrap();
    let drawing = jobs.iter().find(|job| job.kind == job::Kind::GenerateImage).unwrap();
    let path = format!("/v1/jobs/{}/cancel", drawing.id);
    assert_eq!(client.send(client.request(Method::POST, &path)).await.json()["status"], "cancelled");
    waiting.await.unwrap().expect_error(400, "cancelled");
    app.stop().await;
}

#[tokio::test]
async fn each_job_of_a_request_shows_its_own_part() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    let answer = post(&client, GENERATIONS, &json!({"prompt": "a red kite", "n": 3})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let db = connect::file(&app.folder.path().join("data/grok2api.db")).await.unwrap();
    let mut jobs = job::Entity::find().all(&db).await.unwrap();
    jobs.retain(|job| job.kind == job::Kind::GenerateImage);
    jobs.sort_by_key(|job| job.id);
    let mut results = Vec::new();
    for row in &jobs {
        let shown = job(&client, &row.id.to_string()).await;
        assert_eq!((&shown["kind"], &shown["status"]), (&"generate_image".into(), &"completed".into()));
        results.push(shown["results"].as_array().unwrap().len());
    }
    assert_eq!(results, [2, 1]);
    app.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    let video = create(&client, &json!({"prompt": "The sun rises"})).await;
    finished(&client, &video["id"]).await;
    for id in ["video_0", "img_", "0192d3f0-0000-7000-8000-000000000000", "%00", "a b", "VIDEO_1"] {
        client.get(&format!("/v1/jobs/{id}")).await.expect_error(404, "not_found");
    }
    app.stop().await;
}
