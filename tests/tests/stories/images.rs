//! Pictures asked for by themselves: drawn, changed, as links and as base64, in part and not at all.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use grok2api_entity::{connect, request_log};
use grok2api_tests::{Answer, Client, TestApp};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::{Value, json};

pub(crate) const GENERATIONS: &str = "/v1/images/generations";
const EDITS: &str = "/v1/images/edits";
/// A picture of one pixel.
pub(crate) const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const JPEG: &[u8] = &[0xff, 0xd8, 0xff];

pub(crate) async fn post(client: &Client, path: &str, body: &Value) -> Answer {
    client.send(client.request(Method::POST, path).json(body)).await
}

async fn draw(client: &Client, body: &Value) -> Answer {
    post(client, GENERATIONS, body).await
}

async fn edit(client: &Client, form: Form) -> Answer {
    client.send(client.request(Method::POST, EDITS).multipart(form)).await
}

pub(crate) fn pixel() -> Vec<u8> {
    STANDARD.decode(PIXEL).unwrap()
}

fn file(bytes: Vec<u8>) -> Part {
    Part::bytes(bytes).file_name("picture.png")
}

fn data(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["data"].as_array().unwrap().clone()
}

/// The bytes of all pictures of an answer with base64.
fn bytes(answer: &Answer) -> Vec<Vec<u8>> {
    let decoded = |picture: &Value| STANDARD.decode(picture["b64_json"].as_str().unwrap()).unwrap();
    data(answer).iter().map(decoded).collect()
}

#[tokio::test]
async fn a_picture_is_drawn_stored_and_linked() {
    let app = TestApp::with(&["ann"]).start().await;
    let answer = draw(&app.client(), &json!({"prompt": "a red kite [[id=kite]]", "size": "1536x1024"})).await;
    let data = data(&answer);
    assert_eq!(data.len(), 1);
    let url = data[0]["url"].as_str().unwrap();
    let path = url.strip_prefix(&app.url).unwrap();
    assert!(path.starts_with("/images/") && !path.contains("ann"), "{url}");
    assert!(data[0].get("b64_json").is_none());
    let body = answer.json();
    assert_eq!((&body["output_format"], &body["size"]), (&"jpeg".into(), &"1536x1024".into()));
    assert!(body["created"].is_i64() && body["usage"]["x_estimated"] == true);
    // The link needs no key: who knows it may look.
    let picture = app.client_with_key(None).request(Method::GET, path).send().await.unwrap();
    assert_eq!((picture.status().as_u16(), picture.headers()["content-type"].as_bytes()), (200, &b"image/jpeg"[..]));
    assert!(picture.bytes().await.unwrap().starts_with(JPEG));
    assert_eq!(app.sim.creates().by_name["kite"].creates, 1);
    assert!(app.no_lease_within(Duration::from_secs(10)).await);
    app.stop().await;
}

#[tokio::test]
async fn base64_holds_the_bytes_that_the_link_leads_to() {
    let app = TestApp::with(&["ann", "bob"]).start().await;
    let answer =
        draw(&app.client(), &json!({"prompt": "a red kite [[id=kite]]", "n": 3, "response_format": "b64_json"})).await;
    let pictures = bytes(&answer);
    assert_eq!(pictures.len(), 3);
    assert!(pictures.iter().all(|picture| picture.starts_with(JPEG)));
    // Two pictures come of one call, so three need two.
    assert_eq!(app.sim.creates().by_name["kite"].creates, 2);
    assert_eq!(answer.json()["size"], "auto");
    app.stop().await;
}

#[tokio::test]
async fn large_pictures_come_whole_as_base64() {
    let app = TestApp::with(&["ann"]).start().await;
    let body = json!({"prompt": "a red kite media:mib=3", "n": 2, "response_format": "b64_json"});
    let pictures = bytes(&draw(&app.client(), &body).await);
    assert_eq!(pictures.iter().map(Vec::len).collect::<Vec<_>>(), [3 << 20, 3 << 20]);
    app.stop().await;
}

#[tokio::test]
async fn links_stand_below_the_operators_address() {
    let app = TestApp::with(&["ann"]).setting("global.base_url", "https://pictures.example").start().await;
    let data = data(&draw(&app.client(), &json!({"prompt": "a red kite"})).await);
    assert!(data[0]["url"].as_str().unwrap().starts_with("https://pictures.example/images/"));
    app.stop().await;
}

#[tokio::test]
async fn the_operator_chooses_what_a_request_gets_that_does_not_say() {
    let app = TestApp::with(&["ann"]).setting("global.image_mode", "base64").start().await;
    let repeated = app.client().request(Method::POST, GENERATIONS).header("Idempotency-Key", "usual");
    let repeated = repeated.json(&json!({"prompt": "a red kite"}));
    let first = app.client().send(repeated.try_clone().unwrap()).await;
    assert!(bytes(&first)[0].starts_with(JPEG));
    let linked = draw(&app.client(), &json!({"prompt": "a red kite", "response_format": "url"})).await;
    assert!(data(&linked)[0]["url"].is_string());
    app.set("global.image_mode", "url").await;
    assert_eq!(app.client().send(repeated).await.text, first.text);
    app.stop().await;
}

#[tokio::test]
async fn pictures_that_were_refused_are_left_out_and_none_left_is_an_error() {
    let app = TestApp::with(&["ann"]).start().await;
    let some = draw(&app.client(), &json!({"prompt": "a red kite media:withheld=1", "n": 2})).await;
    assert_eq!(data(&some).len(), 1);
    let none = draw(&app.client(), &json!({"prompt": "a red kite media:withheld=2", "n": 2})).await;
    let error = none.expect_error(400, "content_policy_violation");
    assert_eq!(error["type"], "invalid_request_error");
    app.stop().await;
}

#[tokio::test]
async fn an_answer_without_a_picture_is_told_as_such() {
    let app = TestApp::with(&["ann"]).start().await;
    let answer = draw(&app.client(), &json!({"prompt": "a red kite media:files=0"})).await;
    answer.expect_error(502, "no_image_generated");
    app.stop().await;
}

#[tokio::test]
async fn a_pool_that_cannot_draw_says_why() {
    let empty = TestApp::with(&[]).start().await;
    let answer = draw(&empty.client(), &json!({"prompt": "a red kite"})).await;
    answer.expect_error(503, "no_available_account");
    assert!(answer.headers.contains_key("retry-after"));
    empty.stop().await;
}

/// The events of a stream: their names and their data.
fn events(text: &str) -> Vec<(String, Value)> {
    let event = |block: &str| {
        let (name, data) = block.strip_prefix("event: ")?.split_once("\ndata: ")?;
        Some((name.to_owned(), serde_json::from_str(data).unwrap()))
    };
    text.split("\n\n").filter(|block| !block.is_empty() && !block.starts_with(':')).map(|b| event(b).unwrap()).collect()
}

#[tokio::test]
async fn a_stream_brings_each_picture_as_an_event_and_no_done() {
    let app = TestApp::with(&["ann"]).start().await;
    let body = json!({"prompt": "a red kite", "n": 2, "stream": true, "partial_images": 2});
    let answer = draw(&app.client(), &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    assert_eq!(answer.headers["x-grok2api-ignored"], "partial_images");
    let events = events(&answer.text);
    assert_eq!(events.len(), 2);
    for (name, data) in events {
        assert_eq!((name.as_str(), &data["type"]), ("image_generation.completed", &name.as_str().into()));
        assert!(STANDARD.decode(data["b64_json"].as_str().unwrap()).unwrap().starts_with(JPEG));
        assert!(data["usage"]["total_tokens"].is_u64() && data["created_at"].is_i64(), "{data}");
    }
    let refused = draw(&app.client(), &json!({"prompt": "a kite media:withheld=2", "n": 2, "stream": true})).await;
    refused.expect_error(400, "content_policy_violation");
    app.stop().await;
}

#[tokio::test]
async fn bad_requests_name_the_member_at_fault_and_cost_nothing() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    for (body, status, code, param) in [
        (json!({}), 400, "missing_required_parameter", "prompt"),
        (json!({"prompt": ""}), 400, "invalid_value", "prompt"),
        (json!({"prompt": "x".repeat(32_001)}), 400, "invalid_value", "prompt"),
        (json!({"prompt": "p", "n": 11}), 400, "invalid_value", "n"),
        (json!({"prompt": "p", "size": "big"}), 400, "invalid_value", "size"),
        (json!({"prompt": "p", "output_format": "png"}), 400, "unsupported_value", "output_format"),
        (json!({"prompt": "p", "background": "transparent"}), 400, "unsupported_value", "background"),
        (json!({"prompt": "p", "model": "dall-e-3"}), 404, "model_not_found", "model"),
        (json!({"prompt": "p", "model": "grok-imagine-0.9"}), 400, "unsupported_value", "model"),
    ] {
        let error = draw(&client, &body).await.expect_error(status, code);
        assert_eq!(error["param"], param, "{error}");
    }
    app.client_with_key(None).get(GENERATIONS).await.expect_error(405, "method_not_allowed");
    draw(&app.client_with_key(Some("wrong")), &json!({"prompt": "p"})).await.expect_error(401, "invalid_api_key");
    assert_eq!(app.sim.total_calls(), 0);
    app.stop().await;
}

#[tokio::test]
async fn what_is_ignored_is_named_and_refused_where_the_operator_is_strict() {
    let app = TestApp::with(&["ann"]).start().await;
    let body = json!({"prompt": "a red kite", "quality": "hd", "user": "u", "unknown": 1});
    let answer = draw(&app.client(), &body).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["x-grok2api-ignored"]),
        (200, &"quality,user".parse().unwrap())
    );
    app.set("chat.strict_params", true).await;
    draw(&app.client(), &body).await.expect_error(400, "unsupported_parameter");
    app.stop().await;
}

#[tokio::test]
async fn pictures_of_a_form_are_uploaded_and_changed() {
    let app = TestApp::with(&["ann"]).start().await;
    let form = Form::new().text("prompt", "Paint it blue [[id=blue]]").text("n", "1").part("image", file(pixel()));
    assert_eq!(data(&edit(&app.client(), form).await).len(), 1);
    assert_eq!(app.sim.account("ann").uploads, 1);
    let form = Form::new()
        .part("image[]", file(pixel()))
        .part("image[]", file(pixel()))
        .text("prompt", "Put them together")
        .text("response_format", "b64_json");
    assert!(bytes(&edit(&app.client(), form).await)[0].starts_with(JPEG));
    assert_eq!(app.sim.account("ann").uploads, 3);
    app.stop().await;
}

#[tokio::test]
async fn pictures_named_in_json_are_decoded_and_changed() {
    let app = TestApp::with(&["ann"]).start().await;
    let url = format!("data:image/png;base64,{PIXEL}");
    let body = json!({"prompt": "Paint it blue", "images": [{"image_url": url}]});
    assert_eq!(data(&post(&app.client(), EDITS, &body).await).len(), 1);
    assert_eq!(app.sim.account("ann").uploads, 1);
    app.stop().await;
}

#[tokio::test]
async fn bad_edits_are_refused_and_leave_no_picture_behind() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    let with = |part: Part| Form::new().text("prompt", "Paint it blue").part("image", part);
    data(&edit(&client, with(file(pixel()))).await);
    let calls = app.sim.total_calls();
    let nine = (0..9).fold(Form::new().text("prompt", "p"), |form, _| form.part("image[]", file(pixel())));
    let mut large = pixel();
    large.resize(20 * 1024 * 1024 + 1, 0);
    let mut huge = pixel();
    huge.resize(60 * 1024 * 1024, 0);
    for (form, code, param) in [
        (Form::new().text("prompt", "Paint it blue"), "missing_required_parameter", "image"),
        (Form::new().part("image", file(pixel())), "missing_required_parameter", "prompt"),
        (with(file(b"<html><script>alert(1)</script></html>".to_vec())), "invalid_image", "image"),
        (with(file(pixel()[..40].to_vec())), "invalid_image", "image"),
        (with(file(large)), "image_too_large", "image"),
        (with(file(huge)), "image_too_large", "image"),
        (with(file(pixel())).part("mask", file(pixel())), "unsupported_parameter", "mask"),
        (with(file(pixel())).text("n", "two"), "invalid_value", "n"),
        (nine, "too_many_images", "image"),
    ] {
        let error = edit(&client, form).await.expect_error(400, code);
        assert_eq!(error["param"], param, "{error}");
    }
    for (images, code, param) in [
        (json!([]), "missing_required_parameter", "images"),
        (json!([{"file_id": "file-1"}]), "unsupported_value", "images[0].file_id"),
        (json!([{}]), "missing_required_parameter", "images[0].image_url"),
        (json!([{"image_url": "https://127.0.0.1/a.png"}]), "invalid_image_url", "images"),
        (json!([{"image_url": "data:image/png;base64,AAAA"}]), "invalid_image", "images"),
    ] {
        let error = post(&client, EDITS, &json!({"prompt": "p", "images": images})).await.expect_error(400, code);
        assert_eq!(error["param"], param, "{error}");
    }
    assert_eq!(app.sim.total_calls(), calls);
    let folder = app.stop().await;
    let left: Vec<_> = std::fs::read_dir(folder.path().join("data/media/in")).into_iter().flatten().collect();
    assert_eq!(left.len(), 1, "only the picture of the good one is kept, for a day: {left:?}");
}

#[tokio::test]
async fn a_form_that_breaks_off_is_refused() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    let body = "--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nPaint";
    let request = client.request(Method::POST, EDITS).header("content-type", "multipart/form-data; boundary=b");
    client.send(request.body(body)).await.expect_error(400, "incomplete_body");
    let request = client.request(Method::POST, EDITS).header("content-type", "multipart/form-data");
    client.send(request.body(body)).await.expect_error(400, "invalid_multipart");
    let request = client.request(Method::POST, EDITS).header("content-type", "text/plain");
    client.send(request.body(body)).await.expect_error(415, "unsupported_media_type");
    app.stop().await;
}

#[tokio::test]
async fn each_request_leaves_a_row_that_says_how_it_ended() {
    let app = TestApp::with(&["ann"]).start().await;
    let client = app.client();
    draw(&client, &json!({"prompt": "canary-prompt", "n": 3})).await;
    draw(&client, &json!({"prompt": "canary-prompt", "n": 2, "stream": true})).await;
    draw(&client, &json!({"prompt": "canary-prompt media:withheld=2"})).await;
    draw(&client, &json!({"prompt": "canary-prompt", "n": 99})).await;
    let folder = app.stop().await;
    let db = connect::file(&folder.path().join("data/grok2api.db")).await.unwrap();
    let rows = request_log::Entity::find().order_by_asc(request_log::Column::At).all(&db).await.unwrap();
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (row.status, row.error_code.as_deref(), row.streamed, row.attempts, row.images))
        .collect();
    let expected = [
        (200, None, false, 2, 3),
        (200, None, true, 1, 2),
        (400, Some("content_policy_violation"), false, 1, 0),
        (400, Some("invalid_value"), false, 0, 0),
    ];
    assert_eq!(shown, expected);
    assert!(rows.iter().all(|row| row.endpoint == GENERATIONS));
    assert!(!format!("{rows:?}").contains("canary"));
}
