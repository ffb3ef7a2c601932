//! The official OpenAI libraries against a running gateway: what they make of every answer and every error.
//!
//! Each test starts gateways whose only accounts misbehave in one way, installs the library at the version that is
//! pinned in `tests/sdk/` (once, below the target folder), and runs the script there. A missing interpreter is a failure.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use grok2api_tests::TestApp;
use sha2::{Digest, Sha256};
use tokio::process::Command;

const KEY: &str = "g2a_test-key-of-the-libraries";
const INSTALL_LIMIT: Duration = Duration::from_secs(300);
const SCRIPT_LIMIT: Duration = Duration::from_secs(120);
/// Names by which the scripts ask for a gateway, and the accounts in its pool.
const POOLS: [(&str, &[&str]); 9] = [
    ("healthy", &["ann", "bob"]),
    ("empty", &[]),
    ("limited", &["x.fault-429:1"]),
    ("failing", &["x.fault-500"]),
    ("overloaded", &["x.fault-503"]),
    ("silent", &["x.fault-silent"]),
    ("breaking", &["x.fault-errormid:8"]),
    ("cut", &["x.fault-cut:8"]),
    ("recovering", &["x.fault-flaky500:1"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn openai_python_understands_every_answer_and_every_error() {
    conforms(python()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mcp_client_finds_and_calls_the_tools() {
    let mut command = mcp().await.unwrap_or_else(|error| panic!("{error:#}"));
    let gateways = gateways().await;
    let ended = run(with(&mut command, &gateways), SCRIPT_LIMIT).await;
    for (name, app) in gateways {
        assert!(app.no_lease_within(Duration::from_secs(10)).await, "a call of the gateway '{name}' never ended");
        app.stop().await;
    }
    if let Err(error) = ended {
        panic!("{error:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openai_node_understands_every_answer_and_every_error() {
    conforms(node()).await;
}

/// Runs a prepared script against all gateways, and ends them in order.
async fn conforms(script: impl Future<Output = Result<Command>>) {
    let mut command = script.await.unwrap_or_else(|error| panic!("{error:#}"));
    let gateways = gateways().await;
    let ended = run(with(&mut command, &gateways), SCRIPT_LIMIT).await;
    let uploads: u64 = gateways[0].1.sim.accounts().values().map(|account| account.uploads).sum();
    for (name, app) in gateways {
        assert!(app.no_lease_within(Duration::from_secs(10)).await, "a call of the gateway '{name}' never ended");
        app.stop().await;
    }
    if let Err(error) = ended {
        panic!("{error:#}");
    }
    assert_eq!(uploads, 3, "pictures of a chat, an edit and a video, each uploaded once");
}

/// Tells a script where the gateways are.
fn with<'a>(command: &'a mut Command, gateways: &[(&'static str, TestApp)]) -> &'a mut Command {
    let urls: serde_json::Map<_, _> =
        gateways.iter().map(|(name, app)| ((*name).to_owned(), app.url.clone().into())).collect();
    command
        .env("GATEWAYS", serde_json::Value::from(urls).to_string())
        .env("GATEWAY_KEY", KEY)
        .env("NO_PROXY", "127.0.0.1")
}

async fn gateways() -> Vec<(&'static str, TestApp)> {
    let mut gateways = Vec::new();
    for (name, accounts) in POOLS {
        let app = TestApp::with(accounts).setting("grok.api_key", KEY);
        let app = if name == "silent" { app.setting("grok.stream_first_response_timeout", 1) } else { app };
        gateways.push((name, app.start().await));
    }
    gateways
}

/// The script of the OpenAI library.
async fn python() -> Result<Command> {
    Ok(script(&in_python("python", "python/requirements.txt").await?, "python/conformance.py"))
}

/// What is asked of a part of the API.
struct Asked {
    /// Which paths.
    paths: &'static str,
    /// Which of them are left to another turn.
    but: &'static str,
    /// In whose name.
    token: &'static str,
    /// Cases for each operation at most.
    each: u32,
    /// What is not looked at.
    unchecked: &'static str,
}

/// The old gateway answers 500 when an account that is to be labelled is not there, and so does this one.
const AS_BEFORE: &str = "^/api/tokens/(tags|note)$";
/// Clients first: administrators may take all accounts away.
const ASKED: [Asked; 3] = [
    Asked { paths: "^/", but: "^/api/", token: KEY, each: 45, unchecked: "unsupported_method" },
    Asked { paths: "^/api/", but: AS_BEFORE, token: ADMIN_TOKEN, each: 30, unchecked: "unsupported_method" },
    Asked { paths: AS_BEFORE, but: "^$", token: ADMIN_TOKEN, each: 30, unchecked: "not_a_server_error" },
];
/// Cases that must have been tried in all.
const CASES: u64 = 5_000;
const ADMIN_TOKEN: &str = "the-operators-token-1";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance";
const FUZZ_LIMIT: Duration = Duration::from_secs(240);

/// Everything that the document allows, and much that it does not, is answered as the document says: no server error, no
/// status, type of content or form that it does not name.
#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_keeps_to_its_document() {
    let home = in_python("schemathesis", "python/schemathesis-requirements.txt").await;
    let python = home.unwrap_or_else(|error| panic!("{error:#}")).join("bin/python");
    let app = TestApp::with(&["ann", "bob"]).setting("grok.api_key", KEY);
    let app = app.setting("schedules.token_test", "off").setting("schedules.quota_reset", "off");
    let app = app.startup(|startup| startup.server.admin_token = Some(ADMIN_TOKEN.into())).start().await;
    let reports = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let mut cases = 0;
    for (place, asked) in ASKED.into_iter().enumerate() {
        let report = reports.path().join(format!("{place}.json"));
        let mut command = Command::new(&python);
        command.args(["-B", "-m", "schemathesis.cli", "run"]).arg(format!("{}/openapi.json", app.url));
        command.args(["--url", &app.url, "--header", &format!("Authorization: Bearer {}", asked.token)]);
        command.args(["--include-path-regex", asked.paths, "--exclude-path-regex", asked.but]);
        command.args(["--checks", CHECKS, "--exclude-checks", asked.unchecked]);
        command.args(["--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--no-color"]);
        command.args(["--generation-deterministic", "--workers", "2"]);
        command.args(["--max-examples", &asked.each.to_string(), "--request-timeout", "30"]);
        command.args(["--report", "json", "--report-json-path"]).arg(&report);
        command.env("NO_PROXY", "127.0.0.1").current_dir(reports.path());
        // It ends badly after trouble of its own as well: the report tells what the gateway did.
        let ended = run(&mut command, FUZZ_LIMIT).await.map_or_else(|error| format!("{error:#}"), |()| String::new());
        cases += tried(&report).unwrap_or_else(|error| panic!("{error:#}\n{ended}"));
    }
    eprintln!("{cases} cases");
    assert!(cases >= CASES, "{cases} cases were tried");
    app.stop().await;
}

/// How many cases a report tells of, if the gateway kept to its document in all of them.
///
/// # Errors
/// It did not, or something could not be tried. That the tool could not draw the same values twice, on a machine that is
/// busy, says nothing about the gateway.
fn tried(report: &Path) -> Result<u64> {
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(report)?)?;
    let list = |name: &str| report[name].as_array().cloned().with_context(|| format!("no {name} in {report}"));
    let failures = list("failures")?;
    ensure!(failures.is_empty(), "{} failures: {}", failures.len(), serde_json::Value::from(failures.clone()));
    let is_ours = |error: &serde_json::Value| !error.to_string().contains("Inconsistent results");
    let errors: Vec<_> = list("errors")?.into_iter().filter(is_ours).collect();
    ensure!(errors.is_empty(), "{}", serde_json::Value::from(errors));
    report["test_cases"]["generated"].as_u64().with_context(|| format!("no number of cases in {report}"))
}

/// The script of the MCP client.
async fn mcp() -> Result<Command> {
    Ok(script(&in_python("mcp", "python/mcp-requirements.txt").await?, "python/mcp_conformance.py"))
}

/// A Python script in an environment.
fn script(home: &Path, name: &str) -> Command {
    let mut command = Command::new(home.join("bin/python"));
    command.arg("-B").arg(source(name));
    command
}

/// A Python environment with pinned libraries.
async fn in_python(name: &str, requirements: &str) -> Result<PathBuf> {
    let version = version("python3", "python3 and python3-venv").await?;
    let pins = [source(requirements)];
    let home = installed(name, &version, &pins, async |home: &Path| {
        run(Command::new("python3").args(["-m", "venv"]).arg(home), INSTALL_LIMIT).await?;
        let mut pip = Command::new(home.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
        pip.args(["--require-hashes", "--only-binary", ":all:", "--requirement"]).args(&pins);
        run(&mut pip, INSTALL_LIMIT).await
    });
    home.await
}

/// The Node script beside the pinned library.
async fn node() -> Result<Command> {
    let version = version("node", "nodejs 20 or newer").await?;
    self::version("npm", "npm").await?;
    let pins = ["node/package.json", "node/package-lock.json", "node/.npmrc"].map(source);
    let home = installed("node", &version, &pins, async |home: &Path| {
        std::fs::create_dir_all(home)?;
        for pin in &pins {
            copy_into(home, pin)?;
        }
        run(Command::new("npm").args(["ci", "--ignore-scripts"]).current_dir(home), INSTALL_LIMIT).await
    });
    let home = home.await?;
    // An import is looked up from the folder of the file that asks for it.
    let script = copy_into(&home, &source("node/conformance.mjs"))?;
    let mut command = Command::new("node");
    command.arg("--test").arg(script).current_dir(home);
    Ok(command)
}

/// A folder that `install` has filled; used again as long as the interpreter and the pins stay the same.
async fn installed(
    language: &str,
    version: &str,
    pins: &[PathBuf],
    install: impl AsyncFnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let mut digest = Sha256::new_with_prefix(version);
    for pin in pins {
        digest.update(std::fs::read(pin).with_context(|| pin.display().to_string())?);
    }
    let digest = u64::from_be_bytes(digest.finalize()[..8].try_into()?);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("sdk");
    let home = folder.join(format!("{language}-{digest:016x}"));
    if home.exists() {
        return Ok(home);
    }
    std::fs::create_dir_all(&folder)?;
    let unfinished = folder.join(format!("{language}-{digest:016x}.{}", std::process::id()));
    if let Err(error) = install(&unfinished).await {
        let _ = std::fs::remove_dir_all(&unfinished);
        return Err(error.context(format!("the libraries for {language} cannot be installed")));
    }
    // Whoever comes second finds the folder in place and throws its own away.
    if std::fs::rename(&unfinished, &home).is_err() {
        ensure!(home.exists(), "{} cannot be made", home.display());
        std::fs::remove_dir_all(&unfinished)?;
    }
    Ok(home)
}

/// What `program --version` says.
async fn version(program: &str, package: &str) -> Result<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().await;
    let output = output.with_context(|| format!("'{program}' is needed for this test: install {package}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command to its end; the error holds what it printed.
async fn run(command: &mut Command, limit: Duration) -> Result<()> {
    let shown = format!("{:?}", command.as_std());
    let running = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = match tokio::time::timeout(limit, running).await {
        Ok(output) => output.with_context(|| shown.clone())?,
        Err(_) => bail!("not done after {limit:?}: {shown}"),
    };
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{shown}: {}\n{printed}", output.status);
    Ok(())
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk").join(name)
}

fn copy_into(folder: &Path, file: &Path) -> Result<PathBuf> {
    let copy = folder.join(file.file_name().context("a file has a name")?);
    std::fs::copy(file, &copy).with_context(|| file.display().to_string())?;
    Ok(copy)
}
