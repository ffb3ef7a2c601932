//! `/mcp` on the wire: who gets in, and what messages look like. The official client has a test of its own.

use grok2api_tests::{Answer, TestApp};
use reqwest::Method;
use serde_json::{Value, json};

const BOTH: &str = "application/json, text/event-stream";

async fn post(app: &TestApp, key: Option<&str>, accept: &str, message: &Value) -> Answer {
    let client = app.client_with_key(key);
    let request = client.request(Method::POST, "/mcp").header("accept", accept);
    let request = request.header("content-type", "application/json").body(message.to_string());
    client.send(request).await
}

fn initialize() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}})
}

fn call(tool: &str, arguments: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
}

/// The message of an event stream with one event.
fn event(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let data = answer.text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
    let data = data.filter(|data| !data.is_empty()).collect::<Vec<_>>();
    serde_json::from_str(data.last().unwrap_or_else(|| panic!("{}", answer.text))).unwrap()
}

#[tokio::test]
async fn k5_only_a_client_with_a_key_gets_in() {
    let app = TestApp::start().await;
    for key in [None, Some("g2a_wrong")] {
        let answer = post(&app, key, BOTH, &initialize()).await;
        assert_eq!(answer.status, 401, "{}", answer.text);
        let body = json!({"error": "invalid_token", "error_description": "Authentication required"});
        assert_eq!(answer.json(), body);
        assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer error=\"invalid_token\""));
    }
    app.stop().await;
}

#[tokio::test]
async fn the_protocol_is_spoken_as_the_old_gateway_did() {
    let app = TestApp::start().await;
    let key = Some("g2a_test-key-of-the-stories");
    let answer = post(&app, key, BOTH, &initialize()).await;
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    assert!(!answer.headers.contains_key("mcp-session-id"), "there are no sessions");
    let result = &event(&answer)["result"];
    assert_eq!(
        (&result["protocolVersion"], &result["serverInfo"]["name"]),
        (&json!("2025-06-18"), &json!("Grok2API-MCP"))
    );
    let answer = post(&app, key, "application/json", &initialize()).await;
    assert_eq!(answer.status, 406, "{}", answer.text);
    let listed = event(&post(&app, key, BOTH, &json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})).await);
    assert_eq!(listed["result"]["tools"][0]["name"], "ask_grok");
    let answered = event(&post(&app, key, BOTH, &call("ask_grok", &json!({"query": "hello"}))).await);
    let text = answered["result"]["content"][0]["text"].as_str().unwrap();
    assert_eq!(answered["result"]["structuredContent"], json!({ "result": text }));
    assert_eq!((&answered["id"], &answered["result"]["isError"]), (&json!(7), &json!(false)));
    let unknown = event(&post(&app, key, BOTH, &call("no_such_tool", &json!({}))).await);
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    app.stop().await;
}

#[tokio::test]
async fn k9_a_keys_terms_hold_for_tools_and_their_calls_are_on_record() {
    const TOKEN: &str = "the-operators-token-1";
    let app = TestApp::with(&["ann"]).startup(|startup| startup.server.admin_token = Some(TOKEN.into())).start().await;
    let operator = app.client_with_key(Some(TOKEN));
    let body = json!({"name": "tools", "models": ["grok-4-fast"]});
    let made = operator.send(operator.request(Method::POST, "/api/keys").json(&body)).await.json();
    let key = made["key"].as_str();
    let refused = event(&post(&app, key, BOTH, &call("ask_grok", &json!({"query": "hello"}))).await);
    assert_eq!(refused["result"]["isError"], true);
    let why = refused["result"]["content"][0]["text"].as_str().unwrap();
    assert!(why.starts_with("Error calling tool 'ask_grok': ") && why.contains("model_not_found"), "{why}");
    let allowed = call("ask_grok", &json!({"query": "hello", "model": "grok-4-fast"}));
    assert_eq!(event(&post(&app, key, BOTH, &allowed).await)["result"]["isError"], false);
    let recorded = async {
        loop {
            let owner = made["terms"]["owner"].as_str().unwrap();
            let list = operator.get(&format!("/api/requests?owner={owner}")).await.json();
            if list["data"].as_array().unwrap().len() == 2 {
                return list;
            }
            tokio::task::yield_now().await;
        }
    };
    let list = tokio::time::timeout(std::time::Duration::from_secs(30), recorded).await.unwrap();
    assert_eq!(
        (&list["data"][0]["endpoint"], &list["data"][0]["status"]),
        (&json!("/v1/chat/completions"), &json!(200))
    );
    assert_eq!(list["data"][1]["status"], 404);
    app.stop().await;
}
