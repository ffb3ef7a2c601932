//! Durable work as an operator sees it: listed, looked into, and taken up again.

use std::time::Duration;

use grok2api_sim::Script;
use grok2api_tests::fleet::wait_for;
use grok2api_tests::{Answer, Client, TestApp};
use reqwest::Method;
use serde_json::{Value, json};

const TOKEN: &str = "the-operators-token-1";
const LONG: Duration = Duration::from_secs(40);

async fn start() -> TestApp {
    let builder = TestApp::with(&["ann"]).setting("schedules.token_test", "off").setting("pool.max_attempts", 1);
    builder.startup(|startup| startup.server.admin_token = Some(TOKEN.into())).start().await
}

fn operator(app: &TestApp) -> Client {
    app.client_with_key(Some(TOKEN))
}

async fn get(app: &TestApp, path: &str) -> Value {
    let answer = operator(app).get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.json()
}

async fn post(app: &TestApp, path: &str, body: &Value) -> Answer {
    let operator = operator(app);
    operator.send(operator.request(Method::POST, path).json(body)).await
}

async fn draw(app: &TestApp, prompt: &str) -> Answer {
    let client = app.client();
    let body = json!({"prompt": prompt, "response_format": "url"});
    client.send(client.request(Method::POST, "/v1/images/generations").json(&body)).await
}

/// Waits until a request of this operator's list is so.
async fn until(app: &TestApp, id: &str, status: &str) -> Value {
    let path = format!("/api/generations/{id}");
    let seen = wait_for(status, LONG, async || {
        let now = get(app, &path).await;
        Ok((now["status"] == status).then_some(now))
    });
    seen.await.unwrap()
}

/// An upstream that refuses what it is asked to draw.
fn refusal() -> Script {
    Script::body(r#"{"error":{"message":"no"}}"#).with_status(400).header("content-type", "application/json")
}

#[tokio::test]
async fn requests_and_their_jobs_are_listed_with_what_came_of_them() {
    let app = start().await;
    assert_eq!(draw(&app, "a red kite").await.status, 200);
    let list = get(&app, "/api/generations").await;
    let row = &list["data"][0];
    assert_eq!(
        (&row["prompt"], &row["status"], &row["kind"]),
        (&json!("a red kite"), &json!("completed"), &json!("image"))
    );
    let path = row["results"][0]["path"].as_str().unwrap();
    let file = app.client_with_key(None).get(path).await;
    assert_eq!(file.status, 200, "{path}");
    let id = row["id"].as_str().unwrap();
    assert_eq!(get(&app, &format!("/api/generations/{id}")).await, *row);
    assert!(get(&app, "/api/generations?kind=video").await["data"].as_array().unwrap().is_empty());
    assert!(get(&app, "/api/generations?status=failed").await["data"].as_array().unwrap().is_empty());

    let jobs = get(&app, &format!("/api/jobs?generation_id={id}")).await;
    let job = &jobs["data"][0];
    assert_eq!(
        (&job["kind"], &job["status"], &job["progress"]),
        (&json!("generate_image"), &json!("completed"), &json!(100))
    );
    let detail = get(&app, &format!("/api/jobs/{}", job["id"].as_str().unwrap())).await;
    assert_eq!((&detail["job"], &detail["attempts"][0]["outcome"]), (job, &json!("ok")));
    assert!(!detail.to_string().contains("a red kite"), "c6: a job carries no content");
    assert_eq!(draw(&app, "a blue kite").await.status, 200);
    let first = get(&app, "/api/jobs?limit=1").await;
    let next = get(&app, &format!("/api/jobs?cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert!(next["data"].as_array().unwrap().iter().all(|job| job["id"] != first["data"][0]["id"]));

    let queues = get(&app, "/api/queues").await;
    assert!(queues["data"].as_array().unwrap().iter().any(|queue| queue["name"] == "bulk_disable"));
    let workers = get(&app, "/api/workers").await;
    let worker = &workers["data"][0];
    assert_eq!(worker["pid"].as_u64(), Some(u64::from(std::process::id())));
    let since = workers["now_ms"].as_i64().unwrap() - worker["beat_at_ms"].as_i64().unwrap();
    assert!(since < 3_500 && worker["draining"] == false, "{worker}");
    app.stop().await;
}

#[tokio::test]
async fn a_job_that_failed_is_taken_up_again_and_its_request_with_it() {
    let app = start().await;
    app.sim.script(refusal());
    let refused = draw(&app, "a red kite").await;
    assert!(refused.status.is_client_error() || refused.status.is_server_error(), "{}", refused.text);
    let failed = get(&app, "/api/jobs?status=failed").await;
    let job = &failed["data"][0];
    let (id, request) = (job["id"].as_str().unwrap(), job["generation_id"].as_str().unwrap());
    assert!(job["error"]["code"].is_string());
    until(&app, request, "failed").await;
    let again = post(&app, &format!("/api/jobs/{id}/retry"), &json!({"resubmit": true})).await;
    assert_eq!(again.status, 200, "{}", again.text);
    let told = again.json();
    assert_eq!((&told["crashes"], &told["tries"], &told["error"]), (&json!(0), &json!(0), &Value::Null));
    assert!(told["epoch"].as_i64() > job["epoch"].as_i64());
    let done = until(&app, request, "completed").await;
    assert!(done["error"].is_null() && !done["results"].as_array().unwrap().is_empty());
    let over = post(&app, &format!("/api/jobs/{id}/retry"), &json!({})).await;
    over.expect_error(409, "not_retriable");
    assert_eq!(get(&app, "/api/audit?action=job.retry").await["data"][0]["target"], id);
    app.stop().await;
}

#[tokio::test]
async fn i3_a_call_whose_outcome_nobody_knows_is_not_made_again_in_silence() {
    let app = start().await;
    // It began to answer, and broke off: whether it counted is not known.
    app.sim.script(Script::body("{\"result\":{\"response\":{\"token\":\"x\"}}}\n").then_cut());
    draw(&app, "a red kite").await;
    let failed = get(&app, "/api/jobs?status=failed&kind=generate_image").await;
    let job = &failed["data"][0];
    let path = format!("/api/jobs/{}/retry", job["id"].as_str().unwrap());
    assert_eq!((&job["step"], &job["error"]["code"]), (&json!("submitted"), &json!("upstream_interrupted")));
    post(&app, &path, &json!({})).await.expect_error(409, "outcome_unknown");
    assert_eq!(post(&app, &path, &json!({"resubmit": true})).await.status, 200);
    until(&app, job["generation_id"].as_str().unwrap(), "completed").await;
    app.stop().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_told_by_its_name() {
    let app = start().await;
    for (path, param) in [
        ("/api/jobs?kind=dance", "kind"),
        ("/api/jobs?status=idle", "status"),
        ("/api/jobs?limit=201", "limit"),
        ("/api/jobs?cursor=x", "cursor"),
        ("/api/generations?kind=song", "kind"),
        ("/api/generations?status=idle", "status"),
        ("/api/generations?owner=%00", "owner"),
    ] {
        let answer = operator(&app).get(path).await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"]["param"].as_str()), (400, Some(param)), "{path}");
    }
    for path in ["/api/jobs/x", "/api/generations/x", "/api/generations/%00"] {
        operator(&app).get(path).await.expect_error(404, "not_found");
    }
    post(&app, "/api/jobs/x/retry", &json!({})).await.expect_error(404, "not_found");
    app.stop().await;
}
