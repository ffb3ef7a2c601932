//! What the answers look like on the wire.

use std::time::{Duration, Instant};

use crate::client::{CHAT, Client, Reply, chat, post, prompt};
use bytes::Bytes;
use grok2api_sim::{AnswerShape, Pace, Sim, bench_text, expected_bench_body};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpStream;

async fn sim() -> Sim {
    Sim::builder().start("127.0.0.1:0").await.unwrap()
}

fn kinds(lines: &[Value]) -> Vec<String> {
    let kind = |line: &Value| match &line["result"]["response"] {
        Value::Null => line["result"].as_object().unwrap().keys().next().unwrap().clone(),
        event if event["isSoftStop"] == true => "softStop".to_owned(),
        event => {
            let known = ["token", "userResponse", "uiLayout", "llmInfo", "finalMetadata", "modelResponse"];
            known.iter().find(|name| event.get(**name).is_some()).map_or("other", |name| *name).to_owned()
        }
    };
    let mut kinds: Vec<String> = lines.iter().map(kind).collect();
    kinds.dedup();
    kinds
}

#[tokio::test]
async fn a_plain_answer_has_every_line_in_the_upstreams_order() {
    let sim = sim().await;
    let body = json!({"message": "Hello", "modelName": "grok-3", "modelMode": "MODEL_MODE_FAST", "temporary": false});
    let reply = post(&sim, CHAT, "a", &body).await;
    let lines = reply.lines();
    assert_eq!(
        kinds(&lines),
        [
            "conversation",
            "userResponse",
            "uiLayout",
            "llmInfo",
            "token",
            "softStop",
            "finalMetadata",
            "modelResponse",
            "title"
        ]
    );
    assert_eq!(lines[1]["result"]["response"]["userResponse"]["message"], "Hello");
    let message =
        lines.iter().find_map(|line| line["result"]["response"]["modelResponse"]["message"].as_str()).unwrap();
    assert_eq!(message, reply.answer());
    assert!(message.contains("simulator"));
    assert_eq!(reply.chunks.len(), lines.len(), "one chunk for each line");
    assert_eq!(reply.body(), post(&sim, CHAT, "b", &body).await.body(), "the same question, the same bytes");
}

#[tokio::test]
async fn a_chinese_question_gets_a_chinese_answer() {
    let reply = chat(&sim().await, "a", "请介绍一下你自己").await;
    assert!(reply.answer().contains("模拟器"));
}

#[tokio::test]
async fn a_thinking_model_thinks_aloud_and_the_heavy_one_with_agents() {
    let sim = sim().await;
    let think = |mode: &str| json!({"message": "Why is the sky blue?", "modelName": "grok-4", "modelMode": mode});
    let thinking =
        |reply: &Reply| reply.lines().iter().filter(|line| line["result"]["response"]["isThinking"] == true).count();
    assert_eq!(thinking(&post(&sim, CHAT, "a", &think("MODEL_MODE_FAST")).await), 0);
    assert!(thinking(&post(&sim, CHAT, "a", &think("MODEL_MODE_EXPERT")).await) > 5);
    let heavy = post(&sim, CHAT, "super", &think("MODEL_MODE_HEAVY")).await.text();
    assert!(heavy.contains(r#""rolloutId":"Agent 1""#) && heavy.contains(r#""messageTag":"header""#));
}

#[tokio::test]
async fn a_search_has_cards_results_and_a_citation() {
    let sim = sim().await;
    let text = chat(&sim, "a", "search the news").await.text();
    for part in [
        "toolUsageCard\"",
        "webSearchResults\":{\"results\"",
        "xSearchResults",
        "cardAttachment",
        "<grok:render card_id",
    ] {
        assert!(text.contains(part), "{part}");
    }
    let body = json!({"message": "search the news", "modelName": "grok-3", "disableSearch": true});
    assert!(!post(&sim, CHAT, "a", &body).await.text().contains("toolUsageCard"));
}

#[tokio::test]
async fn a_video_makes_progress_and_ends_with_its_address() {
    let sim = sim().await;
    let body = json!({"message": "Waves --mode=custom", "modelName": "grok-3", "toolOverrides": {"videoGen": true}});
    let lines = post(&sim, CHAT, "a", &body).await.lines();
    let progress: Vec<_> = lines
        .iter()
        .filter_map(|line| line["result"]["response"]["streamingVideoGenerationResponse"]["progress"].as_u64())
        .collect();
    assert!(progress.is_sorted() && progress.last() == Some(&100));
    assert!(lines.iter().any(|line| line.to_string().contains("generated_video.mp4")));
}

#[tokio::test]
async fn an_ordered_answer_is_exact_to_the_last_byte() {
    let sim = sim().await;
    let body = prompt("bench:chunks=200,bytes=5");
    let reply = post(&sim, CHAT, "a", &body).await;
    assert_eq!(reply.answer(), bench_text(200, 5));
    assert_eq!(Some(Bytes::from(reply.body())), expected_bench_body(body.to_string().as_bytes()));
    assert_eq!(reply.chunks.len(), 207);
}

#[tokio::test]
async fn a_paced_answer_keeps_its_schedule() {
    let sim = Sim::builder().pace(Pace::Every(Duration::from_millis(20))).start("127.0.0.1:0").await.unwrap();
    let begin = Instant::now();
    let reply = chat(&sim, "a", "bench:chunks=11,bytes=5").await;
    let took = begin.elapsed();
    assert!((200..900).contains(&took.as_millis()), "{took:?}");
    assert_eq!(reply.answer(), bench_text(11, 5));
}

#[tokio::test]
async fn w5_a_waiting_answer_sends_one_token_and_then_nothing() {
    let sim = sim().await;
    let mut client = Client::chatting(&sim, "a", "bench:wait").await;
    client.head().await.unwrap();
    for _ in 0..5 {
        assert!(!client.chunk().await.unwrap().is_empty());
    }
    assert!(client.is_silent(Duration::from_millis(100)).await);
}

#[tokio::test]
async fn every_answer_has_the_shape_that_was_built_in() {
    let shape = AnswerShape { chunks: 30, chunk_bytes: 8 };
    let sim = Sim::builder().answer(shape).pace(Pace::Burst).start("127.0.0.1:0").await.unwrap();
    assert_eq!(chat(&sim, "a", "anything").await.answer(), bench_text(30, 8));
}

#[tokio::test]
async fn http2_without_tls_is_spoken_as_well() {
    let sim = sim().await;
    let socket = TcpStream::connect(sim.addr()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.unwrap();
    let talk = async {
        let request = Request::post(format!("{}{CHAT}", sim.url()))
            .header("cookie", "sso=a")
            .body(Full::new(Bytes::from(prompt("bench:chunks=20,bytes=5").to_string())))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        response.into_body().collect().await.unwrap().to_bytes()
    };
    let body = tokio::select! {
        body = talk => body,
        ended = connection => panic!("the connection ended: {ended:?}"),
    };
    assert_eq!(Some(body), expected_bench_body(prompt("bench:chunks=20,bytes=5").to_string().as_bytes()));
}

#[tokio::test]
async fn shutdown_ends_everything() {
    let sim = sim().await;
    let mut client = Client::chatting(&sim, "a", "bench:wait").await;
    client.head().await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), sim.shutdown()).await.unwrap();
    assert!(TcpStream::connect(sim.addr()).await.is_err());
    assert_eq!(sim.running(), 0);
}
