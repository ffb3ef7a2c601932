//! `STORAGE_MODE=redis`: the disk of the only node may vanish, and what was acknowledged is there all the same.

use std::time::Duration;

use grok2api_tests::fleet::{Node, REDIS, wait_for};
use grok2api_tests::{Answer, Proxy, Way};
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);
const OTHER_KEY: &str = "Zm9vYmFyYmF6cXV4LW9sZC1rZXktMTIzNDU2Nzg5MA";

/// A node with accounts; answers it with its client key.
async fn node(tokens: &str) -> (Node, String) {
    let node = Node::prepare().await.unwrap();
    node.done(&["token", "add"], tokens).unwrap();
    let key = node.done(&["key", "create"], "").unwrap();
    (node, key)
}

fn accounts(node: &Node) -> Vec<Value> {
    let list = node.done(&["token", "list", "--json"], "").unwrap();
    list.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn post(node: &Node, path: &str, body: &Value) -> Answer {
    let admin = node.admin();
    admin.send(admin.request(Method::POST, path).json(body)).await
}

async fn is_paused(node: &Node, name: &str) -> bool {
    let list = node.admin().get("/api/schedules").await.json();
    let one = list["data"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone();
    one["paused"] == true
}

#[tokio::test]
async fn what_was_set_up_is_there_after_the_disk_vanished() {
    let (node, key) = node("canary-ann\ncanary-bob\ncanary-cyd\n").await;
    node.done(&["settings", "set", "chat.max_choices=2", "grok.proxy_url="], "").unwrap();
    node.done(&["schedule", "pause", "token_test"], "").unwrap();
    node.done(&["token", "remove", "canary-bob", "--yes"], "").unwrap();
    let told = node.done(&["admin", "reset-password", "--stdin"], "canary: a long password\n").unwrap();
    assert_eq!(told, "admin has another password");
    let before = accounts(&node);
    node.wipe().unwrap();

    let server = node.serve().await.unwrap();
    let chat = node.client(&key).chat("grok-3-fast", "say:still here").await;
    assert_eq!((chat.status.as_u16(), chat.content().as_str()), (200, "still here"), "{}", chat.text);
    assert!(node.words().contains("restored from the mirror"), "{}", node.words());
    assert!(is_paused(&node, "token_test").await);
    let login = json!({"username": "admin", "password": "canary: a long password"});
    assert_eq!(post(&node, "/api/login", &login).await.json()["success"], true, "the administrator is the same");
    drop(server);
    assert_eq!(node.done(&["settings", "get", "chat.max_choices"], "").unwrap(), "2");
    let ids = |rows: &[Value]| rows.iter().map(|row| row["id"].clone()).collect::<Vec<_>>();
    assert_eq!((before.len(), ids(&accounts(&node))), (2, ids(&before)));

    let mirror = format!("{:?}", node.mirror().unwrap());
    assert!(mirror.contains("v1:") && !mirror.contains("canary") && !mirror.contains(&key), "secrets lie there sealed");
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill_and_without_the_disk() {
    let (node, key) = node("ann\nbob\n").await;
    let gone = accounts(&node)[0]["id"].clone();
    let mut server = node.serve().await.unwrap();
    post(&node, "/api/schedules/token_test/pause", &json!({})).await.json();
    let work = post(&node, "/api/bulk/delete", &json!({"ids": [gone]})).await.json();
    wait_for("the account is deleted", SOON, async || {
        let shown = node.admin().get(&format!("/api/bulk/{}", work["id"].as_str().unwrap())).await.json();
        Ok((shown["status"] == "completed").then_some(()))
    })
    .await
    .unwrap();
    server.kill().unwrap();
    let mut server = node.serve().await.unwrap();
    assert!(!node.words().contains("waiting for the end"), "with its folder, nobody waits");
    let paused = post(&node, "/api/schedules/quota_reset/pause", &json!({})).await;
    server.kill().unwrap();
    assert_eq!(paused.status, 200, "{}", paused.text);
    node.wipe().unwrap();
    let _server = node.serve().await.unwrap();
    assert!(node.words().contains("waiting for the end"), "without it, nobody can know that the first is dead");
    assert!(is_paused(&node, "token_test").await && is_paused(&node, "quota_reset").await);
    assert_eq!(node.client(&key).chat("grok-3-fast", "hi").await.status, 200);
    let left = accounts(&node);
    assert!(left.len() == 1 && left[0]["id"] != gone, "a deleted account stays deleted: {left:?}");
}

// The way to Redis goes on while commands are waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_while_redis_is_away_is_told_and_mirrored_afterwards() {
    let (mut node, _key) = node("ann\n").await;
    let way = Proxy::to(&REDIS.replace("redis://", "")).await.unwrap();
    node.set("REDIS_URL", &format!("redis://{}", way.address()));
    let mut server = node.serve().await.unwrap();
    for (round, away, name) in [(1, Way::Cut, "token_test"), (2, Way::Blocked, "sweep_media")] {
        way.set(away);
        let path = format!("/api/schedules/{name}/pause");
        post(&node, &path, &json!({})).await.expect_error(503, "mirror_unavailable");
        assert!(is_paused(&node, name).await, "it is in force here");
        let refused = node.run(&["settings", "set", "chat.max_choices=3"], "").unwrap();
        assert_eq!(refused.code, 1);
        assert!(refused.remarks.contains("Nothing was changed"), "{}", refused.remarks);
        let told = |words: &str| node.words().matches(words).count() == round;
        let noticed = wait_for("it is noticed", SOON, async || Ok(told("changes are not mirrored").then_some(())));
        noticed.await.unwrap();
        way.set(Way::Open);
        wait_for("the change is mirrored", SOON, async || {
            let mirror = node.mirror()?;
            let row = mirror.get("schedule").and_then(|rows| rows.get(name));
            Ok(row.filter(|row| row.contains("\"paused\":true")).map(drop))
        })
        .await
        .unwrap();
        let over = wait_for("its end is told", SOON, async || Ok(told("has everything again").then_some(())));
        over.await.unwrap();
    }
    server.kill().unwrap();
    node.wipe().unwrap();
    let _server = node.serve().await.unwrap();
    assert!(is_paused(&node, "token_test").await && is_paused(&node, "sweep_media").await);
    assert_eq!(node.done(&["settings", "get", "chat.max_choices"], "").unwrap(), "4");
}

#[tokio::test]
async fn a_mirror_that_was_lost_is_made_anew() {
    let (node, key) = node("ann\nbob\n").await;
    let mut server = node.serve().await.unwrap();
    let before = node.mirror().unwrap();
    for name in ["about", "account", "setting", "schedule", "meta", "admin", "owner"] {
        node.redis("DEL", &format!("mirror:{name}"), &[]).unwrap();
    }
    wait_for("the mirror is there again", SOON, async || {
        let now = node.mirror()?;
        Ok((now.get("account").is_some_and(|rows| rows.len() == 2) && now.contains_key("about")).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(node.mirror().unwrap()["setting"], before["setting"]);
    server.kill().unwrap();
    node.wipe().unwrap();
    let _server = node.serve().await.unwrap();
    assert_eq!(node.client(&key).chat("grok-3-fast", "hi").await.status, 200);
}

#[tokio::test]
async fn a_wrong_or_missing_master_key_restores_nothing_and_changes_nothing() {
    let (mut node, key) = node("ann\n").await;
    node.wipe().unwrap();
    let before = node.mirror().unwrap();
    let right = node.variables["GROK2API_SECRET_KEY"].clone();
    for (wrong, says) in [(OTHER_KEY, "sealed with key"), ("", "no master key")] {
        node.set("GROK2API_SECRET_KEY", wrong);
        let refused = node.run(&["serve"], "").unwrap();
        assert_eq!(refused.code, 78, "{}", refused.remarks);
        assert!(refused.remarks.contains(says), "{}", refused.remarks);
        assert_eq!(node.mirror().unwrap(), before);
        assert!(!node.data().join("secret.key").exists());
    }
    node.set("GROK2API_SECRET_KEY", &right);
    let _server = node.serve().await.unwrap();
    assert_eq!(node.client(&key).chat("grok-3-fast", "hi").await.status, 200);
}

#[tokio::test]
async fn two_installations_on_one_prefix_are_refused() {
    let (mut node, _key) = node("ann\n").await;
    let before = node.mirror().unwrap();
    node.use_folder("other");
    node.set("STORAGE_MODE", "file");
    node.done(&["token", "add"], "someone-else\n").unwrap();
    node.set("STORAGE_MODE", "redis");
    let refused = node.run(&["token", "add"], "another\n").unwrap();
    assert_eq!(refused.code, 1);
    assert!(
        refused.remarks.contains("another installation") && refused.remarks.contains("redis_prefix"),
        "{refused:?}"
    );
    assert_eq!(node.mirror().unwrap(), before);
}

#[tokio::test]
async fn a_second_folder_is_refused_while_the_first_is_in_use_and_takes_over_after_its_end() {
    let (mut node, _key) = node("ann\n").await;
    let mut server = node.serve().await.unwrap();
    node.use_folder("second");
    let refused = node.run(&["settings", "set", "chat.max_choices=3"], "").unwrap();
    assert_eq!(refused.code, 1);
    assert!(refused.remarks.contains("its process is alive"), "{}", refused.remarks);
    server.terminate().unwrap();
    assert!(server.wait(SOON).await.unwrap().success());
    node.done(&["settings", "set", "chat.max_choices=3"], "").unwrap();

    // The first folder has become old: what it has must not win over what came later.
    node.use_folder("data");
    let refused = node.run(&["serve"], "").unwrap();
    assert_eq!(refused.code, 1);
    assert!(refused.remarks.contains("is newer than the data folder"), "{}", refused.remarks);
    node.wipe().unwrap();
    assert_eq!(node.done(&["settings", "get", "chat.max_choices"], "").unwrap(), "3");
}

#[tokio::test]
async fn a_server_ends_when_another_folder_has_taken_its_mirror() {
    let (node, _key) = node("ann\n").await;
    let mut server = node.serve().await.unwrap();
    let before = node.mirror().unwrap();
    node.redis("SET", "mirror:owner", &["somebody-else"]).unwrap();
    assert_eq!(server.wait(SOON).await.unwrap().code(), Some(1));
    assert!(node.words().contains("belongs to another data folder"), "{}", node.words());
    assert_eq!(node.mirror().unwrap()["account"], before["account"]);
}

#[tokio::test]
async fn what_was_recorded_in_a_file_is_mirrored_when_the_mode_changes() {
    let mut node = Node::prepare().await.unwrap();
    node.set("STORAGE_MODE", "file");
    node.done(&["token", "add"], "ann\nbob\n").unwrap();
    let key = node.done(&["key", "create"], "").unwrap();
    node.set("STORAGE_MODE", "redis");
    assert_eq!(accounts(&node).len(), 2);
    // And what is changed in between is sent when the mode is back.
    node.set("STORAGE_MODE", "file");
    node.done(&["token", "remove", "ann", "--yes"], "").unwrap();
    node.set("STORAGE_MODE", "redis");
    assert_eq!(accounts(&node).len(), 1);
    node.wipe().unwrap();
    let _server = node.serve().await.unwrap();
    assert_eq!(accounts(&node).len(), 1);
    assert_eq!(node.client(&key).chat("grok-3-fast", "hi").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_old_gateways_variable_names_the_server_and_a_key_on_the_disk_is_warned_of() {
    let mut node = Node::prepare().await.unwrap();
    node.set("REDIS_URL", "");
    node.set("GROK2API_SECRET_KEY", "");
    let refused = node.run(&["serve"], "").unwrap();
    assert!(refused.code == 78 && refused.remarks.contains("redis_url must be set"), "{refused:?}");
    node.set("DATABASE_URL", REDIS);
    let doctor = node.run(&["doctor", "--json"], "").unwrap();
    let told: Value = serde_json::from_str(&doctor.results).unwrap();
    let mirror = told["checks"].as_array().unwrap().iter().find(|check| check["name"] == "mirror").unwrap().clone();
    assert_eq!(mirror["status"], "warning", "{told:#}");
    let server = node.start("serve").unwrap();
    wait_for("it is warned of", SOON, async || {
        Ok(node.words().contains("the master key lies in the data folder").then_some(()))
    })
    .await
    .unwrap();
    drop(server);
}

#[tokio::test]
async fn a_restoring_that_was_cut_short_is_repeated_as_a_whole() {
    let (node, key) = node("ann\nbob\n").await;
    node.wipe().unwrap();
    node.redis("HSET", "mirror:schedule", &["token_test", "{\"name\": 7}"]).unwrap();
    let failed = node.run(&["token", "list"], "").unwrap();
    assert!(failed.code == 1 && failed.remarks.contains("schedule"), "{failed:?}");
    node.redis("HDEL", "mirror:schedule", &["token_test"]).unwrap();
    let _server = node.serve().await.unwrap();
    assert_eq!(accounts(&node).len(), 2);
    assert_eq!(node.client(&key).chat("grok-3-fast", "hi").await.status, 200);
}

#[tokio::test]
async fn ten_thousand_accounts_are_restored() {
    let tokens = (0..10_000).fold(String::new(), |all, number| format!("{all}many-accounts-{number:05}\n"));
    let (node, key) = node("ann\n").await;
    let told = node.done(&["token", "import", "-"], &tokens).unwrap();
    assert!(told.starts_with("10000 accounts found: 10000 added"), "{told}");
    node.done(&["token", "remove", "many-accounts-00007", "--yes"], "").unwrap();
    assert_eq!(node.mirror().unwrap()["account"].len(), 10_000);
    node.wipe().unwrap();
    let _server = node.serve().await.unwrap();
    assert_eq!(accounts(&node).len(), 10_000);
    assert_eq!(node.client(&key).chat("grok-3-fast", "hi").await.status, 200);
}

#[tokio::test]
async fn backups_are_made_of_the_mirror_and_take_its_place() {
    let (node, key) = node("ann\nbob\n").await;
    let pass = ["--passphrase-file", "-"];
    let create = |file: &str| node.done(&["backup", "create", file, pass[0], pass[1]], "a long passphrase\n").unwrap();
    node.wipe().unwrap();
    assert!(create("one.age").contains("2 accounts"));
    node.done(&["token", "add"], "cyd\n").unwrap();
    let restore = ["backup", "restore", "one.age", pass[0], pass[1]];
    node.wipe().unwrap();
    let refused = node.run(&restore, "a long passphrase\n").unwrap();
    assert!(refused.code == 1 && refused.remarks.contains("--force"), "{refused:?}");
    node.done(&[&restore[..], &["--force"]].concat(), "a long passphrase\n").unwrap();
    assert_eq!(node.mirror().unwrap()["account"].len(), 2);
    node.wipe().unwrap();
    let _server = node.serve().await.unwrap();
    assert_eq!((accounts(&node).len(), node.client(&key).chat("grok-3-fast", "hi").await.status.as_u16()), (2, 200));
}

#[tokio::test]
async fn roles_of_one_folder_have_the_mirror_together() {
    let (node, key) = node("ann\n").await;
    let mut worker = node.start("worker").unwrap();
    let mut api = node.start("api").unwrap();
    wait_for("the roles are ready", SOON, async || {
        worker.expect_alive()?;
        api.expect_alive()?;
        Ok((node.words().matches("ready: ").count() == 2).then_some(()))
    })
    .await
    .unwrap();
    let work = post(&node, "/api/bulk/import", &json!({"tokens": ["from-a-worker"], "token_type": "sso"})).await;
    assert_eq!(work.status, 200, "{}", work.text);
    wait_for("the worker has mirrored it", SOON, async || Ok((node.mirror()?["account"].len() == 2).then_some(())))
        .await
        .unwrap();
    worker.terminate().unwrap();
    assert!(worker.wait(SOON).await.unwrap().success());
    node.done(&["settings", "set", "chat.max_choices=3"], "").unwrap();
    assert_eq!(node.client(&key).chat("grok-3-fast", "hi").await.status, 200);
    api.terminate().unwrap();
    assert!(api.wait(SOON).await.unwrap().success());
}
