//! G13: canary secrets go through everything and turn up nowhere.

use std::process::Stdio;
use std::time::Duration;

use grok2api_config::{StartUp, Tier};
use grok2api_sim::Sim;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

const CANARIES: [&str; 6] = [
    "canary-token-basic-5f1c",
    "canary-token-super-77aa",
    "canary-client-key-0c9d1",
    "canary-clearance-b23e",
    "canary-statsig-91d0",
    "canary-prompt-3ee8",
];

#[tokio::test]
async fn g13_canary_secrets_are_in_no_log_answer_or_file() {
    let sim = Sim::builder().start("127.0.0.1:0").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    furnish(&data).await;
    let (mut server, url, log) = start_server(&sim, &data).await;
    let answers = use_everything(&url).await;
    // SIGTERM by pid of the process started here.
    let pid = server.id().unwrap().to_string();
    std::process::Command::new("kill").arg(&pid).status().unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), server.wait()).await.unwrap().unwrap();
    assert!(ended.success(), "{ended}");
    let log = log.await.unwrap();
    let password = first_password(&data);
    assert!(!log.contains(&password) && log.contains("admin-password"), "the log says where it is: {log}");
    assert!(log.contains("outcome"), "the log has the requests: {log}");
    for canary in CANARIES {
        assert!(!log.contains(canary), "{canary} is in the log: {log}");
        for (what, text) in &answers {
            assert!(!text.contains(canary), "{canary} is in the answer to {what}: {text}");
        }
        for file in files_below(&data) {
            let bytes = std::fs::read(&file).unwrap();
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{canary} is in {}", file.display());
        }
    }
}

/// The password that was made for the first administrator: in a file for its owner's eyes, since nobody saw a screen.
fn first_password(data: &std::path::Path) -> String {
    use std::os::unix::fs::PermissionsExt;

    let path = data.join("admin-password");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let password = std::fs::read_to_string(path).unwrap().trim().to_owned();
    assert_eq!(password.len(), 31, "130 bits in groups");
    password
}

/// All files of a folder and of the folders in it, the media store's among them.
fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

async fn furnish(data: &std::path::Path) {
    let startup = StartUp { data_dir: data.to_owned(), ..StartUp::default() };
    let store = grok2api::store::Store::open(&startup).await.unwrap();
    for (token, tier) in [
        (format!("{}.fault-flaky401marker:1", CANARIES[0]), Tier::Basic),
        (format!("{}.fault-flaky500:1", CANARIES[1]), Tier::Super),
    ] {
        let template = grok2api::accounts::Template { tier, tags: vec!["t".into()], note: "n".into(), created_at: 0 };
        let token = secrecy::SecretString::from(token);
        grok2api::accounts::add(&store.db, &store.vault, &[token], &template).await.unwrap();
    }
    let changes = [
        ("grok.api_key", CANARIES[2]),
        ("grok.cf_clearance", CANARIES[3]),
        ("grok.x_statsig_id", CANARIES[4]),
        ("global.log_level", "DEBUG"),
    ];
    let changes = changes.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
    store.settings.update(&changes).await.unwrap();
    store.db.close().await.unwrap();
}

async fn start_server(
    sim: &Sim,
    data: &std::path::Path,
) -> (tokio::process::Child, String, tokio::task::JoinHandle<String>) {
    let mut server = tokio::process::Command::new(grok2api_tests::binary())
        .arg("serve")
        .env("GROK2API_DATA_DIR", data)
        .env("GROK2API_LISTEN", "127.0.0.1:0")
        .env("GROK2API_LOG__FORMAT", "json")
        .env("RUST_LOG", "trace")
        .env("GROK2API_UPSTREAM__BASE_URL", sim.url())
        .env("GROK2API_UPSTREAM__ASSETS_BASE_URL", sim.url())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut errors = server.stderr.take().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let mut seen = String::new();
    let url = loop {
        let line = lines.next_line().await.unwrap().expect("the server says where it listens");
        seen.push_str(&line);
        seen.push('\n');
        let value: Value = serde_json::from_str(&line).unwrap_or_default();
        if let Some(address) = value["address"].as_str() {
            break format!("http://{address}");
        }
    };
    let log = tokio::spawn(async move {
        while let Some(line) = lines.next_line().await.unwrap() {
            seen.push_str(&line);
            seen.push('\n');
        }
        errors.read_to_string(&mut seen).await.unwrap();
        seen
    });
    (server, url, log)
}

/// Good and bad requests of every kind; returns what was asked and the whole answer, headers included.
async fn use_everything(url: &str) -> Vec<(String, String)> {
    let client = grok2api_tests::http();
    let question = |prompt: &str, stream: bool| json!({"model": "grok-4-fast", "stream": stream, "messages": [{"role": "user", "content": prompt}]});
    let mut answers = Vec::new();
    let chat = format!("{url}/v1/chat/completions");
    // The prompt's canary is looked for in logs only: an echo in the answer would be the model's business.
    for body in [
        question("hello", false),
        question("why?", true),
        question("fixture:09-error-mid-stream", true),
        question("fixture:10-error-first-line", false),
    ] {
        let request = client.post(&chat).bearer_auth(CANARIES[2]).json(&body);
        answers.push((body.to_string(), whole(request).await));
    }
    let silent =
        client.post(&chat).bearer_auth(CANARIES[2]).json(&question(&format!("say:fine {}", CANARIES[5]), false));
    silent.send().await.unwrap().bytes().await.unwrap();
    let bad = client.post(&chat).bearer_auth(CANARIES[2]).header("content-type", "application/json").body(CANARIES[5]);
    answers.push(("bad JSON".into(), whole(bad).await));
    answers.push(("wrong key".into(), whole(client.get(format!("{url}/v1/models")).bearer_auth("canary-wrong")).await));
    for path in [
        "/v1/models",
        "/v1/models/grok-4-fast",
        "/health",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/",
        "/nothing",
    ] {
        let request = client.get(format!("{url}{path}")).bearer_auth(CANARIES[2]);
        answers.push((path.to_owned(), whole(request).await));
    }
    answers
}

async fn whole(request: reqwest::RequestBuilder) -> String {
    let response = request.send().await.unwrap();
    let head = format!("{:?}", response.headers());
    head + &response.text().await.unwrap()
}
