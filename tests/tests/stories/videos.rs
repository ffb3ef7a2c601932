//! Videos: made, asked for, listed, downloaded, deleted.

use std::time::Duration;

use grok2api_tests::{Answer, Client, TestApp};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::images::{pixel, post};

pub(crate) const VIDEOS: &str = "/v1/videos";

pub(crate) async fn create(client: &Client, body: &Value) -> Value {
    let answer = post(client, VIDEOS, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// The video once it has come to its end; its events tell when.
pub(crate) async fn finished(client: &Client, id: &Value) -> Value {
    let id = id.as_str().unwrap();
    let events = client.get(&format!("/v1/jobs/{id}/events")).await;
    assert_eq!(events.status, 200, "{}", events.text);
    client.get(&format!("{VIDEOS}/{id}")).await.json()
}

async fn content(client: &Client, id: &Value, query: &str) -> Answer {
    client.get(&format!("{VIDEOS}/{}/content{query}", id.as_str().unwrap())).await
}

async fn delete(client: &Client, id: &Value) -> Answer {
    let path = format!("{VIDEOS}/{}", id.as_str().unwrap());
    client.send(client.request(Method::DELETE, &path)).await
}

async fn part_etag(client: &Client, path: &str) -> String {
    let head = client.request(Method::GET, path).header("range", "bytes=0-0").send().await.unwrap();
    head.headers()["etag"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_video_is_queued_made_downloaded_and_deleted() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    let body = json!({"prompt": "The sun rises [[id=sun]] media:mib=1", "seconds": 4, "size": "720x1280"});
    let answer = post(&client, VIDEOS, &body).await;
    assert_eq!((answer.status.as_u16(), &answer.headers["openai-poll-after-ms"]), (200, &"2000".parse().unwrap()));
    let video = answer.json();
    let members = [
        "id",
        "object",
        "model",
        "status",
        "progress",
        "created_at",
        "completed_at",
        "expires_at",
        "prompt",
        "size",
        "seconds",
        "remixed_from_video_id",
        "error",
    ];
    assert!(members.iter().all(|member| video.get(member).is_some()), "{video}");
    assert_eq!((&video["status"], &video["seconds"]), (&"queued".into(), &"4".into()));
    let id = &video["id"];
    assert!(id.as_str().unwrap().starts_with("video_"));
    let done = finished(&client, id).await;
    assert_eq!((&done["status"], &done["progress"], &done["error"]), (&"completed".into(), &100.into(), &Value::Null));
    assert!(done["completed_at"].as_i64() >= done["created_at"].as_i64());
    assert_eq!(app.sim.creates().by_name["sun"].creates, 1);
    let path = format!("{VIDEOS}/{}/content", id.as_str().unwrap());
    let bytes = client.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(bytes.headers()["content-type"], "video/mp4");
    let bytes = bytes.bytes().await.unwrap();
    assert_eq!((bytes.len(), &bytes[4..8]), (1 << 20, &b"ftyp"[..]));
    let part = client.request(Method::GET, &path).header("range", "bytes=4-7").send().await.unwrap();
    assert_eq!((part.status().as_u16(), &part.bytes().await.unwrap()[..]), (206, &b"ftyp"[..]));
    let etag = part_etag(&client, &path).await;
    let known = client.request(Method::GET, &path).header("if-none-match", etag).send().await.unwrap();
    assert_eq!(
        (known.status().as_u16(), &known.headers()["cache-control"]),
        (304, &"private, no-cache".parse().unwrap())
    );
    let thumbnail = client.request(Method::GET, &format!("{path}?variant=thumbnail")).send().await.unwrap();
    assert!(thumbnail.headers()["content-type"].to_str().unwrap().starts_with("image/"));
    content(&client, id, "?variant=spritesheet").await.expect_error(400, "unsupported_value");
    content(&client, id, "?variant=poster").await.expect_error(400, "invalid_value");
    assert_eq!(delete(&client, id).await.json(), json!({"id": id, "object": "video.deleted", "deleted": true}));
    client.get(&format!("{VIDEOS}/{}", id.as_str().unwrap())).await.expect_error(404, "not_found");
    content(&client, id, "").await.expect_error(404, "not_found");
    delete(&client, id).await.expect_error(404, "not_found");
    app.stop().await;
}

#[tokio::test]
async fn what_the_upstream_decides_itself_cannot_be_chosen_unless_the_operator_is_lenient() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    for (body, code, param) in [
        (json!({"prompt": "p", "seconds": "8"}), "unsupported_value", "seconds"),
        (json!({"prompt": "p", "seconds": "7"}), "invalid_value", "seconds"),
        (json!({"prompt": "p", "size": "1280x720"}), "unsupported_value", "size"),
        (json!({"prompt": "p", "size": "huge"}), "invalid_value", "size"),
        (json!({"prompt": ""}), "invalid_value", "prompt"),
        (json!({"prompt": "p", "model": "grok-3-fast"}), "unsupported_value", "model"),
        (
            json!({"prompt": "p", "input_reference": {"file_id": "file-1"}}),
            "unsupported_value",
            "input_reference.file_id",
        ),
        (
            json!({"prompt": "p", "input_reference": {"image_url": "https://10.0.0.1/"}}),
            "invalid_image_url",
            "input_reference",
        ),
    ] {
        let error = post(&client, VIDEOS, &body).await.expect_error(400, code);
        assert_eq!(error["param"], param, "{error}");
    }
    post(&client, VIDEOS, &json!({"prompt": "p", "model": "sora-2"})).await.expect_error(404, "model_not_found");
    assert_eq!(app.sim.total_calls(), 0);
    app.set("video.lenient", true).await;
    let answer = post(&client, VIDEOS, &json!({"prompt": "p", "seconds": "8", "size": "1280x720"})).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["x-grok2api-ignored"]),
        (200, &"seconds,size".parse().unwrap())
    );
    let video = answer.json();
    assert_eq!((&video["seconds"], &video["size"]), (&"4".into(), &"720x1280".into()));
    finished(&client, &video["id"]).await;
    app.stop().await;
}

#[tokio::test]
async fn a_video_that_is_being_made_has_no_content_yet_and_can_be_deleted() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    let video = create(&client, &json!({"prompt": "The sun rises media:stall"})).await;
    assert!(app.sim.wait_until(Duration::from_secs(20), |sim| sim.running() == 1).await);
    let early = content(&client, &video["id"], "").await;
    early.expect_error(409, "video_not_ready");
    assert!(early.headers.contains_key("retry-after"));
    assert_eq!(delete(&client, &video["id"]).await.status, 200);
    // J8: the upstream call ends, and the account is free.
    assert!(app.sim.wait_until(Duration::from_secs(20), |sim| sim.running() == 0).await);
    assert!(app.no_lease_within(Duration::from_secs(10)).await);
    app.stop().await;
}

#[tokio::test]
async fn a_moderated_video_fails_and_says_why() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    let video = create(&client, &json!({"prompt": "The sun rises media:withheld=1"})).await;
    let failed = finished(&client, &video["id"]).await;
    assert_eq!((&failed["status"], &failed["completed_at"]), (&"failed".into(), &Value::Null));
    assert_eq!(failed["error"]["code"], "content_policy_violation");
    assert!(!failed["error"]["message"].as_str().unwrap().is_empty());
    content(&client, &video["id"], "").await.expect_error(404, "no_content");
    app.stop().await;
}

#[tokio::test]
async fn a_video_can_begin_with_a_picture() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    let picture = Part::bytes(pixel()).file_name("first.png");
    let form = Form::new().text("prompt", "It begins to move").text("seconds", "4").part("input_reference", picture);
    let answer = client.send(client.request(Method::POST, VIDEOS).multipart(form)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(finished(&client, &answer.json()["id"]).await["status"], "completed");
    assert_eq!(app.sim.account("ann").uploads, 1);
    app.stop().await;
}

#[tokio::test]
async fn videos_are_listed_in_pages() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    let mut made = Vec::new();
    for n in 0..5 {
        let video = create(&client, &json!({"prompt": format!("number {n} media:steps=1")})).await;
        made.push(video["id"].as_str().unwrap().to_owned());
    }
    for id in &made {
        finished(&client, &json!(id)).await;
    }
    for order in ["desc", "asc"] {
        let mut listed: Vec<String> = Vec::new();
        let mut after = String::new();
        loop {
            let page = client.get(&format!("{VIDEOS}?limit=2&order={order}{after}")).await.json();
            let ids: Vec<String> =
                page["data"].as_array().unwrap().iter().map(|video| video["id"].as_str().unwrap().into()).collect();
            assert_eq!((&page["object"], &page["first_id"]), (&"list".into(), &json!(ids.first())));
            assert_eq!(page["last_id"], json!(ids.last()));
            after = format!("&after={}", ids.last().unwrap());
            listed.extend(ids);
            if page["has_more"] == false {
                break;
            }
        }
        if order == "desc" {
            listed.reverse();
        }
        assert_eq!(listed, made, "{order}");
    }
    let all = client.get(VIDEOS).await.json();
    assert_eq!((all["data"].as_array().unwrap().len(), &all["has_more"]), (5, &false.into()));
    for (query, status) in
        [("limit=0", 400), ("limit=101", 400), ("limit=x", 400), ("order=up", 400), ("after=video_0", 404)]
    {
        assert_eq!(client.get(&format!("{VIDEOS}?{query}")).await.status.as_u16(), status, "{query}");
    }
    app.stop().await;
}

#[tokio::test]
async fn k7_a_video_is_its_owners_alone() {
    let app = TestApp::with(&["ann"]).start().await;
    let video = create(&app.client(), &json!({"prompt": "The sun rises"})).await;
    finished(&app.client(), &video["id"]).await;
    let id = video["id"].as_str().unwrap();
    app.set("grok.api_key", "g2a_another-key").await;
    let other = app.client_with_key(Some("g2a_another-key"));
    for (method, path) in [
        (Method::GET, format!("{VIDEOS}/{id}")),
        (Method::GET, format!("{VIDEOS}/{id}/content")),
        (Method::DELETE, format!("{VIDEOS}/{id}")),
        (Method::GET, format!("{VIDEOS}?after={id}")),
        (Method::GET, format!("/v1/jobs/{id}")),
        (Method::GET, format!("/v1/jobs/{id}/events")),
        (Method::POST, format!("/v1/jobs/{id}/cancel")),
    ] {
        other.send(other.request(method, &path)).await.expect_error(404, "not_found");
    }
    let remix = post(&other, &format!("{VIDEOS}/{id}/remix"), &json!({"prompt": "p"})).await;
    remix.expect_error(404, "not_found");
    assert_eq!(other.get(VIDEOS).await.json()["data"], json!([]));
    app.stop().await;
}

#[tokio::test]
async fn a_video_cannot_be_remixed() {
    let app = TestApp::with(&["ann"]).start().await;
    let video = create(&app.client(), &json!({"prompt": "The sun rises"})).await;
    let path = format!("{VIDEOS}/{}/remix", video["id"].as_str().unwrap());
    post(&app.client(), &path, &json!({"prompt": "Now it sets"})).await.expect_error(400, "unsupported");
    finished(&app.client(), &video["id"]).await;
    app.stop().await;
}
