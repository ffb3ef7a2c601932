//! Pictures and videos as they are ordered, and the host that hands them out.

use std::time::{Duration, Instant};

use crate::client::{CHAT, Client, Reply, chat, get, post};
use grok2api_sim::Sim;
use serde_json::{Value, json};

async fn sim() -> Sim {
    Sim::builder().start("127.0.0.1:0").await.unwrap()
}

async fn video(sim: &Sim, account: &str, prompt: &str) -> Reply {
    post(sim, CHAT, account, &video_body(prompt)).await
}

fn video_body(prompt: &str) -> Value {
    json!({"message": format!("{prompt} --mode=custom"), "modelName": "grok-3", "toolOverrides": {"videoGen": true}})
}

fn member<'a>(line: &'a Value, name: &str) -> &'a Value {
    &line["result"]["response"][name]
}

fn frames(reply: &Reply) -> Vec<Value> {
    let lines = reply.lines();
    let frames = lines.iter().map(|line| member(line, "streamingVideoGenerationResponse").clone());
    frames.filter(Value::is_object).collect()
}

fn path_of_video(reply: &Reply) -> String {
    let last = frames(reply).pop().unwrap();
    format!("/{}", last["videoUrl"].as_str().unwrap())
}

fn pictures(reply: &Reply) -> Vec<String> {
    let lines = reply.lines();
    let message = lines.iter().map(|line| member(line, "modelResponse")).find(|message| message.is_object()).unwrap();
    let list = message["generatedImageUrls"].as_array().unwrap();
    list.iter().map(|path| format!("/{}", path.as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_video_makes_as_many_steps_as_were_ordered_in_their_time() {
    let sim = sim().await;
    let began = Instant::now();
    let reply = video(&sim, "a", "Waves media:steps=4,gap_ms=30").await;
    assert!(began.elapsed() >= Duration::from_millis(4 * 30));
    let progress: Vec<u64> = frames(&reply).iter().map(|frame| frame["progress"].as_u64().unwrap()).collect();
    assert_eq!(progress, [1, 25, 50, 74, 100]);
}

#[tokio::test]
async fn f52_a_stalled_video_stays_at_its_last_step() {
    let sim = sim().await;
    let mut client = Client::connect(&sim).await;
    client.send("POST", CHAT, "a", &video_body("Waves media:steps=2,stall").to_string()).await;
    assert_eq!(client.head().await.unwrap().0, 200);
    for _ in 0..6 {
        let line = client.chunk().await.unwrap();
        assert!(!String::from_utf8(line).unwrap().contains("videoUrl"));
    }
    assert!(client.is_silent(Duration::from_millis(150)).await);
}

#[tokio::test]
async fn withheld_and_missing_results_can_be_ordered() {
    let sim = sim().await;
    let withheld = frames(&video(&sim, "a", "media:withheld=1").await).pop().unwrap();
    assert_eq!((&withheld["moderated"], withheld.get("videoUrl")), (&json!(true), None));
    assert!(!video(&sim, "a", "media:files=0").await.text().contains("videoUrl"));
    assert_eq!(pictures(&chat(&sim, "a", "draw media:files=3,withheld=1").await).len(), 2);
    assert!(pictures(&chat(&sim, "a", "draw media:files=0").await).is_empty());
    assert_eq!(pictures(&chat(&sim, "a", "draw a boat").await).len(), 2);
}

#[tokio::test]
async fn a_large_file_has_the_ordered_size_and_the_same_bytes_each_time() {
    let sim = sim().await;
    let path = path_of_video(&video(&sim, "a", "Waves media:mib=3").await);
    let (one, two) = (get(&sim, &path, "a").await, get(&sim, &path, "a").await);
    assert!(one.headers.contains("content-type: video/mp4") && one.headers.contains("content-length: 3145728"));
    assert_eq!((one.body().len(), &one.body()[4..8]), (3 << 20, &b"ftyp"[..]));
    assert!(one.complete && one.body() == two.body());
    assert_eq!(get(&sim, &path, "b").await.status, 403);
    let picture = &pictures(&chat(&sim, "a", "draw media:mib=1").await)[0];
    let picture = get(&sim, picture, "a").await;
    assert_eq!((picture.body().len(), &picture.body()[..3]), (1 << 20, &b"\xff\xd8\xff"[..]));
}

#[tokio::test]
async fn a_new_file_is_not_there_for_its_first_questions() {
    let sim = sim().await;
    let account = "a.fault-asset-fresh:2";
    let files = pictures(&chat(&sim, account, "draw a boat").await);
    for file in &files {
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(get(&sim, file, account).await.status);
        }
        assert_eq!(statuses, [404, 404, 200], "each file for itself");
    }
}

#[tokio::test]
async fn f5_downloads_can_be_cut_and_stalled_on_the_way() {
    let sim = sim().await;
    for (account, order, whole) in [
        ("a.fault-asset-cut:5", "draw a boat", None),
        ("b.fault-asset-cut:5", "draw media:mib=2", Some(5 * 65_536)),
        ("c.fault-asset-noend:5", "draw media:mib=2", Some(5 * 65_536)),
    ] {
        let file = pictures(&chat(&sim, account, order).await).remove(0);
        let reply = get(&sim, &file, account).await;
        assert_eq!((reply.status, reply.complete), (200, false), "{account}");
        assert!(!reply.body().is_empty() && whole.is_none_or(|bytes| reply.body().len() == bytes), "{account}");
    }
    let account = "d.fault-asset-stall:2";
    let file = pictures(&chat(&sim, account, "draw media:mib=1").await).remove(0);
    let mut client = Client::connect(&sim).await;
    client.send("GET", &file, account, "").await;
    assert_eq!(client.head().await.unwrap().0, 200);
    client.take(2 * 65_536).await;
    assert!(client.is_silent(Duration::from_millis(100)).await);
}

#[tokio::test]
async fn downloads_can_be_slow_and_can_be_something_else() {
    let sim = sim().await;
    let account = "a.fault-asset-paced:10";
    let file = pictures(&chat(&sim, account, "draw media:mib=1").await).remove(0);
    let began = Instant::now();
    assert!(get(&sim, &file, account).await.complete);
    assert!(began.elapsed() >= Duration::from_millis(150), "sixteen pieces, fifteen pauses");
    let page = "b.fault-asset-html200";
    let file = pictures(&chat(&sim, page, "draw a boat").await).remove(0);
    assert!(get(&sim, &file, page).await.headers.contains("text/html"));
    let garbage = "c.fault-asset-garbage";
    let file = pictures(&chat(&sim, garbage, "draw a boat").await).remove(0);
    assert!(get(&sim, &file, garbage).await.text().contains("no JSON"));
}
