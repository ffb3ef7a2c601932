//! What was asked is on record for the operator, one by one and as figures over time.

use std::time::Duration;

use grok2api_sim::Script;
use grok2api_tests::{Client, TestApp};
use reqwest::Method;
use serde_json::{Value, json};

const TOKEN: &str = "the-operators-token-1";
const PATIENCE: Duration = Duration::from_secs(30);

async fn app() -> TestApp {
    let builder = TestApp::with(&["ann"]).startup(|startup| startup.server.admin_token = Some(TOKEN.into()));
    builder.setting("schedules.token_test", "off").setting("schedules.quota_reset", "off").start().await
}

fn operator(app: &TestApp) -> Client {
    app.client_with_key(Some(TOKEN))
}

async fn get(client: &Client, path: &str) -> Value {
    let answer = client.send(client.request(Method::GET, path)).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.json()
}

async fn chat(client: &Client, id: &str, model: &str) -> u16 {
    let body = json!({"model": model, "messages": [{"role": "user", "content": "canary-prompt-77aa"}]});
    let request = client.request(Method::POST, "/v1/chat/completions").header("x-request-id", id).json(&body);
    client.send(request).await.status.as_u16()
}

/// The list, once it has so many requests.
async fn listed(operator: &Client, count: usize) -> Value {
    let seen = async {
        loop {
            let list = get(operator, "/api/requests").await;
            if list["data"].as_array().unwrap().len() >= count {
                return list;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.unwrap()
}

#[tokio::test]
async fn requests_show_up_in_the_list_in_series_and_in_the_overview() {
    let app = app().await;
    let operator = operator(&app);
    let made = operator.send(operator.request(Method::POST, "/api/keys").json(&json!({"name": "team"}))).await.json();
    let team = app.client_with_key(made["key"].as_str());
    let owner = made["terms"]["owner"].as_str().unwrap().to_owned();
    assert_eq!(chat(&app.client(), "one", "grok-4-fast").await, 200);
    assert_eq!(chat(&team, "two", "grok-3-fast").await, 200);
    assert_eq!(chat(&team, "three", "no-such-model").await, 404);

    let list = listed(&operator, 3).await;
    let ids: Vec<_> = list["data"].as_array().unwrap().iter().map(|row| row["request_id"].clone()).collect();
    assert_eq!(ids, ["three", "two", "one"], "the latest first");
    let (three, two) = (&list["data"][0], &list["data"][1]);
    assert_eq!((&three["status"], &three["error_code"]), (&json!(404), &json!("model_not_found")));
    assert_eq!((&two["key_name"], &two["owner"]), (&json!("team"), &json!(owner)));
    assert_eq!((&two["attempts"], &two["endpoint"]), (&json!(1), &json!("/v1/chat/completions")));
    assert!(two["completion_tokens"].as_i64().unwrap() > 0 && two["account_id"].is_string());
    assert!(!list.to_string().contains("canary-prompt"), "what was asked is not recorded");
    assert_eq!(get(&operator, &format!("/api/requests/{}", two["id"].as_str().unwrap())).await, *two);

    let ids = async |query: &str| {
        let list = get(&operator, &format!("/api/requests?{query}")).await;
        list["data"].as_array().unwrap().iter().map(|row| row["request_id"].to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids("status=4xx").await, "\"three\"");
    assert_eq!(ids("outcome=ok&model=grok-3-fast").await, "\"two\"");
    assert_eq!(ids(&format!("owner={owner}")).await, "\"three\" \"two\"");
    assert_eq!(ids("request_id=one").await, "\"one\"");
    let first = get(&operator, "/api/requests?limit=2").await;
    assert_eq!(ids(&format!("limit=2&cursor={}", first["next_cursor"].as_str().unwrap())).await, "\"one\"");

    let series = get(&operator, "/api/stats/series?range=15m").await;
    let points = series["points"].as_array().unwrap();
    assert_eq!((points.len(), &series["step_secs"]), (15, &json!(60)));
    let sum = |series: &Value, of: &str| {
        series["points"].as_array().unwrap().iter().map(|point| point[of].as_i64().unwrap()).sum::<i64>()
    };
    assert_eq!((sum(&series, "requests"), sum(&series, "errors"), sum(&series, "client_gone")), (3, 1, 0));
    for range in ["1h", "6h", "24h", "7d", "30d", "90d"] {
        let series = get(&operator, &format!("/api/stats/series?range={range}")).await;
        assert_eq!(sum(&series, "requests"), 3, "{range}");
        assert!(series["points"].as_array().unwrap().iter().any(|point| point["latency_p95_ms"].is_i64()), "{range}");
    }
    assert_eq!(sum(&get(&operator, "/api/stats/series?model=grok-4-fast").await, "requests"), 1);
    assert_eq!(sum(&get(&operator, &format!("/api/stats/series?owner={owner}")).await, "requests"), 2);

    let overview = get(&operator, "/api/stats/overview?range=24h").await;
    assert_eq!((&overview["now"]["requests"], &overview["now"]["errors"]), (&json!(3), &json!(1)));
    assert_eq!(overview["previous"]["requests"], 0);
    assert_eq!(overview["top_errors"], json!([{"code": "model_not_found", "count": 1}]));
    assert_eq!((&overview["top_keys"][0]["name"], &overview["top_keys"][0]["requests"]), (&json!("team"), &json!(2)));
    assert_eq!(overview["top_models"].as_array().unwrap().len(), 3, "unknown is one of them");
    app.stop().await;
}

#[tokio::test]
async fn requests_are_downloaded_as_lines_or_as_a_table() {
    let app = app().await;
    let operator = operator(&app);
    let body = json!({"name": "=SUM(1)"});
    let made = operator.send(operator.request(Method::POST, "/api/keys").json(&body)).await.json();
    let client = app.client_with_key(made["key"].as_str());
    for _ in 0..5 {
        app.sim.script(Script::body("{}").with_status(503).header("content-type", "application/json"));
    }
    assert!(chat(&client, "four", "grok-4-fast").await >= 500);
    listed(&operator, 1).await;
    let fetch = async |query: &str| {
        let answer = operator.send(operator.request(Method::GET, &format!("/api/requests/export{query}"))).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.text
    };
    let lines = fetch("?outcome=error").await;
    let row: Value = serde_json::from_str(lines.trim()).unwrap();
    assert_eq!((&row["request_id"], &row["key_name"]), (&json!("four"), &json!("=SUM(1)")));
    let table = fetch("?format=csv").await;
    assert_eq!(table.lines().count(), 2);
    assert!(table.starts_with("id,at_ms,request_id,") && table.contains("\"'=SUM(1)\""), "no formula: {table}");
    assert_eq!(fetch("?outcome=ok").await, "");
    app.stop().await;
}

#[tokio::test]
async fn how_the_pool_stands_is_written_down_every_minute() {
    let app = app().await;
    let operator = operator(&app);
    let seen = async {
        loop {
            let series = get(&operator, "/api/stats/series?range=15m").await;
            if let Some(gauge) = series["gauges"].as_array().unwrap().first() {
                return gauge.clone();
            }
            tokio::task::yield_now().await;
        }
    };
    let gauge = tokio::time::timeout(PATIENCE, seen).await.unwrap();
    let accounts = ["active", "unused", "limited", "cooling", "expired", "disabled"];
    let sum: i64 = accounts.iter().map(|name| gauge[format!("accounts_{name}")].as_i64().unwrap()).sum();
    assert!(sum <= 1 && gauge["at_ms"].as_i64().unwrap() % 60_000 == 0, "{gauge}");
    app.stop().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_told_by_its_name() {
    let app = app().await;
    let operator = operator(&app);
    for (path, param) in [
        ("/api/requests?limit=0", "limit"),
        ("/api/requests?limit=201", "limit"),
        ("/api/requests?cursor=1", "cursor"),
        ("/api/requests?cursor=x_y", "cursor"),
        ("/api/requests?status=6xx", "status"),
        ("/api/requests?outcome=good", "outcome"),
        ("/api/requests?account_id=1", "account_id"),
        ("/api/requests?model=%00", "model"),
        ("/api/requests/export?format=xml", "format"),
        ("/api/stats/series?range=1y", "range"),
        ("/api/stats/series?model=a&owner=b", "owner"),
        ("/api/stats/overview?range=", "range"),
    ] {
        let answer = operator.send(operator.request(Method::GET, path)).await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"]["param"].as_str()), (400, Some(param)), "{path}");
    }
    for path in ["/api/requests/x", "/api/requests/0190c1c0-0000-7000-8000-000000000000"] {
        assert_eq!(operator.send(operator.request(Method::GET, path)).await.status, 404, "{path}");
    }
    app.stop().await;
}
