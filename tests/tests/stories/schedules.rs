//! What becomes due by itself: tests of accounts, readings of budgets, sums of the use; and the operator's hand in it.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use grok2api_config::Tier;
use grok2api_entity::account_budget::{self, Source};
use grok2api_entity::{account, connect, job, tick, usage_day, usage_hour};
use grok2api_pool::Status;
use grok2api_tests::fleet::{Process, wait_for};
use grok2api_tests::{Client, TestApp, TestAppBuilder, binary};
use reqwest::Method;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};
use serde_json::Value;
use uuid::Uuid;

const TOKEN: &str = "the-operators-token-1";
const LONG: Duration = Duration::from_secs(40);

/// Nothing runs but what the test runs.
fn quiet(mut builder: TestAppBuilder) -> TestAppBuilder {
    for name in ["token_test", "quota_reset", "stats_rollup", "sweep_media"] {
        builder = builder.setting(&format!("schedules.{name}"), "off");
    }
    builder.startup(|startup| startup.server.admin_token = Some(TOKEN.into()))
}

async fn records(app: &TestApp) -> DatabaseConnection {
    connect::file(&app.folder.path().join("data/grok2api.db")).await.unwrap()
}

fn admin(app: &TestApp) -> Client {
    app.client_with_key(Some(TOKEN))
}

async fn schedule(app: &TestApp, name: &str) -> Value {
    let list = admin(app).get("/api/schedules").await;
    assert_eq!(list.status, 200, "{}", list.text);
    list.json()["data"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone()
}

/// Runs a schedule by hand and waits until its job is over.
async fn run(app: &TestApp, name: &str) -> Value {
    let started = admin(app).send(admin(app).request(Method::POST, &format!("/api/schedules/{name}/run"))).await;
    assert_eq!(started.status, 200, "{}", started.text);
    let job = started.json()["job_id"].clone();
    wait_for("the job's end", LONG, async || {
        let shown = schedule(app, name).await;
        let over = shown["last_status"] != "queued" && shown["last_status"] != "running";
        Ok((over && shown["last_job_id"] == job).then_some(shown))
    })
    .await
    .unwrap()
}

async fn id_of(db: &DatabaseConnection, hint_of_tier: account::Kind) -> Uuid {
    let found = account::Entity::find().filter(account::Column::Kind.eq(hint_of_tier)).one(db).await.unwrap();
    found.unwrap().id
}

/// As if the last tests were long ago.
async fn forget_tests(db: &DatabaseConnection) {
    let update = account::Entity::update_many()
        .col_expr(account::Column::TestedAt, Expr::value(0_i64))
        .col_expr(account::Column::LastFailureAt, Expr::value(1_i64));
    update.exec(db).await.unwrap();
}

#[tokio::test]
async fn f41_a_test_condemns_after_two_refusals_and_takes_back_who_is_well_again() {
    const BOB: &str = "bob-super.fault-limits-401marker";
    let app = quiet(TestApp::with(&["ann"])).account(BOB, Tier::Super).start().await;
    let db = records(&app).await;
    let bob = id_of(&db, account::Kind::SsoSuper).await;
    let status = || app.gateway.pool().state().status(bob).unwrap();

    assert_eq!(run(&app, "token_test").await["last_status"], "completed");
    assert_eq!((app.sim.account("ann").rate_limit_calls, app.sim.account(BOB).rate_limit_calls), (1, 1));
    assert!(matches!(status(), Status::Cooling { .. }), "one bad answer condemns nobody: {:?}", status());
    // Who was tested a moment ago is left alone.
    run(&app, "token_test").await;
    assert_eq!(app.sim.account("ann").rate_limit_calls, 1);

    forget_tests(&db).await;
    run(&app, "token_test").await;
    assert!(matches!(status(), Status::Expired { .. }), "{:?}", status());
    let row = account::find(&db, bob).await.unwrap().unwrap();
    assert_eq!(row.status, account::Status::Expired, "it is on record when the job is over");

    app.sim.set_faults(BOB, &[]);
    forget_tests(&db).await;
    run(&app, "token_test").await;
    assert_eq!(status(), Status::Active);
    assert_eq!(account::find(&db, bob).await.unwrap().unwrap().status, account::Status::Active);
    app.stop().await;
}

#[tokio::test]
async fn f42_trouble_at_the_exit_condemns_nobody_and_ends_the_round() {
    for fault in ["403html", "403bot", "503html", "close"] {
        let names: Vec<String> = (0..6).map(|number| format!("a{number}.fault-limits-{fault}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let app = quiet(TestApp::with(&names)).start().await;
        assert_eq!(run(&app, "token_test").await["last_status"], "completed");
        let census = app.gateway.pool().state().census();
        assert_eq!((census.active, census.total()), (6, 6), "{fault}");
        let tested = account::Entity::find().filter(account::Column::TestedAt.gt(0)).all(&records(&app).await).await;
        assert_eq!(tested.unwrap().len(), 3, "{fault}");
        app.stop().await;
    }
}

#[tokio::test]
async fn f43_budgets_are_read_again_when_they_should_be_full() {
    let app = quiet(TestApp::with(&["ann"])).account("sue-super", Tier::Super).start().await;
    let db = records(&app).await;
    let (ann, sue) = (id_of(&db, account::Kind::Sso).await, id_of(&db, account::Kind::SsoSuper).await);
    let used_up = |account_id, reset_at| account_budget::Model {
        account_id,
        budget: "grok-3".to_owned(),
        unit: "tokens".to_owned(),
        remaining: 0,
        total: 80,
        window_secs: 72_000,
        read_at: 1,
        reset_at,
        cooling_until: None,
        source: Source::Measured,
    };
    let later = 4_000_000_000_000;
    account_budget::record(&db, &[used_up(ann, Some(later)), used_up(sue, Some(later))]).await.unwrap();
    run(&app, "quota_reset").await;
    assert_eq!(app.sim.accounts().len(), 0, "nobody is asked before it is time");

    account_budget::record(&db, &[used_up(ann, Some(2)), used_up(sue, None)]).await.unwrap();
    run(&app, "quota_reset").await;
    let asked = |name: &str| app.sim.account(name).rate_limit_calls;
    assert_eq!((asked("ann"), asked("sue-super")), (3, 4), "the heavy budget is for those who pay");
    let read = account_budget::Entity::find_by_id((ann, "grok-3".to_owned())).one(&db).await.unwrap().unwrap();
    assert_eq!((read.remaining, read.source), (80, Source::Measured));
    run(&app, "quota_reset").await;
    assert_eq!((asked("ann"), asked("sue-super")), (3, 4), "what is full is left alone");
    app.stop().await;
}

#[tokio::test]
async fn the_use_of_the_hours_is_summed_up_by_day_as_often_as_wanted() {
    let app = quiet(TestApp::with(&["ann"])).start().await;
    let db = records(&app).await;
    let day = usage_day::day_of(grok2api_entity::clock::read(&db).await.unwrap()) - 5 * usage_day::DAY_MS;
    let hour =
        |at: i64, model: &str| usage_hour::Model { requests: 2, images: 3, ..usage_hour::Model::empty(at, model, "o") };
    let hours = [0, 1, 23].map(|number| hour(day + number * 3_600_000, "m"));
    usage_hour::add(&db, &hours).await.unwrap();
    usage_hour::add(&db, &[hour(day + usage_day::DAY_MS, "m"), hour(day, "n")]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(run(&app, "stats_rollup").await["last_status"], "completed");
        let days = usage_day::Entity::find().all(&db).await.unwrap();
        let mut days: Vec<_> =
            days.iter().map(|row| (row.day - day, row.model.as_str(), row.requests, row.images)).collect();
        days.sort_unstable();
        assert_eq!(days, [(0, "m", 6, 9), (0, "n", 2, 3), (usage_day::DAY_MS, "m", 2, 3)]);
    }
    // What comes late is added where it belongs.
    let today = day + 5 * usage_day::DAY_MS;
    usage_hour::add(&db, &[hour(today - 3_600_000, "m")]).await.unwrap();
    run(&app, "stats_rollup").await;
    let late = usage_day::Entity::find().filter(usage_day::Column::Day.eq(today - usage_day::DAY_MS)).one(&db).await;
    assert_eq!(late.unwrap().unwrap().requests, 2);
    app.stop().await;
}

#[tokio::test]
async fn k1_only_the_admin_token_opens_the_operators_paths() {
    let app = quiet(TestApp::with(&["ann"])).start().await;
    for path in ["/api/schedules/token_test/run", "/api/schedules/nothing/run", "/api/schedules/token_test/pause"] {
        for client in [app.client(), app.client_with_key(Some("the-operators-token-2"))] {
            client.send(client.request(Method::POST, path)).await.expect_error(401, "SESSION_INVALID");
        }
        let nobody = app.client_with_key(None);
        nobody.send(nobody.request(Method::POST, path)).await.expect_error(401, "UNAUTHORIZED");
    }
    // And it opens nothing else.
    admin(&app).get("/v1/models").await.expect_error(401, "invalid_api_key");
    app.stop().await;
    let closed = TestApp::with(&["ann"]).start().await;
    admin(&closed).get("/api/schedules").await.expect_error(401, "SESSION_INVALID");
    closed.stop().await;
}

#[tokio::test]
async fn the_operator_sees_stops_and_runs_schedules() {
    let app = quiet(TestApp::with(&["ann.fault-limits-silent"])).start().await;
    let client = admin(&app);
    let list = client.get("/api/schedules").await.json();
    let names: Vec<&str> = list["data"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["token_test", "quota_reset", "stats_rollup", "sweep_media"]);
    assert_eq!((&list["data"][0]["cadence"], &list["data"][0]["next_at_ms"]), (&"off".into(), &Value::Null));

    app.set("schedules.token_test", "0 3 * * *").await;
    let shown = schedule(&app, "token_test").await;
    assert!(shown["next_at_ms"].as_i64().unwrap() % 86_400_000 == 3 * 3_600_000, "{shown}");
    let post = async |path: &str| client.send(client.request(Method::POST, &format!("/api/schedules/{path}"))).await;
    for (action, paused) in [("pause", true), ("pause", true), ("resume", false), ("resume", false)] {
        let shown = post(&format!("token_test/{action}")).await.json();
        assert_eq!((&shown["paused"], shown["next_at_ms"].is_null()), (&paused.into(), paused), "{shown}");
    }
    post("nothing/run").await.expect_error(404, "not_found");
    assert_eq!(post("token_test/run").await.status, 200);
    assert!(app.sim.wait_until(LONG, |sim| sim.account("ann.fault-limits-silent").rate_limit_calls == 1).await);
    post("token_test/run").await.expect_error(409, "schedule_running");
    // The job goes on elsewhere, or later: who ends does not wait for the answer.
    app.stop().await;
}

/// The program, on a folder of its own.
fn program(folder: &tempfile::TempDir, words: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(words).env("GROK2API_DATA_DIR", folder.path().join("data")).current_dir(folder.path());
    command.env("GROK2API_UPSTREAM__BASE_URL", "http://127.0.0.1:9");
    command
}

#[tokio::test]
async fn f25_a_process_killed_around_a_tick_leaves_it_with_its_job_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let run = |failpoint: &str| {
        program(&folder, &["schedule", "run", "stats_rollup", "--json"]).env("FAILPOINTS", failpoint).output().unwrap()
    };
    let mut made = 0;
    for (place, left) in [("between_tick_and_job", 0), ("before_tick", 0), ("after_tick", 1)] {
        let ended = run(&format!("{place}=abort"));
        assert_eq!(ended.status.signal(), Some(6), "{place}: {}", String::from_utf8_lossy(&ended.stderr));
        made += left;
        let db = connect::file(&folder.path().join("data/grok2api.db")).await.unwrap();
        let ticks = tick::Entity::find().all(&db).await.unwrap();
        let jobs = job::Entity::find().all(&db).await.unwrap();
        assert_eq!((ticks.len(), jobs.len()), (made, made), "{place}");
        assert!(ticks.iter().zip(&jobs).all(|(tick, job)| tick.job_id == job.id));
        db.close().await.unwrap();
    }
    let refused = run("");
    assert_eq!(refused.status.code(), Some(1), "its job is not over");
    let unknown = program(&folder, &["schedule", "pause", "nothing"]).output().unwrap();
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("token_test, quota_reset"));
    let paused = program(&folder, &["schedule", "pause", "sweep_media", "--json"]).output().unwrap();
    assert!(String::from_utf8_lossy(&paused.stdout).contains(r#""paused":true"#));
    let list = program(&folder, &["schedule", "list", "--json"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&list.stdout).lines().count(), 4);
}

#[tokio::test]
async fn f24_schedulers_of_their_own_agree_and_one_that_is_killed_is_not_missed() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let start = || {
        let mut command = program(&folder, &["scheduler"]);
        command.env("GROK2API_SCHEDULES__SWEEP_MEDIA", "every 10s");
        Process::start(command, &log).unwrap()
    };
    let mut first = start();
    let path = folder.path().join("data/grok2api.db");
    wait_for("the records", LONG, async || Ok(path.exists().then_some(()))).await.unwrap();
    let mut others = [start(), start()];
    let db = connect::file(&path).await.unwrap();
    let sweeps = async || {
        let ticks = tick::Entity::find().filter(tick::Column::Schedule.eq("sweep_media")).all(&db).await;
        ticks.unwrap_or_default()
    };
    wait_for("a tick", LONG, async || Ok((!sweeps().await.is_empty()).then_some(()))).await.unwrap();
    first.kill().unwrap();
    let seen =
        wait_for("one more", LONG, async || Ok(Some(sweeps().await).filter(|ticks| ticks.len() > 1))).await.unwrap();
    assert!(seen.iter().all(|tick| tick.due_ms % 10_000 == 0 && !tick.manual));
    for other in &mut others {
        other.terminate().unwrap();
        assert!(other.wait(LONG).await.unwrap().success());
    }
    let (ticks, jobs) = (tick::Entity::find().all(&db).await.unwrap(), job::Entity::find().all(&db).await.unwrap());
    assert_eq!(ticks.len(), jobs.len());
    db.close().await.unwrap();
}
