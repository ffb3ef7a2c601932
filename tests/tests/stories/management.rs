//! The operator's calls as the old gateway had them: its sessions replayed, and what is safer here.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use grok2api_config::StartUp;
use grok2api_entity::{account, connect};
use grok2api_pool::Status;
use grok2api_tests::fleet::{Node, wait_for};
use grok2api_tests::{Answer, Client, TestApp, TestAppBuilder};
use reqwest::Method;
use sea_orm::{DatabaseConnection, EntityTrait, PaginatorTrait};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::images::GENERATIONS;

const TOKEN: &str = "the-operators-token-1";
const LONG: Duration = Duration::from_secs(40);

fn quiet(builder: TestAppBuilder) -> TestAppBuilder {
    let builder = builder.setting("schedules.token_test", "off").setting("schedules.quota_reset", "off");
    builder.startup(|startup| startup.server.admin_token = Some(TOKEN.into()))
}

fn admin(app: &TestApp) -> Client {
    app.client_with_key(Some(TOKEN))
}

async fn records(app: &TestApp) -> DatabaseConnection {
    connect::file(&app.folder.path().join("data/grok2api.db")).await.unwrap()
}

async fn send(client: &Client, path: &str, body: &Value) -> Answer {
    client.send(client.request(Method::POST, path).json(body)).await
}

async fn post(app: &TestApp, path: &str, body: &Value) -> Value {
    let answer = send(&admin(app), path, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn get(app: &TestApp, path: &str) -> Value {
    let answer = admin(app).get(path).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn add(app: &TestApp, tokens: &[&str], token_type: &str) -> Value {
    post(app, "/api/tokens/add", &json!({"tokens": tokens, "token_type": token_type})).await
}

async fn listed(app: &TestApp) -> Vec<Value> {
    get(app, "/api/tokens").await["data"].as_array().unwrap().clone()
}

/// The account's id in a handle.
fn id_of(handle: &Value) -> Uuid {
    handle.as_str().unwrap()["acct-".len()..][..36].parse().unwrap()
}

/// A session of the old gateway, and the handles that were seen in it.
struct Session<'a> {
    name: &'a str,
    handles: BTreeMap<String, String>,
}

impl Session<'_> {
    /// Names in requests are put in the place of handles.
    fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match text.strip_prefix("<handle ").and_then(|rest| rest.strip_suffix('>')) {
                Some(name) => self.handles[name].as_str().into(),
                None => value.clone(),
            },
            Value::Array(items) => items.iter().map(|item| self.filled(item)).collect(),
            Value::Object(members) => {
                let filled: Map<String, Value> =
                    members.iter().map(|(name, member)| (name.clone(), self.filled(member))).collect();
                filled.into()
            }
            other => other.clone(),
        }
    }

    /// Holds every member against what is expected; the order of members does not matter.
    fn compare(&mut self, place: &str, expected: &Value, found: &Value) {
        let name = self.name;
        match (expected, found) {
            (Value::Object(wanted), Value::Object(members)) => {
                let names = |of: &Map<String, Value>| of.keys().cloned().collect::<std::collections::BTreeSet<_>>();
                assert_eq!(names(members), names(wanted), "{name}: the members of {place}");
                for (key, wanted) in wanted {
                    self.compare(&format!("{place}.{key}"), wanted, &members[key]);
                }
            }
            (Value::Array(wanted), Value::Array(items)) => {
                assert_eq!(items.len(), wanted.len(), "{name}: the length of {place}: {found}");
                for (number, (wanted, item)) in wanted.iter().zip(items).enumerate() {
                    self.compare(&format!("{place}[{number}]"), wanted, item);
                }
            }
            (Value::String(text), found) if text.starts_with('<') => self.fits(place, text, found),
            (expected, found) => assert_eq!(found, expected, "{name}: {place}"),
        }
    }

    fn fits(&mut self, place: &str, placeholder: &str, found: &Value) {
        let name = self.name;
        match placeholder {
            "<ms>" => assert!(found.as_i64().is_some_and(|ms| ms > 1_761_189_611_000), "{name}: {place} is {found}"),
            "<text>" => assert!(found.as_str().is_some_and(|text| !text.is_empty()), "{name}: {place} is {found}"),
            handle => {
                let text = found.as_str().unwrap_or_default();
                let (id, end) =
                    text.strip_prefix("acct-").and_then(|rest| rest.split_at_checked(36)).unwrap_or_default();
                assert!(
                    id.parse::<Uuid>().is_ok() && end.len() == 5 && end.starts_with('-'),
                    "{name}: {place} is {text}"
                );
                let called = handle.trim_start_matches("<handle ").trim_end_matches('>').to_owned();
                let known = self.handles.entry(called).or_insert_with(|| text.to_owned());
                assert_eq!(known, text, "{name}: {place}");
            }
        }
    }

    async fn replay(&mut self, app: &TestApp, session: &Value) {
        let client = admin(app);
        for (number, step) in session["steps"].as_array().unwrap().iter().enumerate() {
            let asked = &step["request"];
            let (method, path) = (asked["method"].as_str().unwrap(), asked["path"].as_str().unwrap());
            let mut request = client.request(method.parse().unwrap(), path);
            if let Some(body) = asked.get("body") {
                request = request.json(&self.filled(body));
            }
            let answer = client.send(request).await;
            let place = format!("step {number}, {method} {path}");
            assert_eq!(u64::from(answer.status.as_u16()), step["status"], "{}: {place}: {}", self.name, answer.text);
            assert!(!answer.text.contains("canary"), "{}: {place} shows a secret: {}", self.name, answer.text);
            let mut expected = step["answer"].clone();
            if let (Some(members), Some(ours)) = (expected.as_object_mut(), step["ours"].as_object()) {
                members.extend(ours.clone());
            }
            self.compare(&place, &expected, &answer.json());
        }
    }
}

#[tokio::test]
async fn c4_sessions_of_the_old_gateway_are_answered_as_it_did_and_show_no_secret() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/seed-session");
    let mut replayed = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let session: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let app = quiet(TestApp::with(&[])).start().await;
        Session { name: &name, handles: BTreeMap::new() }.replay(&app, &session).await;
        app.stop().await;
        replayed += 1;
    }
    assert_eq!(replayed, 6);
}

#[tokio::test]
async fn k1_every_call_is_the_operators_alone() {
    let app = quiet(TestApp::with(&["ann"])).start().await;
    let mut tried = 0;
    let document = app.client_with_key(None).get("/openapi.json").await.json();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, described) in methods.as_object().unwrap() {
            if described["tags"] != json!(["Management"]) {
                continue;
            }
            tried += 1;
            for client in [app.client(), app.client_with_key(None), app.client_with_key(Some("the-operators-token-2"))]
            {
                let request = client.request(method.to_ascii_uppercase().parse().unwrap(), path);
                let answer = client.send(request.json(&json!({}))).await;
                assert_eq!(answer.status, 401, "{method} {path}: {}", answer.text);
            }
        }
    }
    assert!(tried >= 15, "{tried}");
    app.stop().await;
}

#[tokio::test]
async fn an_added_account_serves_at_once_and_a_deleted_one_no_more() {
    let app = quiet(TestApp::with(&[])).start().await;
    app.client().chat("grok-3-fast", "hi").await.expect_error(503, "no_available_account");
    add(&app, &["canary-token-of-ann1"], "sso").await;
    assert_eq!(app.client().chat("grok-3-fast", "hi").await.status, 200);
    let ann = listed(&app).await.remove(0);
    let gone = json!({"tokens": [ann["token"]], "token_type": "sso"});
    assert_eq!(post(&app, "/api/tokens/delete", &gone).await["deleted"], 1);
    app.client().chat("grok-3-fast", "hi").await.expect_error(503, "no_available_account");
    assert_eq!(post(&app, "/api/tokens/delete", &gone).await["deleted"], 0);
    app.stop().await;
}

#[tokio::test]
async fn adding_again_keeps_what_is_known_whoever_adds_how_often_and_under_which_key() {
    let app = quiet(TestApp::with(&[])).start().await;
    let tokens = ["canary-token-of-ann1", "sso=canary-token-of-ann1; Path=/", " canary-token-of-ann1 ", "two words"];
    let first = add(&app, &tokens, "sso").await;
    assert_eq!((&first["added"], &first["skipped"], &first["unusable"]), (&json!(1), &json!(3), &json!(1)));
    let ann = listed(&app).await.remove(0);
    let labels = json!({"token": ann["token"], "token_type": "sso", "tags": ["kept"]});
    post(&app, "/api/tokens/tags", &labels).await;
    let folder = app.stop().await;

    // The master key changes: the account has the fingerprint of the former one.
    let data = folder.path().join("data");
    let former = std::fs::read_to_string(data.join("secret.key")).unwrap();
    let again = TestApp::with(&[]).startup(move |startup: &mut StartUp| {
        startup.server.admin_token = Some(TOKEN.into());
        startup.data_dir = data;
        startup.secret_key = Some("bmV3LWtleS0wOTg3NjU0MzIxLXF1eC1iYXotYmFyIQ".into());
        startup.secret_keys_old = vec![former.trim().into()];
    });
    let again = again.start().await;
    assert_eq!(add(&again, &["canary-token-of-ann1"], "ssoSuper").await["added"], 0);
    let mut now = listed(&again).await;
    assert_eq!((now.len(), &now[0]["tags"], &now[0]["token"]), (1, &json!(["kept"]), &ann["token"]));
    now[0]["tags"] = json!([]);
    assert_eq!(now[0], ann);
    let gone = json!({"tokens": ["canary-token-of-ann1"], "token_type": "sso"});
    assert_eq!(post(&again, "/api/tokens/delete", &gone).await["deleted"], 1);
    again.stop().await;
}

#[tokio::test]
async fn ten_thousand_accounts_are_listed_whole_and_in_pieces() {
    const BASIC: usize = 9_000;
    let app = quiet(TestApp::with(&[])).start().await;
    let tokens = |kind: &str, count: usize| -> Vec<String> {
        (0..count).map(|number| format!("canary-{kind}-{number:05}-token")).collect()
    };
    for (kind, token_type, count) in [("super", "ssoSuper", 1_000), ("basic", "sso", BASIC)] {
        let added =
            post(&app, "/api/tokens/add", &json!({"tokens": tokens(kind, count), "token_type": token_type})).await;
        assert_eq!(added["added"], count);
    }
    let whole = get(&app, "/api/tokens").await;
    let all = whole["data"].as_array().unwrap().clone();
    assert_eq!((all.len(), &whole["total"]), (10_000, &json!(10_000)));
    assert!(!whole.to_string().contains("canary"));
    let kinds: Vec<&str> = all.iter().map(|account| account["token_type"].as_str().unwrap()).collect();
    assert!(kinds[..BASIC].iter().all(|kind| *kind == "sso") && kinds[BASIC..].iter().all(|kind| *kind == "ssoSuper"));
    let ids: Vec<Uuid> = all.iter().map(|account| id_of(&account["token"])).collect();
    assert!(ids[..BASIC].is_sorted() && ids[BASIC..].is_sorted(), "in the order in which they came");
    for (limit, offset) in [(10, 0), (5_000, 6_000), (20, BASIC - 10), (20, BASIC), (5, 9_998), (5, 10_000), (0, 3)] {
        let piece = get(&app, &format!("/api/tokens?limit={limit}&offset={offset}")).await;
        let wanted: Vec<Value> = all.iter().skip(offset).take(limit).cloned().collect();
        assert_eq!(piece["data"], Value::from(wanted), "{limit} after {offset}");
        assert_eq!(piece["total"], 10_000);
    }
    assert_eq!(admin(&app).get("/api/tokens?limit=few").await.status, 400);
    let gone: Vec<&Value> = all.iter().skip(3).map(|account| &account["token"]).collect();
    let deleted = post(&app, "/api/tokens/delete", &json!({"tokens": gone, "token_type": "sso"})).await;
    assert_eq!((&deleted["count"], &deleted["deleted"]), (&json!(9_997), &json!(8_997)), "Super ones stay");
    assert_eq!(account::Entity::find().count(&records(&app).await).await.unwrap(), 1_003);
    app.stop().await;
}

#[tokio::test]
async fn f41_a_test_condemns_at_once_and_a_good_one_takes_back() {
    const BOB: &str = "canary-bob.fault-limits-401marker";
    let app = quiet(TestApp::with(&[])).start().await;
    add(&app, &[BOB], "sso").await;
    let test = async || post(&app, "/api/tokens/test", &json!({"token": BOB, "token_type": "sso"})).await;
    let id = id_of(&listed(&app).await[0]["token"]);
    let status = || app.gateway.pool().state().status(id).unwrap();
    assert_eq!(test().await["data"]["error_type"], "expired");
    assert!(matches!(status(), Status::Expired { .. }), "an explicit question is enough: {:?}", status());
    assert_eq!(get(&app, "/api/stats").await["data"]["normal"]["expired"], 1);
    app.client().chat("grok-3-fast", "hi").await.expect_error(503, "no_available_account");

    app.sim.set_faults(BOB, &[]);
    assert_eq!(test().await["data"]["remaining_queries"], 80);
    assert_eq!(status(), Status::Active);
    assert_eq!(app.client().chat("grok-3-fast", "hi").await.status, 200);
    let db = records(&app).await;
    let row = account::find(&db, id).await.unwrap().unwrap();
    assert!(row.status == account::Status::Active && row.tested_at > 0, "{row:?}");

    // Trouble on the way says nothing about the account.
    app.sim.set_faults(BOB, &["limits-close"]);
    assert_eq!(test().await["data"]["error_type"], "blocked");
    assert_eq!((status(), listed(&app).await[0]["status"].as_str()), (Status::Active, Some("正常")));
    app.stop().await;
}

#[tokio::test]
async fn f42_a_limited_account_rests_in_the_running_pool_at_once() {
    let app = quiet(TestApp::with(&["cyd.fault-limits-429"])).start().await;
    let cyd = listed(&app).await.remove(0);
    assert_eq!(
        (&cyd["status"], &cyd["token"]),
        (&json!("未使用"), &json!(format!("acct-{}--429", id_of(&cyd["token"]))))
    );
    let found = post(&app, "/api/tokens/test", &json!({"token": cyd["token"], "token_type": "sso"})).await;
    assert_eq!(found["data"]["error_type"], "limited");
    app.client().chat("grok-4-fast", "hi").await.expect_error(429, "upstream_rate_limited");
    assert_eq!(app.client().chat("grok-3-fast", "hi").await.status, 200, "its other budgets are not affected");
    let now = wait_for("the use is on record", LONG, async || {
        let now = listed(&app).await.remove(0);
        Ok((now["remaining_queries"] == 79).then_some(now))
    });
    assert_eq!(now.await.unwrap()["status"], "正常");
    app.stop().await;
}

#[tokio::test]
async fn f55_settings_are_in_force_at_once_all_of_them_or_none() {
    let app = quiet(TestApp::with(&["ann"])).start().await;
    let before = app.settings.version();
    let form = get(&app, "/api/settings").await["data"].clone();
    let unchanged = json!({"global_config": form["global"], "grok_config": form["grok"]});
    post(&app, "/api/settings", &unchanged).await;
    assert_eq!(app.settings.version(), before, "a form that is sent back as it was changes nothing");

    let bad = json!({"global_config": {"log_level": "LOUD"}, "grok_config": {"show_thinking": false}});
    let refused = send(&admin(&app), "/api/settings", &bad).await.expect_error(400, "invalid_value");
    assert_eq!(refused["param"], "global_config.log_level");
    for body in [json!({"grok_config": {"temporary": null}}), json!({"grok_config": []}), json!("x")] {
        assert_eq!(send(&admin(&app), "/api/settings", &body).await.status, 400, "{body}");
    }
    assert_eq!((app.settings.version(), app.settings.handle().load().grok.show_thinking), (before, true));

    post(&app, "/api/settings", &json!({"grok_config": {"api_key": "canary-new-client-key", "show_thinking": false}}))
        .await;
    assert_eq!(app.settings.version(), before + 1);
    app.client().get("/v1/models").await.expect_error(401, "invalid_api_key");
    let client = app.client_with_key(Some("canary-new-client-key"));
    let said = client.chat("grok-4-fast", "why?").await.json();
    assert!(said["choices"][0]["message"].get("reasoning_content").is_none(), "{said}");
    let bytes = std::fs::read(app.folder.path().join("data/grok2api.db-wal")).unwrap();
    assert!(!bytes.windows(10).any(|piece| piece == b"canary-new"), "a secret lies open");
    app.stop().await;
}

#[tokio::test]
async fn the_cache_tells_true_numbers_and_what_was_cleared_can_be_had_again() {
    let app = quiet(TestApp::with(&["ann"])).start().await;
    let drawn = send(&app.client(), GENERATIONS, &json!({"prompt": "a red kite", "n": 2})).await;
    let data = drawn.json()["data"].as_array().unwrap().clone();
    let mut bytes = 0;
    for picture in &data {
        let path = picture["url"].as_str().unwrap().strip_prefix(&app.url).unwrap();
        bytes += app.client_with_key(None).get(path).await.headers["content-length"]
            .to_str()
            .unwrap()
            .parse::<u64>()
            .unwrap();
    }
    let size = get(&app, "/api/cache/size").await["data"].clone();
    assert_eq!((data.len(), &size["image_size_bytes"], &size["total_size_bytes"]), (2, &json!(bytes), &json!(bytes)));
    assert_eq!(post(&app, "/api/cache/clear/videos", &json!({})).await["data"]["deleted_count"], 0);
    let cleared = post(&app, "/api/cache/clear/images", &json!({})).await;
    assert_eq!(
        (&cleared["message"], &cleared["data"]),
        (&json!("成功清理图片缓存，删除 2 个文件"), &json!({"deleted_count": 2, "type": "images"}),)
    );
    assert_eq!(get(&app, "/api/cache/size").await["data"]["total_size"], "0.0 KB");
    let path = data[0]["url"].as_str().unwrap().strip_prefix(&app.url).unwrap();
    assert_eq!(app.client_with_key(None).get(path).await.status, 200, "it is fetched again");
    let cleared = post(&app, "/api/cache/clear", &json!({})).await;
    assert_eq!(cleared["data"], json!({"deleted_count": 1, "image_count": 1, "video_count": 0}));
    app.stop().await;
}

#[tokio::test]
async fn what_the_operator_changed_is_there_after_the_disk_vanished() {
    let node = Node::prepare().await.unwrap();
    node.done(&["key", "create"], "").unwrap();
    let mut server = node.serve().await.unwrap();
    let client = node.admin();
    let tell = async |path: &str, body: Value| {
        let answer = send(&client, path, &body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    };
    assert_eq!(client.get("/api/storage/mode").await.json()["data"]["mode"], "REDIS");
    let tokens = json!({"tokens": ["canary-token-of-ann1", "canary-token-of-bob1"], "token_type": "sso"});
    assert_eq!(tell("/api/tokens/add", tokens).await["added"], 2);
    let label = json!({"token": "canary-token-of-ann1", "token_type": "sso", "tags": ["kept"]});
    tell("/api/tokens/tags", label).await;
    tell("/api/tokens/delete", json!({"tokens": ["canary-token-of-bob1"], "token_type": "sso"})).await;
    tell("/api/settings", json!({"grok_config": {"stream_chunk_timeout": 44}})).await;
    server.kill().unwrap();
    node.wipe().unwrap();
    let _server = node.serve().await.unwrap();
    let list = client.get("/api/tokens").await.json();
    assert_eq!((&list["total"], &list["data"][0]["tags"]), (&json!(1), &json!(["kept"])));
    assert_eq!(client.get("/api/settings").await.json()["data"]["grok"]["stream_chunk_timeout"], 44);
}
