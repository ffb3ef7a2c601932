//! Requests that are sent more than once under one key.

use std::time::Duration;

use futures_util::future::join_all;
use grok2api_tests::{Answer, Client, TestApp};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::images::{GENERATIONS, pixel};
use crate::videos::{VIDEOS, finished};

async fn send(client: &Client, path: &str, key: &str, body: &Value) -> Answer {
    client.send(client.request(Method::POST, path).header("Idempotency-Key", key).json(body)).await
}

fn is_replay(answer: &Answer) -> bool {
    answer.headers.get("idempotent-replayed").is_some_and(|value| value == "true")
}

#[tokio::test]
async fn f16_fifty_duplicates_at_once_make_one_video() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    let body = json!({"prompt": "The sun rises [[id=once]]"});
    let answers = join_all((0..50).map(|_| send(&client, VIDEOS, "key-1", &body))).await;
    let ids: std::collections::HashSet<String> = answers
        .iter()
        .map(|answer| {
            assert_eq!(answer.status, 200, "{}", answer.text);
            answer.json()["id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(answers.iter().filter(|answer| !is_replay(answer)).count(), 1);
    let id = json!(ids.iter().next().unwrap());
    assert_eq!(finished(&client, &id).await["status"], "completed");
    assert_eq!(app.sim.creates().by_name["once"].creates, 1);
    // Members in another order, and values that mean the same, are the same request.
    let again = send(&client, VIDEOS, "key-1", &json!({"model": null, "prompt": "The sun rises [[id=once]]"})).await;
    assert_eq!((&again.json()["id"], &again.json()["status"]), (&id, &"completed".into()));
    assert_eq!(app.sim.creates().by_name["once"].creates, 1);
    app.stop().await;
}

#[tokio::test]
async fn f16_pictures_in_flight_are_409_and_then_the_same_answer() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    let body = json!({"prompt": "a red kite [[id=kite]] media:head_ms=300", "n": 2});
    let first = tokio::spawn({
        let (client, body) = (client.clone(), body.clone());
        async move { send(&client, GENERATIONS, "key-2", &body).await }
    });
    assert!(app.sim.wait_until(Duration::from_secs(20), |sim| sim.total_calls() == 1).await);
    let early = send(&client, GENERATIONS, "key-2", &body).await;
    early.expect_error(409, "idempotency_in_flight");
    assert!(early.headers.contains_key("retry-after"));
    let first = first.await.unwrap();
    assert_eq!((first.status.as_u16(), is_replay(&first)), (200, false), "{}", first.text);
    let again = send(&client, GENERATIONS, "key-2", &body).await;
    assert!(is_replay(&again));
    assert_eq!(again.text, first.text);
    assert_eq!(app.sim.creates().by_name["kite"].creates, 1);
    app.stop().await;
}

#[tokio::test]
async fn pictures_are_drawn_although_the_client_left_and_wait_for_it() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    let body = json!({"prompt": "a red kite [[id=kite]] media:head_ms=200"});
    let leaving = client.request(Method::POST, GENERATIONS).header("Idempotency-Key", "key-3").json(&body).send();
    let leaving = tokio::spawn(leaving);
    assert!(app.sim.wait_until(Duration::from_secs(20), |sim| sim.total_calls() == 1).await);
    leaving.abort();
    let answer = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let answer = send(&client, GENERATIONS, "key-3", &body).await;
            if answer.status != 409 {
                return answer;
            }
        }
    });
    let answer = answer.await.unwrap();
    assert_eq!((answer.status.as_u16(), is_replay(&answer)), (200, true), "{}", answer.text);
    assert_eq!(app.sim.creates().by_name["kite"].creates, 1);
    app.stop().await;
}

#[tokio::test]
async fn a_failure_is_repeated_as_it_was() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    let body = json!({"prompt": "a red kite [[id=no]] media:withheld=2", "n": 2});
    for _ in 0..2 {
        send(&client, GENERATIONS, "key-4", &body).await.expect_error(400, "content_policy_violation");
    }
    assert_eq!(app.sim.creates().by_name["no"].creates, 1);
    app.stop().await;
}

#[tokio::test]
async fn f16_another_body_or_endpoint_under_the_same_key_is_422() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    let made = send(&client, VIDEOS, "key-5", &json!({"prompt": "The sun rises"})).await;
    assert_eq!(made.status, 200);
    let other = send(&client, VIDEOS, "key-5", &json!({"prompt": "The sun sets"})).await;
    other.expect_error(422, "idempotency_key_reused");
    let elsewhere = send(&client, GENERATIONS, "key-5", &json!({"prompt": "The sun rises"})).await;
    elsewhere.expect_error(422, "idempotency_key_reused");
    for bad in ["", "two words", &"x".repeat(256)] {
        let answer = send(&client, VIDEOS, bad, &json!({"prompt": "The sun rises"})).await;
        answer.expect_error(400, "invalid_idempotency_key");
    }
    finished(&client, &made.json()["id"]).await;
    let path = format!("{VIDEOS}/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(client.send(client.request(Method::DELETE, &path)).await.status, 200);
    let gone = send(&client, VIDEOS, "key-5", &json!({"prompt": "The sun rises"})).await;
    gone.expect_error(409, "idempotency_result_gone");
    app.stop().await;
}

#[tokio::test]
async fn f16_uploaded_pictures_are_part_of_a_request() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    let edit = |prompt: &'static str, bytes: Vec<u8>| {
        let form = Form::new().text("prompt", prompt).part("image", Part::bytes(bytes).file_name("a.png"));
        client.request(Method::POST, "/v1/images/edits").header("Idempotency-Key", "key-6").multipart(form)
    };
    let first = client.send(edit("Paint it blue", pixel())).await;
    assert_eq!(first.status, 200, "{}", first.text);
    let again = client.send(edit("Paint it blue", pixel())).await;
    assert!(is_replay(&again));
    assert_eq!((again.text, app.sim.account("ann").uploads), (first.text, 1));
    let mut other = pixel();
    let end = other.len();
    other.extend_from_slice(b"behind");
    assert!(end < other.len());
    client.send(edit("Paint it blue", other)).await.expect_error(422, "idempotency_key_reused");
    app.stop().await;
}

#[tokio::test]
async fn k7_a_key_is_its_owners_alone() {
    let app = TestApp::with(&["ann"]).start().await;
    let body = json!({"prompt": "The sun rises"});
    let mine = send(&app.client(), VIDEOS, "key-7", &body).await.json();
    finished(&app.client(), &mine["id"]).await;
    app.set("grok.api_key", "g2a_another-key").await;
    let other = app.client_with_key(Some("g2a_another-key"));
    let theirs = send(&other, VIDEOS, "key-7", &body).await;
    assert_eq!((theirs.status.as_u16(), is_replay(&theirs)), (200, false));
    assert_ne!(theirs.json()["id"], mine["id"]);
    finished(&other, &theirs.json()["id"]).await;
    app.stop().await;
}
