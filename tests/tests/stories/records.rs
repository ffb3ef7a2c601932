//! F37: somebody else holds the lock of the database file.

use std::time::{Duration, Instant};

use grok2api_entity::connect;
use grok2api_tests::TestApp;
use reqwest::Method;
use sea_orm::{SqliteTransactionMode, TransactionOptions, TransactionTrait};
use serde_json::{Value, json};

/// How long the lock is waited for.
const LOCK: Duration = Duration::from_secs(5);

#[tokio::test]
async fn f37_a_locked_database_refuses_work_and_slows_no_chat() {
    let app = TestApp::start().await;
    let client = app.client();
    let make =
        async |path: &str| client.send(client.request(Method::POST, path).json(&json!({"prompt": "A kite"}))).await;
    assert_eq!(make("/v1/videos").await.status, 200);
    // Another program on the same file, which takes no turns with the gateway's writers.
    let theirs = connect::file(&app.folder.path().join("data/grok2api.db")).await.unwrap();
    let exclusive = Some(SqliteTransactionMode::Exclusive);
    let options = TransactionOptions { sqlite_transaction_mode: exclusive, ..TransactionOptions::default() };
    let lock = theirs.begin_with_options(options).await.unwrap();
    let (refused, chats) = tokio::join!(make("/v1/videos"), async {
        let asked = Instant::now();
        for _ in 0..5 {
            let chat = client.chat("grok-3-fast", "say:still here").await;
            assert_eq!((chat.status.as_u16(), chat.content().as_str()), (200, "still here"), "{}", chat.text);
        }
        asked.elapsed()
    });
    assert!(chats < LOCK, "chats waited for the lock: {chats:?}");
    let body: Value = serde_json::from_str(&refused.text).unwrap();
    let told = (refused.status.as_u16(), body["error"]["code"].as_str().unwrap_or_default());
    assert_eq!(told, (503, "database_unavailable"), "{}", refused.text);
    assert!(refused.headers.contains_key("retry-after") && !refused.text.contains("locked"), "{}", refused.text);
    lock.rollback().await.unwrap();
    assert_eq!(make("/v1/images/generations").await.status, 200);
}
