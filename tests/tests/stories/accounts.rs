//! The pool as an operator sees it: found, counted, changed, tested and taken away.

use std::time::Duration;

use grok2api_config::Tier;
use grok2api_tests::fleet::wait_for;
use grok2api_tests::{Answer, Client, TestApp};
use reqwest::Method;
use serde_json::{Value, json};

const TOKEN: &str = "the-operators-token-1";
const LONG: Duration = Duration::from_secs(40);

async fn start(accounts: &[&str]) -> TestApp {
    let builder = TestApp::with(accounts).account("sue", Tier::Super);
    let builder = builder.setting("schedules.token_test", "off").setting("schedules.quota_reset", "off");
    builder.startup(|startup| startup.server.admin_token = Some(TOKEN.into())).start().await
}

fn operator(app: &TestApp) -> Client {
    app.client_with_key(Some(TOKEN))
}

async fn send(app: &TestApp, method: Method, path: &str, body: &Value) -> Answer {
    let operator = operator(app);
    let request = operator.request(method.clone(), path);
    operator.send(if method == Method::GET { request } else { request.json(body) }).await
}

async fn get(app: &TestApp, path: &str) -> Value {
    let answer = send(app, Method::GET, path, &Value::Null).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.json()
}

async fn post(app: &TestApp, path: &str, body: &Value) -> Value {
    let answer = send(app, Method::POST, path, body).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.json()
}

/// The last characters of the accounts of a list, in its order, by which the tests know them.
async fn found(app: &TestApp, query: &str) -> Vec<String> {
    let list = get(app, &format!("/api/accounts?{query}")).await;
    let names: Vec<_> =
        list["data"].as_array().unwrap().iter().map(|row| row["note"].as_str().unwrap().to_owned()).collect();
    assert!(list["total"].as_u64().unwrap() >= names.len() as u64);
    names
}

/// Notes by which accounts are told apart, in the order in which they came; their ids.
async fn name_all(app: &TestApp, names: &[&str]) -> Vec<String> {
    let list = get(app, "/api/accounts?order=asc").await;
    let rows = list["data"].as_array().unwrap();
    assert_eq!((rows.len(), &list["total"]), (names.len(), &json!(names.len())));
    let mut ids = Vec::new();
    for (row, name) in rows.iter().zip(names) {
        let path = format!("/api/accounts/{}", row["id"].as_str().unwrap());
        let changed = send(app, Method::PATCH, &path, &json!({"note": name})).await;
        assert_eq!((changed.status.as_u16(), &changed.json()["note"]), (200, &json!(name)), "{}", changed.text);
        ids.push(row["id"].as_str().unwrap().to_owned());
    }
    ids
}

#[tokio::test]
async fn accounts_are_found_by_what_is_known_of_them_page_by_page() {
    let app = start(&["ann", "bob", "cid"]).await;
    let ids = name_all(&app, &["ann", "bob", "cid", "50%_sue"]).await;
    let path = |n: usize| format!("/api/accounts/{}", ids[n]);
    let tags = json!({"tags": [" team ", "spare", "team"]});
    assert_eq!(send(&app, Method::PATCH, &path(1), &tags).await.json()["tags"], json!(["team", "spare"]));
    assert_eq!(found(&app, "order=asc").await, ["ann", "bob", "cid", "50%_sue"]);
    assert_eq!(found(&app, "").await, ["50%_sue", "cid", "bob", "ann"], "the latest first");
    assert_eq!(found(&app, "tag=team").await, ["bob"]);
    assert!(found(&app, "tag=tea").await.is_empty(), "a label is a whole one");
    assert_eq!(found(&app, "search=SPAR").await, ["bob"]);
    assert_eq!(found(&app, "search=%25_").await, ["50%_sue"], "h8: no pattern");
    assert_eq!(found(&app, &format!("search={}", ids[2])).await, ["cid"]);
    assert_eq!(found(&app, "token_type=ssoSuper").await, ["50%_sue"]);
    assert_eq!(found(&app, "standing=unused").await.len(), 4);
    assert!(found(&app, "standing=limited").await.is_empty());

    // One of the basic accounts serves twice; pages go on where they ended in every order.
    for _ in 0..2 {
        let chat = app.client().chat("grok-4-fast", "hello").await;
        assert_eq!(chat.status, 200);
    }
    let used = wait_for("the uses on record", LONG, async || {
        let list = get(&app, "/api/accounts?sort=use_count").await;
        let uses: i64 = list["data"].as_array().unwrap().iter().map(|row| row["use_count"].as_i64().unwrap()).sum();
        Ok((uses == 2).then_some(list))
    });
    let used = used.await.unwrap();
    let wanted: Vec<_> = used["data"].as_array().unwrap().iter().map(|row| row["id"].clone()).collect();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = get(&app, &format!("/api/accounts?sort=use_count&limit=1{cursor}")).await;
        seen.extend(page["data"].as_array().unwrap().iter().map(|row| row["id"].clone()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, wanted);
    assert!(!found(&app, "standing=active").await.is_empty(), "something is known of it now");
    let summary = get(&app, "/api/accounts/summary").await;
    assert_eq!((&summary["total"], &summary["sso"], &summary["sso_super"]), (&json!(4), &json!(3), &json!(1)));
    app.stop().await;
}

#[tokio::test]
async fn c4_no_answer_shows_a_credential() {
    let app = start(&["canary-token-ann"]).await;
    let list = get(&app, "/api/accounts").await.to_string();
    assert!(!list.contains("canary-token") && !list.contains("v1:"), "{list}");
    app.stop().await;
}

#[tokio::test]
async fn an_account_that_is_switched_off_serves_nobody_until_it_is_switched_on() {
    let app = TestApp::with(&["ann"])
        .setting("pool.wait_ms", 0)
        .startup(|startup| startup.server.admin_token = Some(TOKEN.into()))
        .start()
        .await;
    let id = name_all(&app, &["ann"]).await.remove(0);
    let path = format!("/api/accounts/{id}");
    let off = send(&app, Method::PATCH, &path, &json!({"disabled": true})).await;
    assert_eq!((&off.json()["status"], &off.json()["standing"]), (&json!("disabled"), &json!("invalid")));
    app.client().chat("grok-4-fast", "hello").await.expect_error(503, "no_available_account");
    let on = send(&app, Method::PATCH, &path, &json!({"disabled": false})).await;
    assert_eq!(on.json()["status"], "active");
    assert_eq!(app.client().chat("grok-4-fast", "hello").await.status, 200);
    let audit = get(&app, "/api/audit?action=account.update").await;
    assert_eq!(audit["data"][0]["detail"], json!({"disabled": false}));
    app.stop().await;
}

#[tokio::test]
async fn an_account_is_tested_and_taken_away() {
    let app = start(&["ann"]).await;
    let ids = name_all(&app, &["ann", "sue"]).await;
    let path = format!("/api/accounts/{}", ids[0]);
    let test = post(&app, &format!("{path}/test"), &json!({})).await;
    assert_eq!((&test["outcome"], &test["account"]["standing"]), (&json!("valid"), &json!("active")));
    assert!(test["account"]["tested_at_ms"].is_i64() && test["account"]["budgets"][0]["remaining"].is_i64());
    let gone = send(&app, Method::DELETE, &path, &Value::Null).await;
    assert_eq!((gone.status.as_u16(), &gone.json()["deleted"]), (200, &json!(true)));
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::PATCH, path.clone()),
        (Method::POST, format!("{path}/test")),
        (Method::GET, "/api/accounts/x".to_owned()),
    ] {
        let answer = send(&app, method.clone(), &path, &json!({"note": "x"})).await;
        answer.expect_error(404, "not_found");
    }
    assert_eq!(found(&app, "").await, ["sue"]);
    app.stop().await;
}

#[tokio::test]
async fn many_accounts_are_switched_by_the_filter_of_the_list() {
    let app = start(&["ann", "bob", "cid"]).await;
    let ids = name_all(&app, &["ann", "bob", "cid", "sue"]).await;
    let done = async |bulk: Value| {
        let path = format!("/api/bulk/{}", bulk["id"].as_str().unwrap());
        let over = wait_for("the end", LONG, async || {
            let now = get(&app, &path).await;
            Ok((now["status"] == "completed").then_some(now))
        });
        over.await.unwrap()
    };
    let filter = json!({"filter": {"search": "b", "token_type": "sso"}});
    let off = done(post(&app, "/api/bulk/disable", &filter).await).await;
    assert_eq!((&off["total"], &off["done"], &off["kind"]), (&json!(1), &json!(1), &json!("bulk_disable")));
    assert_eq!(found(&app, "status=disabled").await, ["bob"]);
    let off = done(post(&app, "/api/bulk/disable", &json!({"ids": [ids[0], ids[3]]})).await).await;
    assert_eq!(off["failed"], 0);
    assert_eq!(found(&app, "standing=invalid&order=asc").await, ["ann", "bob", "sue"]);
    done(post(&app, "/api/bulk/enable", &json!({"filter": {"standing": "invalid"}})).await).await;
    assert!(found(&app, "status=disabled").await.is_empty());
    let list = get(&app, "/api/bulk?limit=2").await;
    assert_eq!(list["data"][0]["kind"], "bulk_enable");
    let older = get(&app, &format!("/api/bulk?cursor={}", list["next_cursor"].as_str().unwrap())).await;
    assert_eq!(older["data"].as_array().unwrap().len(), 1);
    app.stop().await;
}

#[tokio::test]
async fn work_that_was_put_off_is_undone_by_cancelling_it() {
    let app = start(&["ann", "bob"]).await;
    let bulk = post(&app, "/api/bulk/delete", &json!({"filter": {}, "delay_secs": 600})).await;
    let id = bulk["id"].as_str().unwrap();
    assert_eq!(get(&app, "/api/bulk?open=true").await["data"][0]["status"], "queued");
    let cancelled = post(&app, &format!("/api/jobs/{id}/cancel"), &json!({})).await;
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(get(&app, &format!("/api/bulk/{id}")).await["status"], "cancelled");
    assert_eq!(get(&app, "/api/accounts/summary").await["total"], 3);
    app.stop().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_told_by_its_name() {
    let app = start(&[]).await;
    for (query, param) in [
        ("limit=0", "limit"),
        ("sort=name", "sort"),
        ("order=up", "order"),
        ("status=idle", "status"),
        ("standing=idle", "standing"),
        ("token_type=basic", "token_type"),
        ("cursor=7", "cursor"),
        ("search=%00", "search"),
    ] {
        let answer = send(&app, Method::GET, &format!("/api/accounts?{query}"), &Value::Null).await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"]["param"].as_str()), (400, Some(param)), "{query}");
    }
    for (path, body, param) in [
        ("/api/bulk/disable", json!({"filter": {"standing": "idle"}}), "filter.standing"),
        ("/api/bulk/delete", json!({"filter": {}, "delay_secs": 601}), "delay_secs"),
        ("/api/bulk/enable", json!({"filter": {"colour": "red"}}), "filter.colour"),
    ] {
        let answer = send(&app, Method::POST, path, &body).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text);
        let told = answer.json()["error"]["param"].as_str().unwrap_or_default().to_owned();
        assert!(told == param || told == "filter", "{path}: {}", answer.text);
    }
    app.stop().await;
}
