#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;

use grok2api_config::SettingValue;
use grok2api_entity::account::{self, Kind, Status, decode_tags};
use grok2api_entity::testing::TestDatabase;
use sea_orm::ConnectionTrait;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

const TOKENS: &str = r#"{
  "ssoNormal": {
    "eyJ.canary-one": {"createdTime": 1761189611000, "remainingQueries": 76, "heavyremainingQueries": -1,
      "status": "active", "failedCount": 2, "lastFailureTime": 1761189700000, "lastFailureReason": "403: blocked",
      "tags": ["team a"], "note": "spare"},
    " eyJ.canary-two ": {"createdTime": null, "remainingQueries": 0, "status": "expired"}
  },
  "ssoSuper": {"eyJ.canary-super": {"remainingQueries": 100, "heavyremainingQueries": 20, "tags": [], "note": ""}}
}"#;
const SETTINGS: &str = r#"
[global]
base_url = "https://old.example"
log_level = "DEBUG"
image_mode = "url"
admin_username = "admin"
admin_password = "admin"
image_cache_max_size_mb = 256
[grok]
api_key = "canary-old-client-key"
proxy_url = ""
cf_clearance = "canary-clearance"
filtered_tags = "xaiartifact,grok:render"
stream_chunk_timeout = 90
stream_total_timeout = "soon"
temporary = false
show_searching = true
"#;

/// A new installation, and folders of the old gateway.
struct Ground {
    home: TempDir,
    startup: StartUp,
}

impl Ground {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let startup = StartUp { data_dir: home.path().join("new"), ..StartUp::default() };
        Self { home, startup }
    }

    /// The old gateway's folder.
    fn old(&self, tokens: &str, settings: &str) -> String {
        let folder = self.home.path().join("old/data");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("token.json"), tokens).unwrap();
        fs::write(folder.join("setting.toml"), settings).unwrap();
        self.home.path().join("old").display().to_string()
    }

    /// The report of an import, and what it remarked.
    async fn import(&self, source: &str, flags: &[&str]) -> anyhow::Result<(Value, String)> {
        let (mut output, results, remarks) = Output::captured();
        let has = |flag: &str| flags.contains(&flag);
        let args = SeedArgs {
            source: source.to_owned(),
            only: if has("accounts") { Some(Part::Accounts) } else { None },
            overwrite_settings: has("overwrite"),
            dry_run: has("dry"),
            json: true,
        };
        run(ImportCommand::Seed(args), &self.startup, &mut output).await?;
        Ok((serde_json::from_str(&results.take()).unwrap(), remarks.take()))
    }

    async fn store(&self) -> Store {
        Store::open(&self.startup).await.unwrap()
    }

    async fn setting(&self, key: &str) -> Value {
        match self.store().await.settings.handle().load().get(key).unwrap() {
            SettingValue::Plain(value) => value,
            SettingValue::Secret(text) => text.expose_secret().into(),
        }
    }

    /// Everything the old gateway knew is here.
    async fn expect_moved(&self) {
        let store = self.store().await;
        let rows = account::load_page(&store.db, None, 10).await.unwrap();
        assert_eq!(rows.len(), 3);
        let one = &rows[0].account;
        assert_eq!(
            (one.kind, one.status, one.created_at, one.note.as_str()),
            (Kind::Sso, Status::Active, 1_761_189_611_000, "spare")
        );
        assert_eq!(decode_tags(&one.tags), ["team a"]);
        assert_eq!(
            (one.failed_count, one.last_failure_at, one.last_failure_reason.as_deref()),
            (2, Some(1_761_189_700_000), Some("403: blocked"))
        );
        assert_eq!(rows[0].budgets.iter().map(|budget| budget.remaining).max(), Some(76));
        assert_eq!(rows[1].account.status, Status::Expired);
        assert_eq!((rows[2].account.kind, rows[2].budgets.len()), (Kind::SsoSuper, 4));
        assert_eq!(self.setting("global.base_url").await, "https://old.example");
        assert_eq!(self.setting("grok.api_key").await, "canary-old-client-key");
        assert_eq!(self.setting("grok.cf_clearance").await, "canary-clearance");
        assert_eq!(self.setting("grok.stream_chunk_timeout").await, 90);
        assert_eq!(self.setting("grok.temporary").await, false);
    }
}

#[tokio::test]
async fn a_data_folder_moves_in_whole_and_twice_changes_nothing() {
    let ground = Ground::new();
    let source = ground.old(TOKENS, SETTINGS);
    let report = |dry: bool, added: u32, taken: Value, same: u32| {
        json!({
            "dry_run": dry,
            "accounts": {"found": 3, "added": added, "known": 3 - added, "repeated": 0, "refused": 0},
            "settings": {
                "found": 14, "taken": taken, "same": same, "kept": [],
                "refused": ["grok.stream_total_timeout"],
                "unknown": ["global.admin_password", "global.admin_username", "grok.show_searching"],
            },
        })
    };
    let taken = json!([
        "global.base_url",
        "global.image_cache_max_size_mb",
        "global.log_level",
        "grok.api_key",
        "grok.cf_clearance",
        "grok.filtered_tags",
        "grok.stream_chunk_timeout",
        "grok.temporary",
    ]);
    let (told, remarks) = ground.import(&source, &["dry"]).await.unwrap();
    assert_eq!(told, report(true, 3, taken.clone(), 2));
    assert!(remarks.contains("grok.stream_total_timeout must be a whole number"), "{remarks}");
    assert!(
        remarks.contains("a password that everybody knows") && remarks.contains("grok.show_searching means nothing")
    );
    assert_eq!(account::count(&ground.store().await.db, account::Filter::default()).await.unwrap(), 0);
    let (told, remarks) = ground.import(&source, &[]).await.unwrap();
    assert_eq!(told, report(false, 3, taken, 2));
    assert!(!remarks.contains("canary"), "{remarks}");
    ground.expect_moved().await;
    let (told, _) = ground.import(&source, &[]).await.unwrap();
    assert_eq!(told, report(false, 0, json!([]), 10));
}

#[tokio::test]
async fn what_was_changed_here_stays_unless_the_operator_says_otherwise() {
    let ground = Ground::new();
    let source = ground.old(TOKENS, SETTINGS);
    let ours = std::collections::BTreeMap::from([("grok.stream_chunk_timeout".to_owned(), json!(44))]);
    ground.store().await.settings.update(&ours).await.unwrap();
    let (told, _) = ground.import(&source, &["accounts"]).await.unwrap();
    assert_eq!((&told["accounts"]["added"], &told["settings"]["found"]), (&json!(3), &json!(0)));
    let (told, remarks) = ground.import(&source, &[]).await.unwrap();
    assert_eq!(told["settings"]["kept"], json!(["grok.stream_chunk_timeout"]));
    assert!(remarks.contains("--overwrite-settings"), "{remarks}");
    assert_eq!(ground.setting("grok.stream_chunk_timeout").await, 44);
    ground.import(&source, &["overwrite"]).await.unwrap();
    assert_eq!(ground.setting("grok.stream_chunk_timeout").await, 90);
}

/// The settings as the databases of the old gateway hold them.
fn settings_json() -> String {
    serde_json::to_string(&toml::from_str::<toml::Table>(SETTINGS).unwrap()).unwrap()
}

#[tokio::test]
async fn its_mysql_tables_move_in_by_their_newest_rows() {
    let old = TestDatabase::patiently("mariadb").await;
    for table in ["grok_tokens", "grok_settings"] {
        let sql = format!(
            "CREATE TABLE {table} (id INT AUTO_INCREMENT PRIMARY KEY, data JSON NOT NULL,
             updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
             created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
        );
        old.db.execute_unprepared(&sql).await.unwrap();
    }
    for (table, row) in [
        ("grok_tokens", r#"{"sso": {"eyJ.canary-older": {}}, "ssoSuper": {}}"#),
        ("grok_tokens", TOKENS),
        ("grok_settings", &settings_json()),
    ] {
        old.db.execute_unprepared(&format!("INSERT INTO {table} (data) VALUES ('{row}')")).await.unwrap();
    }
    let row =
        old.db.query_one_raw(sea_orm::Statement::from_string(sea_orm::DbBackend::MySql, "SELECT DATABASE() AS name"));
    let name: String = row.await.unwrap().unwrap().try_get("", "name").unwrap();
    let ground = Ground::new();
    let url = format!("mysql://root@127.0.0.1:3306/{name}");
    let (told, _) = ground.import(&url, &[]).await.unwrap();
    assert_eq!((&told["accounts"]["added"], &told["accounts"]["found"]), (&json!(3), &json!(3)));
    ground.expect_moved().await;
    let (told, _) = ground.import(&url, &[]).await.unwrap();
    assert_eq!((&told["accounts"]["added"], &told["settings"]["taken"]), (&json!(0), &json!([])));
    for table in ["grok_tokens", "grok_settings"] {
        old.db.execute_unprepared(&format!("DROP TABLE {table}")).await.unwrap();
    }
    let error = ground.import(&url, &[]).await.unwrap_err().to_string();
    assert!(error.contains("neither grok_tokens nor grok_settings"), "{error}");
    old.remove().await.unwrap();
}

#[tokio::test]
async fn its_redis_keys_move_in() {
    // The names of the keys are the old gateway's own, so the database is one that nobody else uses.
    const URL: &str = "redis://127.0.0.1:6379/15";
    let mut redis = redis::Client::open(URL).unwrap().get_multiplexed_async_connection().await.unwrap();
    redis::cmd("MSET")
        .arg("grok:tokens")
        .arg(TOKENS)
        .arg("grok:settings")
        .arg(settings_json())
        .exec_async(&mut redis)
        .await
        .unwrap();
    let ground = Ground::new();
    let (told, _) = ground.import(URL, &[]).await.unwrap();
    assert_eq!((&told["accounts"]["added"], &told["accounts"]["found"]), (&json!(3), &json!(3)));
    ground.expect_moved().await;
    redis::cmd("DEL").arg("grok:tokens").arg("grok:settings").exec_async(&mut redis).await.unwrap();
    let error = ground.import(URL, &[]).await.unwrap_err().to_string();
    assert!(error.contains("neither grok:tokens nor grok:settings"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_read_changes_nothing_and_tells_no_secret() {
    let ground = Ground::new();
    for (tokens, settings, reason) in [
        (&TOKENS[..150], SETTINGS, "the file ends in the middle"),
        (TOKENS, "[grok]\napi_key = canary\n", "setting.toml is not valid TOML, at or after line 2"),
        ("", "", "neither token.json nor setting.toml with anything in it"),
    ] {
        let source = ground.old(tokens, settings);
        let error = format!("{:#}", ground.import(&source, &[]).await.unwrap_err());
        assert!(error.contains(reason) && !error.contains("canary"), "{error}");
        assert!(!ground.startup.data_dir.exists(), "nothing is made before everything is understood");
    }
    for (source, reason) in [
        ("/nowhere/at/all", "there is no folder or file"),
        ("https://old.example", "begins with mysql:// or redis://"),
        ("env:GROK2API_NO_SUCH_VARIABLE", "is not set"),
        ("mysql://root:canary@127.0.0.1:9/grok", "is the server running"),
        ("redis://:canary@127.0.0.1:9/0", "is the Redis server running"),
    ] {
        let error = format!("{:#}", ground.import(source, &[]).await.unwrap_err());
        assert!(error.contains(reason) && !error.contains("canary"), "{error}");
    }
}
