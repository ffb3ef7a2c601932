//! Every answered request leaves a row and is added to its hour, and nothing of what was said.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use grok2api_entity::{connect, request_log, usage_hour};
use grok2api_sim::{Pace, Sim};
use grok2api_tests::TestApp;
use reqwest::Method;
use sea_orm::{DatabaseConnection, EntityTrait, PaginatorTrait};

const CANARY: &str = "canary-prompt-8d2f61";
const PATIENCE: Duration = Duration::from_secs(30);

async fn database(folder: &Path) -> DatabaseConnection {
    connect::file(&folder.join("data/grok2api.db")).await.unwrap()
}

/// Waits for so many rows, and gives them by their request ids.
async fn rows(db: &DatabaseConnection, count: u64) -> BTreeMap<String, request_log::Model> {
    let written = async {
        while request_log::Entity::find().count(db).await.unwrap() < count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, written).await.unwrap();
    let rows = request_log::Entity::find().all(db).await.unwrap();
    assert_eq!(rows.len() as u64, count);
    rows.into_iter().map(|row| (row.request_id.clone(), row)).collect()
}

/// Asks as a client that names its requests.
async fn ask(app: &TestApp, id: &str, body: &serde_json::Value) -> u16 {
    let client = app.client();
    let request = client.request(Method::POST, "/v1/chat/completions").header("x-request-id", id).json(body);
    client.send(request).await.status.as_u16()
}

fn question(model: &str, prompt: &str, stream: bool) -> serde_json::Value {
    serde_json::json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": prompt}]})
}

/// How a request ended: status, error code, whether streamed, upstream calls.
fn ending(row: &request_log::Model) -> (i32, Option<&str>, bool, i32) {
    (row.status, row.error_code.as_deref(), row.streamed, row.attempts)
}

/// Asserts that the hours are the sums of the rows, and no more.
async fn assert_sums(db: &DatabaseConnection, rows: &BTreeMap<String, request_log::Model>) {
    type Sums = [i64; 10];
    let mut wanted: BTreeMap<(i64, &str, &str), Sums> = BTreeMap::new();
    for row in rows.values() {
        let sums = wanted.entry((row.at - row.at % 3_600_000, &row.model, &row.owner)).or_default();
        let figures = [
            1,
            i64::from(row.error_code.is_some()),
            row.prompt_tokens,
            row.completion_tokens,
            row.reasoning_tokens,
            row.images.into(),
            row.videos.into(),
            row.first_ms.unwrap_or(0),
            i64::from(row.first_ms.is_some()),
            row.total_ms,
        ];
        sums.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
    }
    let hours = usage_hour::Entity::find().all(db).await.unwrap();
    let stored: BTreeMap<(i64, &str, &str), Sums> = hours
        .iter()
        .map(|hour| {
            let sums = [
                hour.requests,
                hour.errors,
                hour.prompt_tokens,
                hour.completion_tokens,
                hour.reasoning_tokens,
                hour.images,
                hour.videos,
                hour.first_ms,
                hour.firsts,
                hour.total_ms,
            ];
            ((hour.hour, &*hour.model, &*hour.owner), sums)
        })
        .collect();
    assert_eq!(stored, wanted);
}

#[tokio::test]
async fn every_answered_request_is_a_row_and_part_of_its_hour() {
    let app = TestApp::start().await;
    assert_eq!(ask(&app, "plain", &question("grok-3-fast", &format!("say:fine {CANARY}"), false)).await, 200);
    assert_eq!(ask(&app, "thinking", &question("grok-4-fast", "why?", true)).await, 200);
    assert_eq!(ask(&app, "drawn", &question("grok-3-fast", "fixture:04-image-generation", false)).await, 200);
    assert_eq!(ask(&app, "drawn-stream", &question("grok-3-fast", "fixture:04-image-generation", true)).await, 200);
    assert_eq!(ask(&app, "broken", &question("grok-3-fast", "fixture:09-error-mid-stream", true)).await, 200);
    let failed = ask(&app, "failed", &question("grok-3-fast", "fixture:10-error-first-line", false)).await;
    assert_eq!(ask(&app, "no-model", &question(CANARY, CANARY, false)).await, 404);
    assert_eq!(ask(&app, "no-messages", &serde_json::json!({"model": CANARY})).await, 400);
    assert_eq!(app.client_with_key(Some(CANARY)).chat("grok-3-fast", CANARY).await.status, 401);

    let db = database(app.folder.path()).await;
    let written = rows(&db, 8).await;
    let plain = &written["plain"];
    assert_eq!(ending(plain), (200, None, false, 1));
    assert_eq!((&*plain.endpoint, &*plain.model), ("/v1/chat/completions", "grok-3-fast"));
    assert!(plain.owner.starts_with("key_") && written.values().all(|row| row.owner == plain.owner));
    assert!(plain.account_id.is_some() && plain.prompt_tokens > 0 && plain.completion_tokens > 0);
    assert_eq!((plain.reasoning_tokens, plain.images, plain.videos), (0, 0, 0));
    assert!(plain.first_ms.is_some_and(|first| first <= plain.total_ms));

    let thinking = &written["thinking"];
    assert_eq!(ending(thinking), (200, None, true, 1));
    assert!(thinking.reasoning_tokens > 0 && thinking.completion_tokens > thinking.reasoning_tokens);
    for id in ["drawn", "drawn-stream"] {
        assert_eq!((ending(&written[id]).1, written[id].images), (None, 2), "{id}");
    }
    let (status, code, streamed, attempts) = ending(&written["broken"]);
    assert_eq!((status, streamed, attempts), (200, true, 1));
    assert!(code.is_some_and(|code| code.starts_with("upstream_")), "{code:?}");
    let (status, code, streamed, attempts) = ending(&written["failed"]);
    assert_eq!((status, streamed), (i32::from(failed), false));
    assert!(code.is_some_and(|code| code.starts_with("upstream_")) && attempts > 0, "{code:?} {attempts}");
    assert!(written["failed"].account_id.is_some());
    assert_eq!(ending(&written["no-model"]), (404, Some("model_not_found"), false, 0));
    assert_eq!(ending(&written["no-messages"]).0, 400);
    for id in ["no-model", "no-messages"] {
        assert_eq!((&*written[id].model, &*written[id].endpoint), ("unknown", "/v1/chat/completions"));
    }
    assert_sums(&db, &written).await;
    db.close().await.unwrap();

    let folder = app.stop().await;
    let files = std::fs::read_dir(folder.path().join("data")).unwrap().map(|file| file.unwrap().path());
    for path in files.filter(|path| path.is_file()) {
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()), "{}", path.display());
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_counted_with_what_it_got() {
    let app = TestApp::with(&["ann"]).sim(Sim::builder().pace(Pace::Every(Duration::from_millis(5)))).start().await;
    let response = app.client().open_stream("grok-3-fast", "bench:chunks=4000,bytes=5,gap_ms=5").await;
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let mut events = response.bytes_stream();
    let mut read = 0;
    while read < 2_000 {
        read += events.next().await.unwrap().unwrap().len();
    }
    drop(events);
    assert!(app.no_lease_within(PATIENCE).await);

    // Ended in order, the server has written everything down.
    let folder = app.stop().await;
    let db = database(folder.path()).await;
    let written = rows(&db, 1).await;
    assert_eq!(ending(&written[&id]), (200, Some("client_gone"), true, 1));
    assert!(written[&id].completion_tokens > 0 && written[&id].first_ms.is_some());
    assert_sums(&db, &written).await;
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_begins_is_counted_too() {
    let app = TestApp::with(&["ann.fault-silent"]).start().await;
    let client = app.client();
    let waiting = tokio::spawn(async move { client.chat("grok-3-fast", "hello").await });
    assert!(app.sim.wait_until(PATIENCE, |sim| sim.total_calls() == 1).await);
    waiting.abort();
    assert!(app.no_lease_within(PATIENCE).await);

    let folder = app.stop().await;
    let db = database(folder.path()).await;
    let written = rows(&db, 1).await;
    let row = written.values().next().unwrap();
    assert_eq!(ending(row), (499, Some("client_gone"), false, 1));
    assert!(row.account_id.is_some() && row.first_ms.is_none());
    assert_sums(&db, &written).await;
}

#[tokio::test]
async fn a_video_counts_when_it_is_made_whoever_waits_for_it() {
    let app = TestApp::start().await;
    let db = database(app.folder.path()).await;
    // One is shown in a chat, one is asked for and left alone.
    assert_eq!(ask(&app, "shown", &question("grok-imagine-0.9", "the sun rises", false)).await, 200);
    assert_eq!(ask(&app, "streamed", &question("grok-imagine-0.9", "the sun sets", true)).await, 200);
    let client = app.client();
    let alone = client.request(Method::POST, "/v1/videos").header("x-request-id", "alone");
    let alone = client.send(alone.json(&serde_json::json!({"prompt": "the moon rises"}))).await;
    assert_eq!(alone.status, 200, "{}", alone.text);
    let made = async {
        let count =
            async || usage_hour::Entity::find().all(&db).await.unwrap().iter().map(|hour| hour.videos).sum::<i64>();
        while count().await < 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        count().await
    };
    assert_eq!(tokio::time::timeout(PATIENCE, made).await.unwrap(), 3);
    let written = rows(&db, 3).await;
    for (id, streamed) in [("shown", false), ("streamed", true)] {
        assert_eq!((ending(&written[id]), written[id].videos), ((200, None, streamed, 1), 1), "{id}");
        assert!(written[id].account_id.is_some(), "{id}");
    }
    assert_eq!((ending(&written["alone"]), written["alone"].videos), ((200, None, false, 0), 0));
    let hours = usage_hour::Entity::find().all(&db).await.unwrap();
    let sum = |figure: fn(&usage_hour::Model) -> i64| hours.iter().map(figure).sum::<i64>();
    assert_eq!((sum(|hour| hour.requests), sum(|hour| hour.videos)), (3, 3), "each once: {hours:?}");
    assert!(hours.iter().all(|hour| hour.model == written["alone"].model && hour.owner == written["alone"].owner));
}
