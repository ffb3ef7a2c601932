//! Work on many accounts at once: accepted, carried out piece by piece, resumed, cancelled, and what failed of it.

use std::path::PathBuf;
use std::time::Duration;

use grok2api_entity::{account, bulk_item, connect};
use grok2api_tests::fleet::wait_for;
use grok2api_tests::{Client, TestApp, TestAppBuilder};
use reqwest::Method;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use uuid::Uuid;

const TOKEN: &str = "the-operators-token-1";
const LONG: Duration = Duration::from_secs(40);

fn quiet(builder: TestAppBuilder) -> TestAppBuilder {
    builder.setting("schedules.token_test", "off").setting("schedules.quota_reset", "off")
}

async fn start(accounts: &[&str]) -> TestApp {
    quiet(TestApp::with(accounts)).startup(|startup| startup.server.admin_token = Some(TOKEN.into())).start().await
}

async fn records(app: &TestApp) -> DatabaseConnection {
    connect::file(&app.folder.path().join("data/grok2api.db")).await.unwrap()
}

fn admin(app: &TestApp) -> Client {
    app.client_with_key(Some(TOKEN))
}

async fn post(app: &TestApp, path: &str, body: &Value) -> Value {
    let answer = admin(app).send(admin(app).request(Method::POST, path).json(body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn shown(app: &TestApp, bulk: &Value) -> Value {
    let answer = admin(app).get(&format!("/api/bulk/{}", bulk["id"].as_str().unwrap())).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// Waits until the work is as `wanted`; its kind of state, done and failed.
async fn until(app: &TestApp, bulk: &Value, status: &str) -> (i64, i64, i64) {
    let wanted = async || {
        let now = shown(app, bulk).await;
        Ok((now["status"] == status).then_some(now))
    };
    let now = wait_for(status, LONG, wanted).await.unwrap();
    let number = |name: &str| now[name].as_i64().unwrap();
    (number("total"), number("done"), number("failed"))
}

async fn ids(db: &DatabaseConnection) -> Vec<Uuid> {
    let all = account::Entity::find().order_by_asc(account::Column::Id).all(db).await.unwrap();
    all.iter().map(|row| row.id).collect()
}

#[tokio::test]
async fn c4_imported_tokens_are_sealed_at_once_and_forgotten_when_they_are_in() {
    let app = start(&["ann"]).await;
    let db = records(&app).await;
    let tokens = ["canary-token-of-bob", "ann", "canary-token-of-sue", "canary-token-of-bob"];
    let wanted = json!({"tokens": tokens, "token_type": "ssoSuper", "tags": ["new"], "note": "from a list"});
    let bulk = post(&app, "/api/bulk/import", &wanted).await;
    assert_eq!((&bulk["kind"], &bulk["total"]), (&"bulk_import".into(), &4.into()));
    assert_eq!(until(&app, &bulk, "completed").await, (4, 4, 0));
    assert_eq!(ids(&db).await.len(), 3, "who is in the pool already stays as it is");
    let added =
        account::Entity::find().filter(account::Column::Kind.eq(account::Kind::SsoSuper)).all(&db).await.unwrap();
    assert!(added.len() == 2 && added.iter().all(|row| row.tags == r#"["new"]"# && row.note == "from a list"));
    let kept = bulk_item::Entity::find().filter(bulk_item::Column::Secret.is_not_null()).count(&db).await.unwrap();
    assert_eq!(kept, 0);
    for file in ["data/grok2api.db", "data/grok2api.db-wal"] {
        let bytes = std::fs::read(app.folder.path().join(file)).unwrap_or_default();
        assert!(!bytes.windows(12).any(|piece| piece == b"canary-token"), "{file}");
    }
    let state = app.gateway.pool().state();
    wait_for("the pool", LONG, async || Ok((state.census().total() == 3).then_some(()))).await.unwrap();
    app.stop().await;
}

#[tokio::test]
async fn labels_change_and_accounts_go_by_filter_or_by_name() {
    let app = start(&["ann", "bob", "sue"]).await;
    let db = records(&app).await;
    let all = ids(&db).await;
    let bulk = post(&app, "/api/bulk/tag", &json!({"filter": {}, "add": ["a", "b"]})).await;
    assert_eq!(until(&app, &bulk, "completed").await, (3, 3, 0));
    let bulk = post(&app, "/api/bulk/tag", &json!({"ids": [all[1]], "add": ["c"], "remove": ["a"]})).await;
    until(&app, &bulk, "completed").await;
    let tags: Vec<String> = account::Entity::find()
        .order_by_asc(account::Column::Id)
        .all(&db)
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.tags)
        .collect();
    assert_eq!(tags, [r#"["a","b"]"#, r#"["b","c"]"#, r#"["a","b"]"#]);

    let nobody = Uuid::now_v7();
    let bulk = post(&app, "/api/bulk/delete", &json!({"ids": [all[0], nobody, all[2]]})).await;
    assert_eq!(until(&app, &bulk, "completed").await, (3, 3, 1));
    assert_eq!(ids(&db).await, [all[1]]);
    let report = format!("/api/bulk/{}/failures", bulk["id"].as_str().unwrap());
    let lines = admin(&app).get(&report).await;
    let failure: Value = serde_json::from_str(lines.text.trim()).unwrap();
    assert_eq!((&failure["number"], &failure["account_id"]), (&2.into(), &json!(nobody)));
    let table = admin(&app).get(&format!("{report}?format=csv")).await;
    assert_eq!(table.text, format!("number,account_id,error\n2,{nobody},\"There is no such account.\"\n"));
    let state = app.gateway.pool().state();
    wait_for("the pool", LONG, async || Ok((state.census().total() == 1).then_some(()))).await.unwrap();

    let bulk = post(&app, "/api/bulk/delete", &json!({"filter": {"status": "expired"}})).await;
    assert_eq!(until(&app, &bulk, "completed").await, (0, 0, 0));
    app.stop().await;
}

#[tokio::test]
async fn a_bulk_test_goes_on_where_it_was_after_a_restart() {
    let names: Vec<String> = (0..12).map(|number| format!("a{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let app = start(&names).await;
    app.sim.set_faults("a7", &["limits-silent"]);
    let bulk = post(&app, "/api/bulk/test", &json!({"filter": {}})).await;
    assert!(app.sim.wait_until(LONG, |sim| sim.account("a7").rate_limit_calls == 1).await);
    let now = shown(&app, &bulk).await;
    assert_eq!((&now["status"], &now["done"]), (&"running".into(), &5.into()));
    let folder = app.stop().await;

    let data: PathBuf = folder.path().join("data");
    let again = quiet(TestApp::with(&names)).startup(move |startup| {
        startup.data_dir = data;
        startup.server.admin_token = Some(TOKEN.into());
    });
    let again = again.start().await;
    assert_eq!(until(&again, &bulk, "completed").await, (12, 12, 0));
    let asked = |name: &str| again.sim.account(name).rate_limit_calls;
    assert_eq!(names[..5].iter().map(|name| asked(name)).sum::<u64>(), 0, "what was on record is not done again");
    assert!(names[7..].iter().all(|name| asked(name) == 1));
    again.stop().await;
}

#[tokio::test]
async fn a_bulk_test_tells_who_was_refused_and_can_be_cancelled() {
    let app = start(&["ann", "bob.fault-limits-401marker"]).await;
    let bulk = post(&app, "/api/bulk/test", &json!({"filter": {"status": "active"}})).await;
    assert_eq!(until(&app, &bulk, "completed").await, (2, 2, 1));
    let report = admin(&app).get(&format!("/api/bulk/{}/failures", bulk["id"].as_str().unwrap())).await;
    assert!(report.text.contains("The credential was refused.") && report.text.lines().count() == 1, "{}", report.text);

    app.sim.set_faults("ann", &["limits-silent"]);
    let asked = app.sim.account("ann").rate_limit_calls;
    let db = records(&app).await;
    let bulk = post(&app, "/api/bulk/test", &json!({"ids": [ids(&db).await[0]]})).await;
    assert!(app.sim.wait_until(LONG, |sim| sim.account("ann").rate_limit_calls > asked).await);
    let path = format!("/api/jobs/{}/cancel", bulk["id"].as_str().unwrap());
    for _ in 0..2 {
        assert_eq!(post(&app, &path, &json!({})).await["status"], "cancelled");
    }
    assert_eq!(until(&app, &bulk, "cancelled").await, (1, 0, 0));
    app.stop().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anything_is_written() {
    let app = start(&["ann"]).await;
    let client = admin(&app);
    let refused = async |path: &str, body: Value| client.send(client.request(Method::POST, path).json(&body)).await;
    for (path, body) in [
        ("/api/bulk/delete", json!({})),
        ("/api/bulk/delete", json!({"ids": [], "filter": {}})),
        ("/api/bulk/delete", json!({"ids": ["1"]})),
        ("/api/bulk/test", json!({"filter": {"status": "tired"}})),
        ("/api/bulk/tag", json!({"filter": {}})),
        ("/api/bulk/import", json!({"tokens": ["two words"]})),
        ("/api/bulk/import", json!({"tokens": []})),
        ("/api/bulk/import", json!({"tokens": ["acct-0192d3f0-0000-7000-8000-000000000000-abcd"]})),
    ] {
        refused(path, body).await.expect_error(400, "invalid_value");
    }
    refused("/api/bulk/import", json!({"tokens": ["x"], "token_type": "basic"}))
        .await
        .expect_error(400, "INVALID_TYPE");
    let key = app.client();
    key.send(key.request(Method::POST, "/api/bulk/test").json(&json!({"filter": {}})))
        .await
        .expect_error(401, "SESSION_INVALID");
    for path in ["/api/bulk/0192d3f0-0000-7000-8000-000000000000", "/api/bulk/x", "/api/bulk/x/failures"] {
        client.get(path).await.expect_error(404, "not_found");
    }
    assert_eq!(bulk_item::Entity::find().count(&records(&app).await).await.unwrap(), 0);
    app.stop().await;
}
