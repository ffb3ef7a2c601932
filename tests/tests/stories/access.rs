//! Administrators: logging in, sessions, what a page may do, how often one may guess, and who did what.

use grok2api_api::access::setup;
use grok2api_config::{StartUp, Vault};
use grok2api_entity::{admin_session, connect};
use grok2api_tests::{Answer, Client, TestApp, TestAppBuilder};
use reqwest::{Method, RequestBuilder};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{DatabaseConnection, EntityTrait};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

const PASSWORD: &str = "canary: a long password";
const TOKEN: &str = "the-operators-token-1";

fn with_admin(builder: TestAppBuilder) -> TestAppBuilder {
    let quiet = builder.setting("schedules.token_test", "off").setting("schedules.quota_reset", "off");
    quiet.startup(|startup| {
        startup.admin.password = Some(PASSWORD.into());
        startup.server.admin_token = Some(TOKEN.into());
    })
}

async fn start() -> TestApp {
    with_admin(TestApp::with(&["ann"])).start().await
}

async fn records(app: &TestApp) -> DatabaseConnection {
    connect::file(&app.folder.path().join("data/grok2api.db")).await.unwrap()
}

fn vault(app: &TestApp) -> Vault {
    let startup = StartUp { data_dir: app.folder.path().join("data"), ..StartUp::default() };
    Vault::load(&startup).unwrap().unwrap()
}

fn nobody(app: &TestApp) -> Client {
    app.client_with_key(None)
}

async fn post(client: &Client, path: &str, body: &Value) -> Answer {
    client.send(client.request(Method::POST, path).json(body)).await
}

async fn log_in(app: &TestApp, password: &str) -> Answer {
    post(&nobody(app), "/api/login", &json!({"username": "admin", "password": password})).await
}

/// A client with a session of its own.
async fn session(app: &TestApp) -> Client {
    let answer = log_in(app, PASSWORD).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    app.client_with_key(answer.json()["token"].as_str())
}

fn cookies(answer: &Answer) -> Vec<String> {
    answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

/// The value of a cookie that an answer sets.
fn cookie(answer: &Answer, name: &str) -> String {
    let all = cookies(answer);
    let found = all.iter().find_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('=')?.split(';').next());
    found.unwrap_or_else(|| panic!("no {name} in {all:?}")).to_owned()
}

#[tokio::test]
async fn a_script_of_the_old_gateway_logs_in_works_and_logs_out() {
    let app = start().await;
    let answer = log_in(&app, PASSWORD).await;
    let told = answer.json();
    assert_eq!((told["success"].clone(), told["message"].clone()), (json!(true), json!("登录成功")));
    let token = told["token"].as_str().unwrap().to_owned();
    assert!(
        token.len() == 43 && token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')),
        "{token}"
    );
    let client = app.client_with_key(Some(&token));
    assert_eq!(client.get("/api/schedules").await.status, 200);
    let me = client.get("/api/session").await.json();
    assert_eq!((me["username"].clone(), me["csrf_token"].clone()), (json!("admin"), Value::Null));

    let out = client.send(client.request(Method::POST, "/api/logout")).await;
    assert_eq!(out.json(), json!({"success": true, "message": "登出成功"}));
    client.get("/api/schedules").await.expect_error(401, "SESSION_INVALID");
    app.stop().await;
}

#[tokio::test]
async fn a5_a_wrong_password_and_an_unknown_name_are_told_alike() {
    let app = start().await;
    let wrong = json!({"success": false, "token": null, "message": "用户名或密码错误"});
    let answer = log_in(&app, "canary: another password").await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, wrong.clone()));
    let nobody = nobody(&app);
    let answer = post(&nobody, "/api/login", &json!({"username": "root", "password": PASSWORD})).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, wrong));
    assert!(cookies(&answer).is_empty());
    for bad in [json!({}), json!({"username": "admin"}), json!({"code": "x", "username": "admin", "password": "y"})] {
        post(&nobody, "/api/login", &bad).await.expect_error(400, "missing_required_parameter");
    }
    app.stop().await;
}

#[tokio::test]
async fn a10_only_sessions_and_the_admin_token_open_the_operators_paths() {
    let app = start().await;
    let paths = ["/api/schedules", "/api/session", "/api/sessions", "/api/audit"];
    for path in paths {
        nobody(&app).get(path).await.expect_error(401, "UNAUTHORIZED");
        app.client().get(path).await.expect_error(401, "SESSION_INVALID");
        app.client_with_key(Some(&"A".repeat(43))).get(path).await.expect_error(401, "SESSION_INVALID");
        app.client_with_key(Some(&"A".repeat(4000))).get(path).await.expect_error(401, "SESSION_INVALID");
    }
    let client = session(&app).await;
    // And they open nothing else.
    client.get("/v1/models").await.expect_error(401, "invalid_api_key");
    // The configured token stands for no person.
    let token = app.client_with_key(Some(TOKEN));
    assert_eq!(token.get("/api/schedules").await.status, 200);
    assert_eq!(token.get("/api/session").await.json()["username"], Value::Null);
    token.get("/api/sessions").await.expect_error(403, "SESSION_REQUIRED");
    let change = json!({"current_password": PASSWORD, "new_password": "canary: quite another"});
    post(&token, "/api/password", &change).await.expect_error(403, "SESSION_REQUIRED");
    app.stop().await;
}

#[tokio::test]
async fn a7_a_session_that_was_not_used_for_half_an_hour_has_expired() {
    let app = start().await;
    let client = session(&app).await;
    let db = records(&app).await;
    let seen = Expr::col(admin_session::Column::SeenAt).sub(30 * 60_000);
    admin_session::Entity::update_many().col_expr(admin_session::Column::SeenAt, seen).exec(&db).await.unwrap();
    client.get("/api/schedules").await.expect_error(401, "SESSION_EXPIRED");
    app.stop().await;
}

/// A browser with a session: its requests carry the cookie, and what else a page of `origin` would send.
struct Browser {
    client: Client,
    host: String,
    cookies: String,
    csrf: String,
}

impl Browser {
    async fn open(app: &TestApp) -> Self {
        let client = nobody(app);
        let body = json!({"username": "admin", "password": PASSWORD, "cookie": true});
        let answer = post(&client, "/api/login", &body).await;
        let told = answer.json();
        assert_eq!((told["success"].clone(), told["token"].clone()), (json!(true), Value::Null));
        for cookie in cookies(&answer) {
            assert!(cookie.contains("; Path=/; ") && cookie.ends_with("; HttpOnly; SameSite=Strict"), "{cookie}");
        }
        let cookies =
            ["grok2api-session", "grok2api-device"].map(|name| format!("{name}={}", cookie(&answer, name))).join("; ");
        let host = app.url.strip_prefix("http://").unwrap().to_owned();
        Self { client, host, cookies, csrf: told["csrf_token"].as_str().unwrap().to_owned() }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, path).header("cookie", &self.cookies)
    }

    async fn pause(&self, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.request(Method::POST, "/api/schedules/sweep_media/pause");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.client.send(request).await
    }
}

#[tokio::test]
async fn b6_with_a_cookie_only_a_page_of_ours_changes_anything() {
    let app = start().await;
    let browser = Browser::open(&app).await;
    let me = browser.client.send(browser.request(Method::GET, "/api/session")).await.json();
    assert_eq!(me["csrf_token"].as_str(), Some(browser.csrf.as_str()), "a page finds it again when it is loaded again");
    let own = format!("http://{}", browser.host);
    let csrf = browser.csrf.as_str();
    for foreign in [
        &[("x-csrf-token", csrf)][..],
        &[("x-csrf-token", csrf), ("origin", "https://evil.example")],
        &[("x-csrf-token", csrf), ("origin", "null")],
        &[("x-csrf-token", csrf), ("origin", &own), ("sec-fetch-site", "cross-site")],
        &[("x-csrf-token", csrf), ("origin", &own), ("sec-fetch-site", "same-site")],
    ] {
        browser.pause(foreign).await.expect_error(403, "CROSS_SITE");
    }
    let fetch = ("sec-fetch-site", "same-origin");
    browser.pause(&[("origin", &own), fetch]).await.expect_error(403, "CSRF_TOKEN_REQUIRED");
    let wrong = "0".repeat(64);
    browser.pause(&[("origin", &own), fetch, ("x-csrf-token", &wrong)]).await.expect_error(403, "CSRF_TOKEN_REQUIRED");
    let answer = browser.pause(&[("origin", &own), fetch, ("x-csrf-token", csrf)]).await;
    assert_eq!(answer.json()["paused"], true, "{}", answer.text);
    app.stop().await;
}

#[tokio::test]
async fn a9_behind_https_the_cookie_is_for_this_host_alone() {
    let app = with_admin(TestApp::with(&["ann"])).setting("global.base_url", "https://gw.example").start().await;
    let body = json!({"username": "admin", "password": PASSWORD, "cookie": true});
    let client = nobody(&app);
    let answer = post(&client, "/api/login", &body).await;
    for cookie in cookies(&answer) {
        assert!(cookie.starts_with("__Host-grok2api-") && cookie.ends_with("; Secure"), "{cookie}");
    }
    let session = cookie(&answer, "__Host-grok2api-session");
    let with = |name: &str| client.request(Method::GET, "/api/session").header("cookie", format!("{name}={session}"));
    assert_eq!(client.send(with("__Host-grok2api-session")).await.status, 200);
    client.send(with("grok2api-session")).await.expect_error(401, "UNAUTHORIZED");
    // The public name is ours too.
    let request =
        client.request(Method::POST, "/api/logout").header("cookie", format!("__Host-grok2api-session={session}"));
    let csrf = answer.json()["csrf_token"].as_str().unwrap().to_owned();
    let answer = client.send(request.header("origin", "https://gw.example").header("x-csrf-token", csrf)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(cookies(&answer)[0].starts_with("__Host-grok2api-session=; Path=/; Max-Age=0;"));
    app.stop().await;
}

#[tokio::test]
async fn a3_a_password_that_was_made_for_somebody_must_be_changed_first() {
    let app = start().await;
    let old = session(&app).await;
    let made = setup::reset_password(&records(&app).await, None, None).await.unwrap();
    old.get("/api/schedules").await.expect_error(401, "SESSION_INVALID");
    assert_eq!(log_in(&app, PASSWORD).await.json()["success"], false);

    let answer = log_in(&app, made.password.expose_secret()).await.json();
    assert_eq!(answer["must_change_password"], true);
    let client = app.client_with_key(answer["token"].as_str());
    client.get("/api/schedules").await.expect_error(403, "PASSWORD_CHANGE_REQUIRED");
    assert_eq!(client.get("/api/session").await.json()["must_change_password"], true);
    let change = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    let random = made.password.expose_secret();
    for unfit in ["short", "aaaaaaaaaaaaaa", "admin-admin1"] {
        post(&client, "/api/password", &change(random, unfit)).await.expect_error(400, "PASSWORD_UNFIT");
    }
    post(&client, "/api/password", &change("wrong", "canary: quite another")).await.expect_error(400, "WRONG_PASSWORD");
    let changed = post(&client, "/api/password", &change(random, "canary: quite another")).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    // The session began anew.
    client.get("/api/session").await.expect_error(401, "SESSION_INVALID");
    let client = app.client_with_key(changed.json()["token"].as_str());
    assert_eq!(client.get("/api/schedules").await.status, 200);
    app.stop().await;
}

#[tokio::test]
async fn a6_guessing_gets_few_answers_and_who_was_here_before_gets_in() {
    let app = start().await;
    let browser = Browser::open(&app).await;
    let mut answers = Vec::new();
    for round in 0..20 {
        answers.push(log_in(&app, &format!("guess number {round}")).await);
    }
    let told = answers.iter().filter(|answer| answer.status == 200).count();
    assert!((3..=4).contains(&told), "one address has three attempts at once, and another after a while: {told}");
    let refused = answers.last().unwrap();
    refused.expect_error(429, "LOGIN_LIMITED");
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    // Nor does the right password get in from there.
    log_in(&app, PASSWORD).await.expect_error(429, "LOGIN_LIMITED");

    let body = json!({"username": "admin", "password": PASSWORD});
    for _ in 0..10 {
        let known = browser.request(Method::POST, "/api/login").json(&body);
        let answer = browser.client.send(known).await;
        assert_eq!((answer.status.as_u16(), answer.json()["success"].clone()), (200, json!(true)), "{}", answer.text);
    }
    // The mark is good for its name alone.
    let other = browser.request(Method::POST, "/api/login").json(&json!({"username": "root", "password": PASSWORD}));
    browser.client.send(other).await.expect_error(429, "LOGIN_LIMITED");
    app.stop().await;
}

#[tokio::test]
async fn a12_a_code_made_at_the_machine_logs_in_once_while_others_guess() {
    let app = start().await;
    for round in 0..5 {
        log_in(&app, &format!("guess number {round}")).await;
    }
    let (db, vault) = (records(&app).await, vault(&app));
    let (name, code) = setup::login_code(&db, &vault, None).await.unwrap();
    assert_eq!(name, "admin");
    let body = json!({"code": code.expose_secret()});
    // It is no session.
    app.client_with_key(Some(code.expose_secret())).get("/api/session").await.expect_error(401, "SESSION_INVALID");
    let answer = post(&nobody(&app), "/api/login", &body).await;
    assert_eq!(app.client_with_key(answer.json()["token"].as_str()).get("/api/schedules").await.status, 200);
    post(&nobody(&app), "/api/login", &body).await.expect_error(401, "LOGIN_CODE_INVALID");

    let (_, late) = setup::login_code(&db, &vault, Some("admin")).await.unwrap();
    let past = Expr::col(admin_session::Column::RedeemBy).sub(setup::CODE_MS);
    admin_session::Entity::update_many().col_expr(admin_session::Column::RedeemBy, past).exec(&db).await.unwrap();
    let body = json!({"code": late.expose_secret()});
    post(&nobody(&app), "/api/login", &body).await.expect_error(401, "LOGIN_CODE_INVALID");
    let unknown = setup::login_code(&db, &vault, Some("root")).await.unwrap_err();
    assert_eq!(unknown.to_string(), "there is no administrator root");
    app.stop().await;
}

#[tokio::test]
async fn a8_the_password_is_given_again() {
    let app = start().await;
    let client = session(&app).await;
    let db = records(&app).await;
    let past = Expr::col(admin_session::Column::ConfirmedAt).sub(6 * 60_000);
    admin_session::Entity::update_many().col_expr(admin_session::Column::ConfirmedAt, past).exec(&db).await.unwrap();
    assert_eq!(client.get("/api/session").await.json()["confirmed_until_ms"], Value::Null);
    let wrong = json!({"password": "canary: another password"});
    post(&client, "/api/session/confirm", &wrong).await.expect_error(400, "WRONG_PASSWORD");
    let confirmed = post(&client, "/api/session/confirm", &json!({ "password": PASSWORD })).await.json();
    assert!(confirmed["confirmed_until_ms"].is_i64(), "{confirmed}");
    assert_eq!(client.get("/api/session").await.json()["confirmed_until_ms"], confirmed["confirmed_until_ms"]);
    app.stop().await;
}

#[tokio::test]
async fn a7_sessions_are_listed_and_ended() {
    let app = start().await;
    let (one, other, third) = (session(&app).await, session(&app).await, session(&app).await);
    let listed = one.get("/api/sessions").await.json();
    let all = listed["data"].as_array().unwrap();
    let current: Vec<bool> = all.iter().map(|session| session["current"].as_bool().unwrap()).collect();
    assert_eq!((all.len(), current.iter().filter(|current| **current).count()), (3, 1));
    assert!(all.iter().all(|session| session["ip"] == "127.0.0.1"), "{listed}");
    let theirs = other.get("/api/session").await.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/sessions/{theirs}");
    assert_eq!(one.send(one.request(Method::DELETE, &path)).await.json(), json!({"ended": 1}));
    other.get("/api/session").await.expect_error(401, "SESSION_INVALID");
    one.send(one.request(Method::DELETE, &path)).await.expect_error(404, "not_found");
    assert_eq!(one.send(one.request(Method::DELETE, "/api/sessions")).await.json(), json!({"ended": 1}));
    third.get("/api/session").await.expect_error(401, "SESSION_INVALID");
    assert_eq!(one.get("/api/session").await.status, 200);
    app.stop().await;
}

#[tokio::test]
async fn a11_who_changed_what_is_on_record_without_secrets() {
    let app = start().await;
    log_in(&app, "canary: another password").await;
    let client = session(&app).await;
    client.send(client.request(Method::POST, "/api/schedules/sweep_media/pause")).await;
    client.send(client.request(Method::POST, "/api/schedules/sweep_media/pause")).await;
    app.set("chat.max_choices", 3).await;
    app.set("grok.cf_clearance", "canary-clearance").await;
    let bulk = post(&client, "/api/bulk/tag", &json!({"filter": {}, "add": ["x"]})).await.json();
    let list = client.get("/api/audit").await.json();
    let rows = list["data"].as_array().unwrap();
    let told: Vec<(&str, &str)> =
        rows.iter().map(|row| (row["action"].as_str().unwrap(), row["actor"].as_str().unwrap())).collect();
    let wanted = [
        ("bulk.tag", "admin:admin"),
        ("settings.update", "cli"),
        ("settings.update", "cli"),
        ("schedule.pause", "admin:admin"),
        ("login", "admin:admin"),
        ("login.failed", "nobody"),
    ];
    assert_eq!(told[..6], wanted, "what changed nothing is not on record");
    assert_eq!(rows[0]["target"], bulk["id"]);
    assert_eq!(rows[1]["detail"], json!({"grok.cf_clearance": {"secret": true}}));
    assert_eq!(rows[2]["detail"]["chat.max_choices"]["after"], 3);
    assert_eq!(rows[3]["ip"], "127.0.0.1");
    assert!(!list.to_string().contains("canary"), "{list}");

    let page = client.get("/api/audit?limit=2").await.json();
    assert_eq!((page["data"].as_array().unwrap().len(), page["has_more"].clone()), (2, json!(true)));
    let next =
        client.get(&format!("/api/audit?limit=2&before={}", page["data"][1]["id"].as_str().unwrap())).await.json();
    assert_eq!(next["data"][0], rows[2]);
    let logins = client.get("/api/audit?action=login.&actor=nobody").await.json();
    assert_eq!(logins["data"].as_array().unwrap().len(), 1);
    for bad in ["limit=0", "limit=201", "before=x", "action=Login%25"] {
        client.get(&format!("/api/audit?{bad}")).await.expect_error(400, "invalid_value");
    }
    app.stop().await;
}

#[tokio::test]
async fn a3_of_several_that_start_at_once_one_makes_the_first_administrator() {
    let app = TestApp::with(&["ann"]).start().await;
    let db = records(&app).await;
    let made = futures_util::future::join_all((0..4).map(|_| setup::ensure_first(&db, "admin", None))).await;
    let made: Vec<_> = made.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(made.len(), 1);
    let random = made[0].password.expose_secret();
    assert!(random.len() == 31 && random.split('-').count() == 6, "130 bits that can be read out");
    assert!(log_in(&app, random).await.json()["success"].as_bool().unwrap());
    let weak = SecretString::from("admin");
    assert!(setup::ensure_first(&db, "admin", Some(&weak)).await.unwrap().is_none(), "there is one already");
    let unfit = setup::reset_password(&db, None, Some(weak)).await.unwrap_err();
    assert_eq!(unfit.to_string(), "the password has fewer than 12 characters");
    app.stop().await;
}
