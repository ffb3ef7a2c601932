//! `settings`: runtime settings, shown or changed.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use grok2api_config::{SettingInfo, Settings, StartUp};
use serde_json::{Value, json};

use super::outcome::Usage;
use super::output::Output;
use crate::store::Store;

/// What to do with the runtime settings.
#[derive(Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    /// Show all settings; secrets are redacted
    List {
        /// Only settings that differ from their defaults
        #[arg(long)]
        changed: bool,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show one setting
    Get {
        /// Name of the setting, as `settings list` shows it
        key: String,
        /// One JSON object instead of the bare value
        #[arg(long)]
        json: bool,
    },
    /// Change settings: all of them or, when one is not allowed, none
    #[command(after_help = "Examples:
  grok2api settings set chat.max_choices=2 pool.strategy=round_robin
  grok2api settings set grok.cf_clearance < clearance.txt     (a name alone reads the value from standard input)

Running servers follow within five seconds.")]
    Set {
        /// NAME=VALUE, or one NAME alone to read its value from standard input
        #[arg(required = true, value_name = "NAME[=VALUE]")]
        assignments: Vec<String>,
    },
    /// Take settings back to the start-up configuration
    Unset {
        /// Names of the settings, as `settings list` shows them
        #[arg(required = true, value_name = "NAME")]
        keys: Vec<String>,
    },
}

/// Shows or changes settings.
pub(super) async fn run(command: SettingsCommand, startup: &StartUp, output: &mut Output) -> anyhow::Result<ExitCode> {
    let store;
    match command {
        SettingsCommand::List { changed, json } => {
            store = Store::open(startup).await?;
            list(&store, changed, json, output)?;
        }
        SettingsCommand::Get { key, json } => {
            store = Store::open(startup).await?;
            get(&store, &key, json, output)?;
        }
        SettingsCommand::Set { assignments } => {
            let changes = parse(&assignments, &mut io::stdin().lock(), output)?;
            store = Store::open(startup).await?;
            change(&store, &changes, output).await?;
        }
        SettingsCommand::Unset { keys } => {
            let changes = keys.into_iter().map(|key| (key, Value::Null)).collect();
            store = Store::open(startup).await?;
            change(&store, &changes, output).await?;
        }
    }
    store.finish().await?;
    Ok(ExitCode::SUCCESS)
}

fn list(store: &Store, changed: bool, json: bool, output: &mut Output) -> anyhow::Result<()> {
    let mut infos = store.settings.handle().load().describe();
    infos.retain(|info| !changed || info.value != info.default);
    if json {
        for info in &infos {
            output.json(&serde_json::to_value(info)?)?;
        }
        return Ok(());
    }
    let width = infos.iter().map(|info| info.key.len()).max().unwrap_or(0);
    for info in &infos {
        output.line(&format!("{:width$} = {}", info.key, info.value))?;
    }
    Ok(())
}

fn get(store: &Store, key: &str, json: bool, output: &mut Output) -> anyhow::Result<()> {
    let infos = store.settings.handle().load().describe();
    let info: Option<&SettingInfo> = infos.iter().find(|info| info.key == key);
    // An unknown name is refused with a suggestion, as everywhere.
    let Some(info) = info else {
        Settings::parse_value(key, "")?;
        return Ok(());
    };
    match &info.value {
        value if json => output.json(&json!({"key": key, "value": value, "default": info.default, "doc": info.doc}))?,
        Value::String(text) => output.line(text)?,
        value => output.json(value)?,
    }
    Ok(())
}

async fn change(store: &Store, changes: &BTreeMap<String, Value>, output: &mut Output) -> anyhow::Result<()> {
    if let Some(unknown) = changes.keys().find(|key| Settings::default().get(key).is_none()) {
        Settings::parse_value(unknown, "")?;
    }
    let version = store.settings.update(changes).await?;
    output.remark(&format!("stored as version {version}; running servers follow within five seconds"))?;
    Ok(())
}

/// Reads assignments; the kind of each value follows from its setting.
fn parse(
    assignments: &[String],
    stdin: &mut dyn BufRead,
    output: &mut Output,
) -> anyhow::Result<BTreeMap<String, Value>> {
    let mut changes = BTreeMap::new();
    let mut has_read = false;
    for assignment in assignments {
        let (key, text) = match assignment.split_once('=') {
            Some((key, text)) => {
                if Settings::is_secret(key) && !text.is_empty() {
                    output.remark(&format!(
                        "warning: arguments are visible to other users of this machine; better: grok2api settings set {key} < FILE"
                    ))?;
                }
                (key, text.to_owned())
            }
            None if has_read => return Err(Usage("only one value can be read from standard input").into()),
            None => {
                has_read = true;
                let mut line = String::new();
                stdin.read_line(&mut line).context("cannot read standard input")?;
                (assignment.as_str(), line.trim().to_owned())
            }
        };
        changes.insert(key.to_owned(), Settings::parse_value(key, &text)?);
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[tokio::test]
    async fn settings_are_set_shown_and_taken_back() {
        let home = tempfile::tempdir().unwrap();
        let startup = StartUp { data_dir: home.path().to_owned(), ..StartUp::default() };
        let (mut output, results, remarks) = Output::captured();
        let set = SettingsCommand::Set {
            assignments: vec!["chat.max_choices=2".to_owned(), "global.base_url=https://a.example/".to_owned()],
        };
        run(set, &startup, &mut output).await.unwrap();
        assert!(remarks.take().starts_with("stored as version 1"));
        run(SettingsCommand::List { changed: true, json: false }, &startup, &mut output).await.unwrap();
        assert_eq!(results.take(), "global.base_url  = \"https://a.example\"\nchat.max_choices = 2\n");
        run(SettingsCommand::Unset { keys: vec!["chat.max_choices".to_owned()] }, &startup, &mut output).await.unwrap();
        run(SettingsCommand::Get { key: "chat.max_choices".to_owned(), json: false }, &startup, &mut output)
            .await
            .unwrap();
        assert_eq!(results.take(), "4\n");
        let unset = SettingsCommand::Unset { keys: vec!["chat.maxchoices".to_owned()] };
        let error = run(unset, &startup, &mut output).await.unwrap_err().to_string();
        assert_eq!(error, "unknown setting chat.maxchoices (did you mean chat.max_choices?)");
    }

    #[tokio::test]
    async fn f56_a_missing_or_wrong_key_is_refused_and_changes_nothing() {
        let home = tempfile::tempdir().unwrap();
        let startup = StartUp { data_dir: home.path().to_owned(), ..StartUp::default() };
        let (mut output, results, _) = Output::captured();
        let set = SettingsCommand::Set { assignments: vec!["grok.api_key=canary-0123456789abcdef".to_owned()] };
        run(set, &startup, &mut output).await.unwrap();
        let path = home.path().join("secret.key");
        let key = std::fs::read_to_string(&path).unwrap();
        let get = || SettingsCommand::Get { key: "grok.api_key".to_owned(), json: false };

        std::fs::remove_file(&path).unwrap();
        let error = run(get(), &startup, &mut output).await.unwrap_err();
        assert!(error.to_string().contains("master key") && !path.exists(), "{error}");
        let other = Some("q8Jf0Zr3pXv7LkTn5WcYb2Hd9MsEa4GuRi6".into());
        let wrong = StartUp { secret_key: other.clone(), ..startup.clone() };
        let error = run(get(), &wrong, &mut output).await.unwrap_err();
        assert!(error.chain().any(|cause| cause.to_string().contains("sealed with key")), "{error:#}");

        let rotated = StartUp { secret_key: other, secret_keys_old: vec![key.trim().into()], ..startup.clone() };
        run(get(), &rotated, &mut output).await.unwrap();
        std::fs::write(&path, key).unwrap();
        run(get(), &startup, &mut output).await.unwrap();
        assert_eq!(results.take(), "********cdef\n********cdef\n");
    }

    #[test]
    fn d4_a_secret_is_better_read_from_standard_input() {
        let (mut output, _, remarks) = Output::captured();
        let mut stdin = io::Cursor::new("canary-6b1e\n");
        let changes = parse(&["grok.api_key".to_owned()], &mut stdin, &mut output).unwrap();
        assert_eq!((changes["grok.api_key"].as_str(), remarks.take().as_str()), (Some("canary-6b1e"), ""));
        parse(&["grok.api_key=canary-6b1e".to_owned()], &mut stdin, &mut output).unwrap();
        let remark = remarks.take();
        assert!(remark.starts_with("warning: arguments are visible") && !remark.contains("canary"));
        let twice = ["grok.api_key", "grok.proxy_url"].map(str::to_owned);
        assert!(parse(&twice, &mut stdin, &mut output).unwrap_err().is::<Usage>());
    }
}
