//! Each parameter of the chat endpoint: carried out, ignored and said so, or refused.

use grok2api_tests::TestApp;
use serde_json::{Value, json};

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn ask(more: Value) -> Value {
    let mut body = json!({"model": "grok-3-fast", "messages": [{"role": "user", "content": "hello"}]});
    for (member, value) in more.as_object().unwrap() {
        body[member] = value.clone();
    }
    body
}

#[tokio::test]
async fn what_cannot_be_carried_out_without_changing_the_answer_is_refused() {
    let app = TestApp::start().await;
    for (more, code, param) in [
        (json!({"logprobs": true}), "unsupported_parameter", "logprobs"),
        (json!({"top_logprobs": 3}), "unsupported_parameter", "top_logprobs"),
        (json!({"modalities": ["text", "audio"]}), "unsupported_parameter", "modalities"),
        (json!({"audio": {"voice": "x"}}), "unsupported_parameter", "audio"),
        (json!({"temperature": 2.5}), "invalid_value", "temperature"),
        (json!({"top_p": -0.1}), "invalid_value", "top_p"),
        (json!({"presence_penalty": 3}), "invalid_value", "presence_penalty"),
        (json!({"frequency_penalty": -3}), "invalid_value", "frequency_penalty"),
        (json!({"max_tokens": 0}), "invalid_value", "max_tokens"),
        (json!({"max_completion_tokens": -1}), "invalid_value", "max_completion_tokens"),
        (json!({"n": 0}), "invalid_value", "n"),
        (json!({"stop": ["a", "b", "c", "d", "e"]}), "invalid_value", "stop"),
        (json!({"stop": 7}), "invalid_value", "stop"),
        (json!({"reasoning_effort": "extreme"}), "invalid_value", "reasoning_effort"),
        (json!({"verbosity": "loud"}), "invalid_value", "verbosity"),
        (json!({"reasoning_format": "xml"}), "invalid_value", "reasoning_format"),
        (json!({"stream_options": {"include_usage": true}}), "invalid_value", "stream_options"),
        (json!({"response_format": {"type": "yaml"}}), "invalid_value", "response_format.type"),
        (
            json!({"response_format": {"type": "json_schema"}}),
            "missing_required_parameter",
            "response_format.json_schema",
        ),
        (json!({"tools": [{"type": "web_search"}]}), "unsupported_value", "tools[0].type"),
        (
            json!({"tools": [{"type": "function", "function": {"name": "bad name"}}]}),
            "invalid_value",
            "tools[0].function.name",
        ),
        (json!({"tool_choice": "required"}), "invalid_value", "tool_choice"),
        (json!({"tool_choice": {"type": "function", "function": {"name": "absent"}}}), "invalid_value", "tool_choice"),
        (json!({"messages": []}), "invalid_value", "messages"),
        (json!({"messages": "hello"}), "invalid_value", "messages"),
        (json!({"messages": [{"role": "robot", "content": "x"}]}), "invalid_value", "messages[0].role"),
        (json!({"messages": [{"content": "x"}]}), "missing_required_parameter", "messages[0].role"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "video"}]}]}),
            "invalid_value",
            "messages[0].content[0].type",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}),
            "unsupported_value",
            "messages[0].content[0].type",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
            "missing_required_parameter",
            "messages[0].content[0].text",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]}),
            "unsupported_value",
            "messages[0].content[0].file",
        ),
        (json!({"model": 7}), "invalid_value", "model"),
    ] {
        let error = app.client().post_chat(&ask(more.clone())).await.expect_error(400, code);
        assert_eq!(error["param"], param, "{more}");
        assert_eq!(error["type"], "invalid_request_error");
    }
    let unknown = app.client().post_chat(&ask(json!({"model": "gpt-99"}))).await.expect_error(404, "model_not_found");
    assert_eq!(unknown["param"], "model");
    assert_eq!(app.sim.total_calls(), 0, "nothing of this may reach the upstream");
    app.stop().await;
}

#[tokio::test]
async fn what_is_ignored_is_listed_and_strict_operators_may_refuse_it() {
    let app = TestApp::start().await;
    let body = ask(json!({
        "temperature": 0.1, "max_tokens": 5, "seed": 1, "user": "u", "metadata": {"a": "b"}, "store": true,
        "logit_bias": {"1": 2}, "logprobs": false, "top_logprobs": 0, "enable_thinking": true, "unknown_field": [1],
        "parallel_tool_calls": true, "modalities": ["text"], "service_tier": null,
    }));
    let answer = app.client().post_chat(&body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.headers["x-grok2api-ignored"], "temperature,max_tokens,seed,logit_bias,metadata,store");
    let events = app.client().stream_body(&body).await.unwrap();
    assert!(events.headers.contains_key("x-grok2api-ignored"));
    app.set("chat.strict_params", true).await;
    let error = app.client().post_chat(&body).await.expect_error(400, "unsupported_parameter");
    assert_eq!(error["param"], "temperature");
    app.stop().await;
}

#[tokio::test]
async fn a_conversation_keeps_its_roles_and_a_single_question_stays_as_it_is() {
    let app = TestApp::start().await;
    app.client().chat("grok-3-fast", "Just this.").await;
    assert_eq!(app.sim.last_chat().unwrap().text("message"), Some("Just this."));
    let body = ask(json!({"messages": [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": "<think>\nhm\n</think>\nHello!\n![Generated Image](data:image/png;base64,AAAA)"},
        {"role": "user", "content": "Bye", "name": "ann"},
        {"role": "assistant", "content": null},
    ]}));
    assert_eq!(app.client().post_chat(&body).await.status, 200);
    let sent = app.sim.last_chat().unwrap();
    assert_eq!(sent.text("message"), Some("[system]: Be brief.\n\n[user]: Hi\n\n[assistant]: Hello!\n\n[user]: Bye"));
    app.stop().await;
}

#[tokio::test]
async fn a_prompt_that_is_too_long_is_refused_before_it_is_sent() {
    let app = TestApp::with(&["ann"]).setting("chat.max_prompt_chars", 1000).start().await;
    app.client().chat("grok-3-fast", &"x".repeat(1001)).await.expect_error(400, "context_length_exceeded");
    assert_eq!(app.client().chat("grok-3-fast", &"x".repeat(1000)).await.status, 200);
    app.stop().await;
}

#[tokio::test]
async fn usage_comes_when_asked_for_and_says_that_it_is_estimated() {
    let app = TestApp::start().await;
    let plain = app.client().stream("grok-4-fast", "why is that so?").await.unwrap();
    assert!(plain.chunks().iter().all(|chunk| chunk.get("usage").is_none()));
    let body = json!({"model": "grok-4-fast", "messages": [{"role": "user", "content": "why is that so?"}],
        "stream_options": {"include_usage": true}});
    let events = app.client().stream_body(&body).await.unwrap();
    let chunks = events.chunks();
    let (last, earlier) = chunks.split_last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["x_estimated"], true);
    assert!(earlier.iter().all(|chunk| chunk["usage"] == Value::Null && chunk.get("usage").is_some()));
    let usage = &last["usage"];
    let sum = usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"].as_u64().unwrap(), sum);
    let reasoning = usage["completion_tokens_details"]["reasoning_tokens"].as_u64().unwrap();
    assert!(reasoning > 0 && reasoning < usage["completion_tokens"].as_u64().unwrap());
    app.stop().await;
}

#[tokio::test]
async fn the_upstream_is_sent_what_the_operator_configured_and_nothing_else() {
    let app = TestApp::with(&["ann"])
        .setting("grok.cf_clearance", "cf_clearance=clear-value")
        .setting("grok.x_statsig_id", "statsig-value")
        .startup(|startup| {
            startup.upstream.extra_headers.insert("accept-language".into(), "en".into());
            startup.upstream.user_agent = "my-gateway/1".into();
        })
        .start()
        .await;
    app.client().chat("grok-4-expert", "hello").await;
    let sent = app.sim.last_chat().unwrap();
    assert_eq!(sent.header("cookie"), Some("sso-rw=ann;sso=ann;cf_clearance=clear-value"));
    assert_eq!(sent.header("x-statsig-id"), Some("statsig-value"));
    assert_eq!(sent.header("accept-language"), Some("en"));
    assert_eq!(sent.header("user-agent"), Some("my-gateway/1"));
    assert_eq!(sent.header("origin"), Some(app.sim.url().as_str()));
    assert_eq!(sent.header("sec-ch-ua"), None);
    assert!(sent.header("x-xai-request-id").is_some());
    assert_eq!((sent.text("modelName"), sent.text("modelMode")), (Some("grok-4"), Some("MODEL_MODE_EXPERT")));
    assert_eq!(sent.body["temporary"], true);
    assert_eq!(sent.body["disableMemory"], true);
    assert_eq!(sent.body["enableSideBySide"], false);
    app.set("grok.temporary", false).await;
    app.set("grok.x_statsig_id", "").await;
    app.client().chat("grok-3-fast", "hello").await;
    let sent = app.sim.last_chat().unwrap();
    assert_eq!(sent.body["temporary"], false);
    assert_eq!(sent.header("x-statsig-id"), None);
    app.stop().await;
}

#[tokio::test]
async fn a_video_model_streams_its_progress_and_ends_in_the_video_element() {
    let app = TestApp::start().await;
    let events = app.client().stream("grok-imagine-0.9", "Make the waves move").await.unwrap();
    assert!(events.is_done());
    assert!(events.joined("reasoning_content").contains("Video: 100 %"), "{:?}", events.data);
    assert!(events.joined("content").contains("<video src=\""), "{:?}", events.data);
    let sent = app.sim.last_chat().unwrap();
    assert_eq!(sent.body["toolOverrides"]["videoGen"], true);
    assert!(sent.text("message").unwrap().ends_with(" --mode=custom"));
    app.stop().await;
}
