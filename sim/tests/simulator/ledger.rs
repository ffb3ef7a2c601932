//! What another process can ask: which submissions were accepted, and who came where nobody may.

use std::time::Duration;

use crate::client::{CHAT, Client, chat, get, post, prompt};
use grok2api_sim::{CreateStats, Script, Sim};
use serde_json::{Value, json};

const LONG: Duration = Duration::from_secs(5);

async fn sim() -> Sim {
    Sim::builder().record(false).start("127.0.0.1:0").await.unwrap()
}

async fn creates(sim: &Sim) -> Value {
    get(sim, "/__sim/creates", "nobody").await.json()
}

async fn settled(sim: &Sim) {
    assert!(sim.wait_until(LONG, |sim| sim.running() == 0).await);
}

fn video(message: &str) -> Value {
    json!({"message": message, "modelName": "grok-3", "modelMode": "MODEL_MODE_FAST", "toolOverrides": {"videoGen": true}})
}

#[tokio::test]
async fn g1_accepted_submissions_are_counted_by_their_mark_or_their_prompt() {
    let sim = sim().await;
    post(&sim, CHAT, "ann", &video("Waves [[id=job-1]] --mode=custom")).await;
    post(&sim, CHAT, "bob", &video("Waves [[id=job-1]] --mode=custom")).await;
    chat(&sim, "ann", "draw a boat").await;
    chat(&sim, "ann", "hello [[id=job-2]]").await;
    chat(&sim, "ann", "hello").await;
    settled(&sim).await;
    let told = creates(&sim).await;
    assert_eq!((&told["creates"], &told["completions"], &told["running"]), (&json!(5), &json!(5), &json!(0)));
    let twice = json!({"creates": 2, "completions": 2, "running": 0, "max_running": 1, "accounts": ["ann", "bob"]});
    assert_eq!(told["by_name"]["job-1"], twice);
    assert_eq!(told["by_name"]["draw a boat"]["creates"], 1);
    assert_eq!(told["by_name"]["job-2"]["completions"], 1);
    assert_eq!(told["by_name"].as_object().unwrap().len(), 3, "a chat without a mark has no name");
}

#[tokio::test]
async fn g1_what_was_refused_is_no_create() {
    let sim = sim().await;
    for fault in ["429", "500", "401", "403html", "404", "empty", "errorline", "moderated", "nomodel", "html200"] {
        chat(&sim, &format!("a.fault-{fault}"), "draw [[id=refused]]").await;
    }
    Client::chatting(&sim, "a.fault-close", "draw [[id=refused]]").await.head().await;
    sim.script(Script::status(503));
    chat(&sim, "a", "draw [[id=refused]]").await;
    sim.set_budget("dry", "grok-3", 0, 80, Duration::from_secs(60), None);
    assert_eq!(chat(&sim, "dry", "draw [[id=refused]]").await.status, 429);
    settled(&sim).await;
    assert_eq!((sim.creates().creates, sim.creates().by_name.len()), (0, 0));
}

#[tokio::test]
async fn f3_a_create_counts_from_its_acceptance_even_if_nobody_hears_of_it() {
    let sim = sim().await;
    let mut client = Client::chatting(&sim, "a", "draw media:head_ms=60000 [[id=unheard]]").await;
    assert!(sim.wait_until(LONG, |sim| sim.creates().by_name.contains_key("unheard")).await);
    assert!(client.is_silent(Duration::from_millis(50)).await, "the head is held back");
    let running =
        CreateStats { creates: 1, running: 1, max_running: 1, accounts: vec!["a".into()], ..CreateStats::default() };
    assert_eq!(sim.creates().by_name["unheard"], running);
    drop(client);
    settled(&sim).await;
    let left = CreateStats { running: 0, ..running };
    assert_eq!((&sim.creates().by_name["unheard"], sim.cancelled()), (&left, 1));
}

#[tokio::test]
async fn a_broken_answer_is_a_create_that_was_not_completed() {
    let sim = sim().await;
    for (fault, mark) in [("cut", "1"), ("noend", "2"), ("errormid", "3")] {
        chat(&sim, &format!("a.fault-{fault}"), &format!("draw a boat [[id={mark}]]")).await;
    }
    sim.script(Script::fixture("16").unwrap());
    chat(&sim, "a", "[[id=4]]").await;
    settled(&sim).await;
    let ledger = sim.creates();
    let seen: Vec<_> = ledger.by_name.values().map(|stats| (stats.creates, stats.completions)).collect();
    // A recording is sent to its end, whatever it holds.
    assert_eq!(seen, [(1, 0), (1, 0), (1, 0), (1, 1)]);
}

#[tokio::test]
async fn two_answers_to_one_submission_at_the_same_time_are_seen() {
    let sim = sim().await;
    let mut clients = Vec::new();
    for account in ["a", "b"] {
        clients.push(Client::chatting(&sim, account, "bench:wait [[id=same]]").await);
    }
    let doubled = |sim: &Sim| sim.creates().by_name.get("same").is_some_and(|stats| stats.max_running == 2);
    assert!(sim.wait_until(LONG, doubled).await);
    drop(clients);
    settled(&sim).await;
    assert_eq!((sim.creates().by_name["same"].running, sim.creates().by_name["same"].max_running), (0, 2));
}

#[tokio::test]
async fn reset_forgets_what_is_over_and_keeps_what_runs() {
    let sim = sim().await;
    chat(&sim, "a", "draw [[id=over]]").await;
    let waiting = Client::chatting(&sim, "a", "bench:wait [[id=runs]]").await;
    assert!(sim.wait_until(LONG, |sim| sim.creates().by_name.len() == 2 && sim.running() == 1).await);
    assert_eq!(post(&sim, "/__sim/reset", "nobody", &json!({})).await.status, 200);
    let left = creates(&sim).await;
    assert_eq!((&left["creates"], &left["running"]), (&json!(0), &json!(1)));
    assert_eq!((&left["by_name"]["runs"]["running"], left["by_name"].get("over")), (&json!(1), None));
    drop(waiting);
    settled(&sim).await;
    assert_eq!(creates(&sim).await["running"], 0);
}

#[tokio::test]
async fn faults_can_be_set_from_another_process() {
    let sim = sim().await;
    post(&sim, "/__sim/faults", "nobody", &json!({"faults": ["500"]})).await;
    assert_eq!(chat(&sim, "a", "hi").await.status, 500);
    post(&sim, "/__sim/faults", "nobody", &json!({"faults": []})).await;
    post(&sim, "/__sim/faults", "nobody", &json!({"account": "a", "faults": ["429:3"]})).await;
    assert_eq!((chat(&sim, "a", "hi").await.status, chat(&sim, "b", "hi").await.status), (429, 200));
    assert_eq!(post(&sim, "/__sim/faults", "nobody", &json!({"fault": "500"})).await.status, 400);
    assert_eq!(get(&sim, "/__sim/nothing", "nobody").await.status, 404);
}

#[tokio::test]
async fn c7_credentials_in_the_wrong_place_are_counted() {
    let sim = sim().await;
    get(&sim, "/honeypot", "a").await;
    get(&sim, "/users/somebody-else/generated/x/image.jpg", "a").await;
    get(&sim, "/users/somebody-else/generated/x/image.jpg", "a").await;
    let stats = get(&sim, "/__sim/stats", "nobody").await.json();
    assert_eq!((&stats["honeypot_visits"], &stats["leaked_credentials"]), (&json!(1), &json!(1)));
    assert_eq!((&stats["foreign_downloads"], &stats["accounts"]["a"]["asset_calls"]), (&json!(2), &json!(2)));
    assert!(stats["accounts"].get("nobody").is_none(), "who only asks is no account");
    assert_eq!((sim.leaked_credentials(), sim.foreign_downloads()), (1, 2));
    assert_eq!(chat(&sim, "a", prompt("hi")["message"].as_str().unwrap()).await.status, 200);
}
