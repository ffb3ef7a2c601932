//! What the web chat cannot do by itself: tools, JSON, stop sequences, several answers, attachments.

use grok2api_tests::TestApp;
use serde_json::{Value, json};

const MODEL: &str = "grok-4-fast";

fn ask(prompt: &str) -> Value {
    json!({"model": MODEL, "messages": [{"role": "user", "content": prompt}]})
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn with(mut body: Value, more: Value) -> Value {
    for (member, value) in more.as_object().unwrap() {
        body[member] = value.clone();
    }
    body
}

fn weather_tools() -> Value {
    json!({"tools": [{"type": "function", "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }}]})
}

const CALL: &str = "say:<tool_calls><tool_call><tool_name>get_weather</tool_name><parameters>{\"city\": \"Oslo\"}</parameters></tool_call></tool_calls>";

#[tokio::test]
async fn a_tool_call_comes_back_as_openai_clients_expect_it() {
    let app = TestApp::start().await;
    let body = with(ask(CALL), weather_tools());
    let answer = app.client().post_chat(&body).await.json();
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls", "{answer}");
    assert_eq!(choice["message"]["content"], Value::Null);
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!((&call["type"], &call["function"]["name"]), (&json!("function"), &json!("get_weather")));
    assert_eq!(
        serde_json::from_str::<Value>(call["function"]["arguments"].as_str().unwrap()).unwrap(),
        json!({"city": "Oslo"})
    );
    assert!(call["id"].as_str().unwrap().starts_with("call_"));

    let sent = app.sim.last_chat().unwrap();
    assert!(sent.text("message").unwrap().contains("get_weather"), "the model must know the tool");
    assert_eq!(sent.body["disableSearch"], true);
    assert_eq!(sent.body["enableImageGeneration"], false);

    let events = app.client().stream_body(&body).await.unwrap();
    assert_eq!(events.finish_reason().as_deref(), Some("tool_calls"));
    let calls: Vec<Value> =
        events.chunks().iter().filter_map(|chunk| chunk["choices"][0]["delta"].get("tool_calls").cloned()).collect();
    assert_eq!(calls[0][0]["index"], 0);
    assert_eq!(calls[0][0]["function"]["name"], "get_weather");
    assert!(!events.joined("content").contains("tool_calls"));
    assert!(events.is_done());
    app.stop().await;
}

#[tokio::test]
async fn the_older_functions_get_the_older_answer() {
    let app = TestApp::start().await;
    let body = with(ask(CALL), json!({"functions": [{"name": "get_weather", "parameters": {"type": "object"}}]}));
    let answer = app.client().post_chat(&body).await.json();
    assert_eq!(answer["choices"][0]["finish_reason"], "function_call", "{answer}");
    assert_eq!(answer["choices"][0]["message"]["function_call"]["name"], "get_weather");
    app.stop().await;
}

#[tokio::test]
async fn the_next_turn_carries_calls_and_results() {
    let app = TestApp::start().await;
    let body = with(
        json!({"model": MODEL, "messages": [
            {"role": "user", "content": "Weather in Oslo?"},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\":\"Oslo\"}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "4 degrees"},
        ]}),
        weather_tools(),
    );
    assert_eq!(app.client().post_chat(&body).await.status, 200);
    let message = app.sim.last_chat().unwrap().text("message").unwrap().to_owned();
    for piece in ["[user]: Weather in Oslo?", "get_weather", "[tool call_1]: 4 degrees"] {
        assert!(message.contains(piece), "{piece} is missing in {message}");
    }
    let mut orphan = body.clone();
    orphan["messages"][2]["tool_call_id"] = json!("call_9");
    app.client().post_chat(&orphan).await.expect_error(400, "invalid_value");
    app.stop().await;
}

#[tokio::test]
async fn json_is_checked_asked_for_again_once_and_then_refused() {
    let app = TestApp::start().await;
    let schema = json!({"response_format": {"type": "json_schema", "json_schema": {"name": "city", "strict": true, "schema": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false}}}});
    let good = with(ask("say:Here you are: {\"city\": \"Oslo\"}"), schema.clone());
    let answer = app.client().post_chat(&good).await;
    assert_eq!(serde_json::from_str::<Value>(&answer.content()).unwrap(), json!({"city": "Oslo"}), "{}", answer.text);
    let events = app.client().stream_body(&good).await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&events.joined("content")).unwrap(), json!({"city": "Oslo"}));
    assert!(events.is_done());

    app.sim.forget();
    app.sim.script(grok2api_sim::Script::text("no JSON at all"));
    app.sim.script(grok2api_sim::Script::text("{\"city\": \"Bergen\"}"));
    let repaired = app.client().post_chat(&good).await;
    assert_eq!(repaired.content(), "{\"city\": \"Bergen\"}", "{}", repaired.text);
    assert_eq!(app.sim.total_calls(), 2);

    let bad = with(ask("anything"), json!({"response_format": {"type": "json_object"}}));
    for _ in 0..4 {
        app.sim.script(grok2api_sim::Script::text("never any JSON"));
    }
    app.client().post_chat(&bad).await.expect_error(502, "invalid_json_from_upstream");
    app.client().stream_body(&bad).await.err().unwrap().expect_error(502, "invalid_json_from_upstream");
    app.stop().await;
}

#[tokio::test]
async fn a_stop_sequence_cuts_the_answer_and_ends_the_upstream_call() {
    let app = TestApp::start().await;
    let body = with(ask("say:one two three four"), json!({"stop": [" three"]}));
    let answer = app.client().post_chat(&body).await;
    assert_eq!(answer.content(), "one two");
    assert_eq!(answer.json()["choices"][0]["finish_reason"], "stop");
    let events = app.client().stream_body(&body).await.unwrap();
    assert_eq!(events.joined("content"), "one two");
    assert!(events.is_done());
    let long = with(ask("bench:chunks=5000,bytes=5"), json!({"stop": grok2api_sim::bench_text(5000, 5)[20..30]}));
    assert_eq!(app.client().post_chat(&long).await.content().len(), 20);
    assert!(app.no_lease_within(std::time::Duration::from_secs(5)).await);
    app.stop().await;
}

#[tokio::test]
async fn several_answers_have_their_indices() {
    let app = TestApp::start().await;
    let body = with(ask("hello"), json!({"n": 3, "stream_options": {"include_usage": true}}));
    let events = app.client().stream_body(&body).await.unwrap();
    let mut finished: Vec<i64> = events
        .chunks()
        .iter()
        .filter(|chunk| chunk["choices"][0]["finish_reason"] == "stop")
        .map(|chunk| chunk["choices"][0]["index"].as_i64().unwrap())
        .collect();
    finished.sort_unstable();
    assert_eq!(finished, [0, 1, 2]);
    assert!(events.is_done());
    let usage = events.chunks().last().unwrap()["usage"].clone();
    let whole = app.client().post_chat(&with(ask("hello"), json!({"n": 3}))).await.json();
    assert_eq!(whole["choices"].as_array().unwrap().len(), 3);
    assert_eq!(whole["usage"]["completion_tokens"], usage["completion_tokens"], "streamed and whole usage agree");
    app.client().post_chat(&with(ask("hello"), json!({"n": 99}))).await.expect_error(400, "invalid_value");
    app.stop().await;
}

const PIXEL: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn with_picture(url: &str) -> Value {
    json!({"model": MODEL, "messages": [{"role": "user", "content": [
        {"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url, "detail": "low"}}]}]})
}

#[tokio::test]
async fn a_picture_is_uploaded_for_the_account_that_serves() {
    let app =
        TestApp::with(&["ann.fault-upload-flaky429:1", "bob"]).setting("pool.strategy", "fill_first").start().await;
    let answer = app.client().post_chat(&with_picture(PIXEL)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!((app.sim.account("ann.fault-upload-flaky429:1").uploads, app.sim.account("bob").uploads), (1, 1));
    let chat = app.sim.last_chat().unwrap();
    assert_eq!(chat.account, "bob");
    assert_eq!(chat.body["fileAttachments"].as_array().unwrap().len(), 1);
    app.stop().await;
}

#[tokio::test]
async fn m1_m8_addresses_that_must_not_be_fetched_are_refused_alike() {
    let app = TestApp::start().await;
    let inside = format!("{}/users/x/image.jpg", app.sim.url());
    let mut texts = std::collections::BTreeSet::new();
    for url in [
        inside.as_str(),
        "https://127.0.0.1/x.png",
        "https://[::1]/x.png",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/x.png",
        "https://nowhere.invalid/x.png",
        "http://93.184.216.34/x.png",
    ] {
        let error = app.client().post_chat(&with_picture(url)).await.expect_error(400, "invalid_image_url");
        texts.insert(error["message"].as_str().unwrap().to_owned());
    }
    assert_eq!(texts.len(), 1, "one text for all causes: {texts:?}");
    assert_eq!(app.sim.total_calls(), 0);
    assert!(app.sim.requests().is_empty(), "no request may reach a private address");
    for (url, code) in [
        ("data:image/png;base64,!!!", "invalid_image"),
        ("data:image/svg+xml;base64,PHN2Zy8+", "invalid_image"),
        ("data:image/jpeg;base64,iVBORw0KGgo=", "invalid_image"),
        ("ftp://example.org/x.png", "invalid_image_url"),
    ] {
        app.client().post_chat(&with_picture(url)).await.expect_error(400, code);
    }
    app.stop().await;
}

#[tokio::test]
async fn a_picture_from_an_allowed_address_is_fetched_without_credentials() {
    let app = TestApp::with(&["ann"])
        .startup(|startup| {
            startup.upstream.fetch.allow_http = true;
            startup.upstream.fetch.allow_private = true;
            startup.upstream.fetch.allow_ports = (1..=65_535).collect();
        })
        .start()
        .await;
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut socket, _) = server.accept().await.unwrap();
        let mut head = vec![0; 4096];
        let read = socket.read(&mut head).await.unwrap();
        let picture = include_bytes!("../../../sim/assets/picture-1.jpg");
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\r\n", picture.len());
        socket.write_all(answer.as_bytes()).await.unwrap();
        socket.write_all(picture).await.unwrap();
        String::from_utf8_lossy(&head[..read]).to_lowercase()
    });
    let answer = app.client().post_chat(&with_picture(&format!("http://{address}/cat"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let head = serving.await.unwrap();
    assert!(!head.contains("cookie:") && !head.contains("authorization:") && !head.contains("referer:"), "{head}");
    let upload = app.sim.last(grok2api_sim::Route::Upload).unwrap();
    assert_eq!(upload.text("fileMimeType"), Some("image/jpeg"), "the type is what the bytes are");
    app.stop().await;
}
