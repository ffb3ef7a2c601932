//! `grok2api demo` and `demo --scaled`, as people start them: they show what they say and leave nothing behind.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Duration;

use grok2api_entity::connect;
use grok2api_tests::fleet::wait_for;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(150);

struct Stage {
    folder: TempDir,
    temporary: TempDir,
}

impl Stage {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), temporary: TempDir::new().unwrap() }
    }

    fn start(&self, flags: &[&str]) -> grok2api_tests::fleet::Process {
        let mut command = Command::new(grok2api_tests::binary());
        command.arg("demo").args(flags).args(["--listen", "127.0.0.1:0"]).stdin(Stdio::null());
        command.current_dir(self.folder.path()).env("TMPDIR", self.temporary.path());
        File::create(self.log()).unwrap();
        grok2api_tests::fleet::Process::start(command, &self.log()).unwrap()
    }

    fn log(&self) -> std::path::PathBuf {
        self.folder.path().join("told")
    }

    fn told(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap()
    }

    /// Names of what demos have made on the servers and on the disk.
    async fn left_behind(&self) -> Vec<String> {
        let admin = connect::server("postgres://postgres@127.0.0.1:5432/postgres").await.unwrap();
        let sql = "SELECT datname::text AS name FROM pg_database WHERE datname LIKE 'grok2api_demo_%'";
        let rows = admin.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap();
        let mut left: Vec<String> = rows.iter().map(|row| row.try_get("", "name").unwrap()).collect();
        admin.close().await.unwrap();
        let redis = redis::Client::open("redis://127.0.0.1:6379/").unwrap();
        let mut redis = redis.get_multiplexed_async_connection().await.unwrap();
        let keys: Vec<String> = redis::cmd("KEYS").arg("grok2api_demo_*").query_async(&mut redis).await.unwrap();
        left.extend(keys);
        let files = std::fs::read_dir(self.temporary.path()).unwrap();
        left.extend(files.map(|file| file.unwrap().path().display().to_string()));
        left
    }
}

#[tokio::test]
async fn the_demo_shows_chats_a_picture_and_a_video_and_leaves_nothing() {
    let stage = Stage::new();
    let mut demo = stage.start(&["--once"]);
    assert!(demo.wait(SOON).await.unwrap().success(), "{}", stage.told());
    let told = stage.told();
    for part in
        ["── A web-search chat", "image/jpeg of ", "100 % completed", "video/mp4 of ", "curl -N http://127.0.0.1:"]
    {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
    assert_eq!(std::fs::read_dir(stage.temporary.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn the_scaled_demo_shows_what_only_many_processes_can_do_and_leaves_nothing() {
    let stage = Stage::new();
    let mut demo = stage.start(&["--scaled", "--once"]);
    assert!(demo.wait(SOON).await.unwrap().success(), "{}", stage.told());
    let told = stage.told();
    for part in [
        "  scheduler-2 ",
        "all answered in ",
        "it drained for ",
        " streams, 0 errors",
        " was killed while it fetched the file",
        "the upstream was asked once",
        " times due, ",
    ] {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
    assert_eq!(stage.left_behind().await, Vec::<String>::new());
    // One that is told to end in the middle of the show takes everything away, too.
    let mut demo = stage.start(&["--scaled"]);
    wait_for("it is in the middle", SOON, async || Ok(stage.told().contains("chats at once").then_some(())))
        .await
        .unwrap();
    assert!(!stage.left_behind().await.is_empty());
    demo.terminate().unwrap();
    assert!(demo.wait(SOON).await.unwrap().success(), "{}", stage.told());
    assert_eq!(stage.left_behind().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_scaled_demo_without_a_database_says_so() {
    let stage = Stage::new();
    let mut demo = stage.start(&["--scaled", "--once", "--postgres", "postgres://postgres@127.0.0.1:9/postgres"]);
    assert_eq!(demo.wait(SOON).await.unwrap().code(), Some(1));
    assert!(stage.told().contains("is PostgreSQL running there"), "{}", stage.told());
}
