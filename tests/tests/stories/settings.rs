//! Settings are used by the next request, without a restart.

use std::collections::BTreeMap;
use std::time::Duration;

use grok2api_tests::TestApp;
use serde_json::{Value, json};

#[tokio::test]
async fn a_changed_setting_is_used_by_the_next_request() {
    let app = TestApp::start().await;
    let think = || async { app.client().chat("grok-4-fast", "why?").await.json()["choices"][0]["message"].clone() };
    assert!(think().await["reasoning_content"].is_string());
    app.set("grok.show_thinking", false).await;
    let hidden = think().await;
    assert!(hidden.get("reasoning_content").is_none() && !hidden["content"].as_str().unwrap().contains("<think>"));
    app.set("grok.show_thinking", true).await;
    app.set("chat.reasoning_format", "think_tags").await;
    assert!(think().await["content"].as_str().unwrap().starts_with("<think>\n"));

    app.set("grok.filtered_tags", "secret").await;
    let said = app.client().chat("grok-3-fast", "say:a <secret>hidden</secret>b").await.content();
    assert_eq!(said, "a b");
    app.set("global.base_url", "https://pictures.example").await;
    let drawn = app.client().chat("grok-3-fast", "fixture:04-image-generation").await.content();
    assert!(drawn.contains("](https://pictures.example/images/"), "{drawn}");

    app.set("grok.api_key", "another-key-altogether").await;
    app.client().get("/v1/models").await.expect_error(401, "invalid_api_key");
    assert_eq!(app.client_with_key(Some("another-key-altogether")).get("/v1/models").await.status, 200);
    app.stop().await;
}

#[tokio::test]
async fn f55_bad_settings_are_refused_whole() {
    let app = TestApp::start().await;
    let before = app.settings.version();
    for (key, value) in [
        ("grok.stream_chunk_timeout", json!("soon")),
        ("grok.strem_chunk_timeout", json!(5)),
        ("global.image_mode", json!("paper")),
        ("pool.strategy", json!("luck")),
        ("pool.max_in_flight", json!(0)),
    ] {
        let change = BTreeMap::from([(key.to_owned(), value), ("grok.show_thinking".to_owned(), json!(false))]);
        let refused = app.settings.update(&change).await.unwrap_err().to_string();
        assert!(refused.contains(key), "{refused}");
    }
    assert_eq!(app.settings.version(), before);
    assert!(app.settings.handle().load().grok.show_thinking);
    app.stop().await;
}

#[tokio::test]
async fn settings_and_accounts_survive_a_restart() {
    let app = TestApp::with(&["ann", "bob"]).start().await;
    app.set("chat.max_choices", 2).await;
    app.client().chat("grok-3-fast", "count me").await;
    let folder = app.stop().await;
    let startup =
        grok2api_config::StartUp { data_dir: folder.path().join("data"), ..grok2api_config::StartUp::default() };
    let house = grok2api::house::House::open(&startup).await.unwrap();
    assert_eq!(house.store.settings.handle().load().chat.max_choices, 2);
    let state = house.gateway.pool().state();
    assert_eq!(state.census().active, 2);
    let uses: i64 = state.ids().iter().map(|id| state.inspect(*id).unwrap().0.use_count).sum();
    assert_eq!(uses, 1);
    let left: Vec<i64> = state
        .ids()
        .iter()
        .flat_map(|id| state.inspect(*id).unwrap().0.budgets)
        .map(|budget| budget.remaining)
        .collect();
    assert_eq!(left, [79]);
}

#[tokio::test]
async fn accounts_added_and_removed_beside_a_running_server_are_taken_over() {
    let app = TestApp::with(&[]).start().await;
    let startup =
        grok2api_config::StartUp { data_dir: app.folder.path().join("data"), ..grok2api_config::StartUp::default() };
    let store = grok2api::store::Store::open(&startup).await.unwrap();
    let template = grok2api::accounts::Template {
        tier: grok2api_config::Tier::Basic,
        tags: Vec::new(),
        note: String::new(),
        created_at: 0,
    };
    let token = secrecy::SecretString::from("late-comer");
    grok2api::accounts::add(&store.db, &store.vault, &[token], &template).await.unwrap();
    let state = app.gateway.pool().state().clone();
    let arrived = async {
        while state.census().active == 0 {
            state.released().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), arrived).await.unwrap();
    assert_eq!(app.client().chat("grok-3-fast", "hi").await.status, 200);
    app.stop().await;
}

#[tokio::test]
async fn a_setting_changed_beside_a_running_server_is_taken_over() {
    let app = TestApp::start().await;
    let startup =
        grok2api_config::StartUp { data_dir: app.folder.path().join("data"), ..grok2api_config::StartUp::default() };
    let other = grok2api::store::Store::open(&startup).await.unwrap();
    let change = BTreeMap::from([("chat.max_choices".to_owned(), Value::from(1))]);
    other.settings.update(&change).await.unwrap();
    assert!(app.settings.refresh().await.unwrap());
    assert_eq!(app.settings.handle().load().chat.max_choices, 1);
    app.stop().await;
}
