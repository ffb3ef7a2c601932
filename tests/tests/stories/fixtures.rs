//! All recorded upstream streams through the whole HTTP path, streamed and not, in pieces of every size.

use grok2api_config::Tier;
use grok2api_tests::TestApp;
use grok2api_tests::fixture::{self, Expected};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Ways to hand a recorded body to the gateway.
const WAYS: [&str; 3] = ["", " pieces=7", " pieces=1"];

/// Any model will do: the recorded stream decides. Heavy is served by the paying account alone.
const MODEL: &str = "grok-4-fast";

async fn app() -> TestApp {
    // One attempt, so that an error is the recorded one and not what a second account says.
    TestApp::with(&[])
        .account("sue", Tier::Super)
        .setting("pool.max_attempts", 1)
        .setting("pool.max_in_flight", 64)
        .start()
        .await
}

fn prompts(expected: &Expected) -> Vec<String> {
    let mut prompts: Vec<String> = WAYS
        .iter()
        // 170 KiB a byte at a time would only measure patience.
        .filter(|way| !(expected.name.starts_with("14-") && way.ends_with("=1")))
        .map(|way| format!("fixture:{}{way}", expected.name))
        .collect();
    if let Some(splits) = expected.get("byte_splits").as_array() {
        let splits: Vec<String> = splits.iter().map(ToString::to_string).collect();
        prompts.push(format!("fixture:{} splits={}", expected.name, splits.join(",")));
    }
    prompts
}

fn check_text(expected: &Expected, base: &str, got: &str, how: &str) {
    if let Some(rendered) = expected.rendered() {
        assert_eq!(fixture::masked(got, base), rendered, "{how}");
        return;
    }
    let digest = Sha256::digest(got.as_bytes());
    let digest: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest.concat(), expected.text("content_sha256"), "{how}");
}

fn check_error(error: &Value, expected: &Value, how: &str) {
    assert_eq!(error["code"], expected["code"], "{how}");
    assert_eq!(error["type"], expected["type"], "{how}");
    if !expected["upstream_code"].is_null() {
        assert_eq!(error["message"], expected["message"], "{how}");
    }
}

#[tokio::test]
async fn every_fixture_gives_its_expected_whole_answer() {
    let app = app().await;
    for expected in fixture::all() {
        for prompt in prompts(&expected) {
            let answer = app.client().chat(MODEL, &prompt).await;
            if let Some(error) = expected.error() {
                assert_eq!(
                    answer.status.as_u16(),
                    u16::try_from(error["http_status"].as_u64().unwrap()).unwrap(),
                    "{prompt}"
                );
                check_error(&answer.json()["error"], error, &prompt);
                revive(&app);
                continue;
            }
            assert_eq!(answer.status, 200, "{prompt}: {}", answer.text);
            let json = answer.json();
            let choice = &json["choices"][0];
            check_text(&expected, &app.url, &answer.content(), &prompt);
            assert_eq!(
                choice["message"]["reasoning_content"].as_str().unwrap_or_default(),
                expected.text("reasoning"),
                "{prompt}"
            );
            assert_eq!(choice["finish_reason"], *expected.get("finish_reason"), "{prompt}");
            assert_eq!(json["model"], MODEL);
            let sources: Vec<&Value> =
                expected.get("search_sources").as_array().unwrap().iter().map(|s| &s["url"]).collect();
            let citations: Vec<&Value> = json["citations"].as_array().into_iter().flatten().collect();
            assert_eq!(citations, sources, "{prompt}");
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn every_fixture_gives_its_expected_stream() {
    let app = app().await;
    for expected in fixture::all() {
        for prompt in prompts(&expected) {
            let streamed = app.client().stream(MODEL, &prompt).await;
            let events = match (streamed, expected.error()) {
                (Ok(events), _) => events,
                (Err(answer), Some(error)) => {
                    assert!(!expected.has_text(), "{prompt}: text was read, so the stream must have begun");
                    assert_eq!(u64::from(answer.status.as_u16()), error["http_status"].as_u64().unwrap(), "{prompt}");
                    check_error(&answer.json()["error"], error, &prompt);
                    revive(&app);
                    continue;
                }
                (Err(answer), None) => panic!("{prompt}: {} {}", answer.status, answer.text),
            };
            check_stream(&app, &expected, &events, &prompt);
            revive(&app);
        }
    }
    app.stop().await;
}

fn check_stream(app: &TestApp, expected: &Expected, events: &grok2api_tests::ChatEvents, prompt: &str) {
    let chunks: Vec<Value> = events.chunks().into_iter().filter(|chunk| chunk.get("error").is_none()).collect();
    let ids: std::collections::BTreeSet<String> = chunks.iter().map(|chunk| chunk["id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "{prompt}: one id");
    assert!(chunks.iter().all(|chunk| chunk["model"] == MODEL && chunk["object"] == "chat.completion.chunk"));
    let roles = chunks.iter().filter(|chunk| chunk["choices"][0]["delta"].get("role").is_some()).count();
    assert_eq!(roles, 1, "{prompt}: the role comes once");
    // Progress of a video is shown as reasoning, but is none (rule R13).
    let reasoning = events.joined("reasoning_content");
    let reasoning: Vec<&str> = reasoning.lines().filter(|line| !line.starts_with("Video: ")).collect();
    assert_eq!(reasoning.join("\n").trim(), expected.text("reasoning"), "{prompt}");
    if let Some(error) = expected.error() {
        assert!(expected.has_text(), "{prompt}: an error before any text must be an HTTP status");
        assert!(!events.is_done(), "{prompt}: a broken answer must not end in [DONE]");
        assert_eq!(events.finish_reason(), None, "{prompt}");
        assert_eq!(events.joined("content").trim(), expected.text("content"), "{prompt}");
        check_error(&events.error().unwrap(), error, prompt);
    } else {
        assert!(events.is_done(), "{prompt}: {:?}", events.data.last());
        assert_eq!(events.error(), None, "{prompt}");
        check_text(expected, &app.url, events.joined("content").trim(), prompt);
        assert_eq!(events.finish_reason().as_deref(), expected.get("finish_reason").as_str(), "{prompt}");
    }
}

/// Recorded errors blame the account; the next recording needs it back.
fn revive(app: &TestApp) {
    let state = app.gateway.pool().state();
    for id in state.ids() {
        let (mut seed, _) = state.inspect(id).unwrap();
        seed.status = grok2api_pool::Status::Active;
        seed.refusals = 0;
        seed.budgets.clear();
        state.upsert(seed);
    }
}

#[tokio::test]
async fn r16_think_tags_stand_around_the_reasoning_and_are_always_closed() {
    let app = app().await;
    for expected in fixture::all() {
        if expected.text("reasoning").is_empty() {
            continue;
        }
        let body = serde_json::json!({
            "model": MODEL, "reasoning_format": "think_tags",
            "messages": [{"role": "user", "content": format!("fixture:{}", expected.name)}],
        });
        let events = app.client().stream_body(&body).await.unwrap();
        let streamed = events.joined("content");
        assert!(streamed.starts_with("<think>\n"), "{}: {streamed}", expected.name);
        assert_eq!(streamed.matches("\n</think>\n").count(), 1, "{}: {streamed}", expected.name);
        if expected.error().is_none() {
            let answer = app.client().post_chat(&body).await;
            let rendered = expected.rendered().unwrap();
            let whole = format!("<think>\n{}\n</think>\n{rendered}", expected.text("reasoning"));
            assert_eq!(fixture::masked(&answer.content(), &app.url), whole, "{}", expected.name);
        }
        revive(&app);
    }
    app.stop().await;
}

#[tokio::test]
async fn f47_a_stream_cut_anywhere_never_ends_in_a_false_done() {
    let app = app().await;
    for expected in fixture::all() {
        let body = grok2api_sim::fixture(expected.name).unwrap();
        if body.is_empty() || body.len() > 20_000 {
            continue;
        }
        for part in 1..12 {
            let cut = body.len() * part / 12;
            let prompt = format!("fixture:{} cut={cut}", expected.name);
            let (text, done) = match app.client().stream(MODEL, &prompt).await {
                Ok(events) => (events.joined("content"), events.is_done()),
                Err(answer) => {
                    assert!(answer.status.is_server_error() || answer.status.is_client_error());
                    (String::new(), false)
                }
            };
            let whole = expected.rendered().unwrap_or_default();
            let ended = has_end_marker(&body[..cut]);
            assert!(!done || ended, "{prompt}: [DONE] without an end marker");
            if !done {
                let plain = &fixture::masked(text.trim(), &app.url);
                assert!(whole.starts_with(plain) || expected.text("content").starts_with(plain), "{prompt}: {text}");
            }
            revive(&app);
        }
    }
    app.stop().await;
}

/// Whether whole lines of a cut body hold something that ends an answer (rule R15).
fn has_end_marker(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    text.lines().any(|line| {
        line.contains(r#""isSoftStop":true"#)
            || line.contains("finalMetadata")
            || line.contains("modelResponse")
            || line.contains("[DONE]")
            || line.contains(r#""progress":100"#)
    })
}
