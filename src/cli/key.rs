//! `key`: the key that clients send.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use grok2api_config::Loaded;
use grok2api_config::client_key::{self, KeyForm};
use grok2api_config::secret::redact;
use grok2api_gateway::settings_store::StoreError;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::output::Output;
use crate::store::Store;

const SETTING: &str = "grok.api_key";

/// What to do with the key that clients send.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key, store it, and print it: it is shown only now
    #[command(after_help = "Examples:\n  grok2api key create\n  KEY=$(grok2api key create --replace)")]
    Create {
        /// Replace the key there is; clients that send it are refused within five seconds
        #[arg(long)]
        replace: bool,
        /// One JSON object instead of the bare key
        #[arg(long)]
        json: bool,
    },
    /// Show which key is in force, by its last characters
    Show {
        /// One JSON object instead of a line
        #[arg(long)]
        json: bool,
    },
}

/// Makes or shows the key.
pub(super) async fn run(command: KeyCommand, loaded: &Loaded, output: &mut Output) -> anyhow::Result<ExitCode> {
    let store = Store::open(&loaded.startup).await?;
    match command {
        KeyCommand::Create { replace, json } => create(&store, replace, json, output).await?,
        KeyCommand::Show { json } => show(&store, loaded, json, output)?,
    }
    store.finish().await?;
    Ok(ExitCode::SUCCESS)
}

async fn create(store: &Store, replace: bool, json: bool, output: &mut Output) -> anyhow::Result<()> {
    let is_set = !store.settings.handle().load().grok.api_key.expose_secret().is_empty();
    if is_set && !replace {
        bail!("there is a key already: clients that use it would be locked out; replace it with --replace");
    }
    let key = client_key::generate()?;
    let change = BTreeMap::from([(SETTING.to_owned(), Value::from(key.expose_secret()))]);
    let stored = store.settings.update(&change).await;
    if let Err(error) = stored
        && !matches!(error, StoreError::NotKept(_))
    {
        return Err(error.into());
    }
    // Shown in any case: it is in force.
    if json {
        output.json(&json!({"key": key.expose_secret()}))?;
    } else {
        output.line(key.expose_secret())?;
    }
    output.remark("Keep it: it is not shown again. Clients send it as `Authorization: Bearer KEY`.")?;
    Ok(())
}

fn show(store: &Store, loaded: &Loaded, json: bool, output: &mut Output) -> anyhow::Result<()> {
    let key = store.settings.handle().load().grok.api_key.clone();
    let is_stored = key.expose_secret() != store.settings.base().grok.api_key.expose_secret();
    let source = if is_stored { "settings".to_owned() } else { loaded.provenance.of(SETTING).to_string() };
    let made_here = client_key::form(key.expose_secret()) == KeyForm::Ours;
    if json {
        let shown = if key.expose_secret().is_empty() { Value::Null } else { Value::from(redact(&key)) };
        output.json(&json!({"key": shown, "source": source, "made_here": made_here}))?;
    } else if key.expose_secret().is_empty() {
        output.line("no key is set; make one with `grok2api key create`")?;
    } else {
        output.line(&format!("{}  # {source}", redact(&key)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use grok2api_config::{StartUp, StartUpFlags, Surroundings};

    use super::*;

    #[tokio::test]
    async fn k1_a_key_is_shown_once_and_replaced_only_when_told() {
        let home = tempfile::tempdir().unwrap();
        let around = Surroundings {
            variables: BTreeMap::new(),
            working_dir: home.path().to_owned(),
            system_file: home.path().join("none"),
        };
        let flags = StartUpFlags { data_dir: Some(home.path().join("data")), ..StartUpFlags::default() };
        let loaded = StartUp::load_in(&flags, &around).unwrap();
        let (mut output, results, _) = Output::captured();
        let create = |replace| KeyCommand::Create { replace, json: false };

        run(create(false), &loaded, &mut output).await.unwrap();
        let first = results.take();
        assert_eq!(client_key::form(first.trim()), KeyForm::Ours);

        run(KeyCommand::Show { json: false }, &loaded, &mut output).await.unwrap();
        assert_eq!(results.take(), format!("********{}  # settings\n", &first.trim()[33..]));

        let error = run(create(false), &loaded, &mut output).await.unwrap_err();
        assert!(error.to_string().contains("--replace") && results.take().is_empty());
        run(create(true), &loaded, &mut output).await.unwrap();
        assert_ne!(results.take(), first);
    }
}
