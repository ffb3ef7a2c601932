//! `doctor`: does everything that the program needs work, and if not, what is to be done?

mod finding;
mod machine;
mod records;
mod servers;

use std::process::ExitCode;

use clap::Args;
use grok2api_config::{ConfigError, Loaded};
use serde_json::{Value, json};

use self::finding::{Finding, Standing};
use super::output::Output;

/// How to tell.
#[derive(Debug, Args)]
#[command(
    after_help = "Changes nothing, and sends no credential anywhere. Exit code 1 when something does not work.\n\nExamples:\n  grok2api doctor\n  grok2api doctor --json | jq '.checks[] | select(.status == \"failed\")'"
)]
pub(crate) struct DoctorArgs {
    /// One JSON object instead of lines
    #[arg(long)]
    json: bool,
}

/// Looks at everything and tells what was found.
pub(super) async fn run(
    args: &DoctorArgs,
    loaded: Result<Loaded, ConfigError>,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let findings = match loaded {
        Err(error) => {
            let says = error.to_string().replace('\n', "; ");
            vec![Finding::bad("configuration", says, "`grok2api config check` after mending it.")]
        }
        Ok(loaded) => {
            let findings = Box::pin(examine(&loaded)).await;
            findings.into_iter().map(|finding| finding.without_secrets(&loaded.startup)).collect()
        }
    };
    let is_bad = findings.iter().any(|finding| finding.standing == Standing::Bad);
    if args.json {
        let checks: Vec<Value> = findings.iter().map(Finding::json).collect();
        output.json(&json!({"version": env!("CARGO_PKG_VERSION"), "ok": !is_bad, "checks": checks}))?;
    } else {
        for finding in &findings {
            output.line(&finding.lines())?;
        }
    }
    Ok(if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn examine(loaded: &Loaded) -> Vec<Finding> {
    let startup = &loaded.startup;
    let mut findings = vec![configuration(loaded), machine::data_folder(startup), machine::room(startup)];
    let (settings, keys) = records::look(startup, &mut findings).await;
    findings.extend(servers::redis(startup).await);
    findings.extend(records::mirror_key(startup));
    findings.push(machine::media(startup));
    findings.push(machine::port("port", startup.listen));
    findings.extend(startup.worker.listen.map(|address| machine::port("worker port", address)));
    findings.push(servers::upstream(startup, &settings).await);
    findings.push(records::client_keys(&settings, keys));
    findings
}

fn configuration(loaded: &Loaded) -> Finding {
    const NAME: &str = "configuration";
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    if !warnings.is_empty() {
        return Finding::doubtful(NAME, warnings.join("; "), "`grok2api config show --set` shows what is set where.");
    }
    let files = loaded.provenance.files();
    let files: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    let from = if files.is_empty() { "no file".to_owned() } else { files.join(", ") };
    Finding::good(NAME, format!("{from}; records {}", loaded.startup.storage_mode.as_str()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::net::TcpListener;

    use grok2api_config::{Provenance, StartUp, StorageMode};
    use secrecy::SecretString;

    use super::*;
    use crate::store::Store;

    async fn examined(startup: StartUp) -> (ExitCode, Value) {
        let (mut output, results, _) = Output::captured();
        let loaded = Loaded { startup, provenance: Provenance::default(), warnings: Vec::new() };
        let code = run(&DoctorArgs { json: true }, Ok(loaded), &mut output).await.unwrap();
        (code, serde_json::from_str(&results.take()).unwrap())
    }

    fn status<'a>(told: &'a Value, name: &str) -> &'a str {
        let checks = told["checks"].as_array().unwrap();
        checks.iter().find(|check| check["name"] == name).unwrap()["status"].as_str().unwrap()
    }

    /// An upstream that answers, and a port that is free.
    fn startup(home: &tempfile::TempDir) -> (StartUp, std::thread::JoinHandle<()>) {
        let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = upstream.local_addr().unwrap();
        let answering = std::thread::spawn(move || {
            use std::io::{BufRead, Write};
            let (mut stream, _) = upstream.accept().unwrap();
            let lines = std::io::BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            assert!(!lines.take_while(|line| !line.is_empty()).any(|line| line.to_lowercase().starts_with("cookie")));
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").unwrap();
        });
        let mut startup = StartUp { data_dir: home.path().join("data"), ..StartUp::default() };
        startup.listen = "127.0.0.1:0".parse().unwrap();
        startup.upstream.base_url = format!("http://{address}").parse().unwrap();
        (startup, answering)
    }

    #[tokio::test]
    async fn a_fresh_installation_is_doubtful_and_one_that_was_started_is_good() {
        grok2api_upstream::client::install_crypto();
        let home = tempfile::tempdir().unwrap();
        let (fresh, answering) = startup(&home);
        let (code, told) = examined(fresh.clone()).await;
        answering.join().unwrap();
        assert_eq!((code, status(&told, "database")), (ExitCode::SUCCESS, "warning"), "{told:#}");
        assert!(!fresh.data_dir.exists(), "looking changes nothing");
        Store::open(&fresh).await.unwrap();
        let (again, answering) = startup(&home);
        let (code, told) = examined(again).await;
        answering.join().unwrap();
        assert_eq!(code, ExitCode::SUCCESS, "{told:#}");
        for name in ["configuration", "data folder", "database", "master key", "media", "port", "upstream"] {
            assert_eq!(status(&told, name), "ok", "{name}: {told:#}");
        }
        assert_eq!((status(&told, "accounts"), status(&told, "client key")), ("warning", "warning"));
    }

    #[tokio::test]
    async fn what_does_not_work_is_told_with_advice_and_without_secrets() {
        grok2api_upstream::client::install_crypto();
        let home = tempfile::tempdir().unwrap();
        let mut startup = StartUp { data_dir: home.path().join("data"), ..StartUp::default() };
        Store::open(&startup).await.unwrap();
        startup.secret_key = Some(SecretString::from("q8Jf0Zr3pXv7LkTn5WcYb2Hd9MsEa4GuRi6"));
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        startup.listen = taken.local_addr().unwrap();
        drop(std::thread::spawn(move || while taken.accept().is_ok() {}));
        startup.redis_url = Some(SecretString::from("redis://:canary-password@127.0.0.1:1/"));
        startup.upstream.base_url = "http://127.0.0.1:1".parse().unwrap();
        let (code, told) = examined(startup.clone()).await;
        assert_eq!(code, ExitCode::FAILURE);
        for name in ["master key", "redis", "port", "upstream"] {
            assert_eq!(status(&told, name), "failed", "{name}: {told:#}");
        }
        let failed = told["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "failed");
        assert!(failed.into_iter().all(|check| !check["advice"].as_str().unwrap().is_empty()), "{told:#}");
        startup.storage_mode = StorageMode::Postgres;
        startup.database_url = Some(SecretString::from("postgres://someone:canary-password@127.0.0.1:1/none"));
        let (code, server) = examined(startup).await;
        assert_eq!((code, status(&server, "database")), (ExitCode::FAILURE, "failed"));
        for told in [told, server] {
            let text = told.to_string();
            assert!(!text.contains("canary") && !text.contains("q8Jf0"), "{text}");
        }
    }
}
