//! `key`: the key that clients send.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use grok2api_api::keys::manage::{self, Terms};
use grok2api_config::client_key::{self, KeyForm};
use grok2api_config::secret::redact;
use grok2api_config::{Loaded, ModelTable};
use grok2api_entity::audit::Note;
use grok2api_entity::client_key as rows;
use grok2api_gateway::settings_store::StoreError;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use uuid::Uuid;

use super::output::Output;
use super::table::table;
use super::token::now_ms;
use crate::store::Store;

const SETTING: &str = "grok.api_key";
const KEEP: &str = "Keep it: it is not shown again. Clients send it as `Authorization: Bearer KEY`.";

/// What to do with the key that clients send.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key, store it, and print it: it is shown only now
    #[command(after_help = "Examples:\n  grok2api key create\n  KEY=$(grok2api key create --replace)\n  \
                            grok2api key create --name ci --model grok-4-fast --days 90")]
    Create {
        /// Replace the key there is; clients that send it are refused within five seconds
        #[arg(long, conflicts_with = "name")]
        replace: bool,
        /// Make a key of this name beside the others; without a name it is the one of the settings, which may do everything
        #[arg(long)]
        name: Option<String>,
        /// With --name: a model it may use, as often as there are such; without this it may use all
        #[arg(long = "model", value_name = "MODEL", requires = "name")]
        models: Vec<String>,
        /// With --name: how many days it is good for
        #[arg(long, value_name = "DAYS", requires = "name", value_parser = clap::value_parser!(u16).range(1..))]
        days: Option<u16>,
        /// One JSON object instead of the bare key
        #[arg(long)]
        json: bool,
    },
    /// List the keys that have names
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Take a key away, by its name or id; its clients are refused within five seconds
    Delete {
        /// Name or id
        key: String,
    },
    /// Show which key of the settings is in force, by its last characters
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
        KeyCommand::Create { replace, name: None, json, .. } => create(&store, replace, json, output).await?,
        KeyCommand::Create { name: Some(name), models, days, json, .. } => {
            let models = (!models.is_empty()).then_some(models);
            let end = days.map(|days| now_ms() + i64::from(days) * 86_400_000);
            let terms = Terms::new(&name, models, end, &ModelTable::new(&loaded.startup.models))?;
            create_named(&store, &terms, json, output).await?;
        }
        KeyCommand::List { json } => list(&store, json, output).await?,
        KeyCommand::Delete { key } => delete(&store, &key, output).await?,
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
    Ok(output.remark(KEEP)?)
}

async fn create_named(store: &Store, terms: &Terms, json: bool, output: &mut Output) -> anyhow::Result<()> {
    let note = Note::by_hand("key.create", "", json!({ "name": terms.name, "models": terms.models }));
    let (row, key) = manage::create(&store.db, &store.vault, terms, note).await?;
    if json {
        output.json(&json!({"id": row.id.to_string(), "name": row.name, "key": key.expose_secret()}))?;
    } else {
        output.line(key.expose_secret())?;
    }
    Ok(output.remark(KEEP)?)
}

async fn list(store: &Store, json: bool, output: &mut Output) -> anyhow::Result<()> {
    let keys = rows::all(&store.db).await?;
    if json || !output.is_terminal {
        for row in &keys {
            output.json(&json!({
                "id": row.id.to_string(),
                "name": row.name,
                "hint": row.hint,
                "models": row.models.as_deref().and_then(|models| serde_json::from_str::<Value>(models).ok()),
                "expires_at_ms": row.expires_at,
                "disabled": row.disabled,
            }))?;
        }
        return Ok(());
    }
    let cells: Vec<Vec<String>> = keys
        .iter()
        .map(|row| {
            let is_over = row.expires_at.is_some_and(|end| end <= now_ms());
            let state = if row.disabled {
                "disabled"
            } else if is_over {
                "expired"
            } else {
                "active"
            };
            let models = row.models.clone().unwrap_or_else(|| "all".to_owned());
            vec![row.name.clone(), format!("…{}", row.hint), state.to_owned(), models, row.id.to_string()]
        })
        .collect();
    for line in table(&["NAME", "KEY", "STATE", "MODELS", "ID"], &cells) {
        output.line(&line)?;
    }
    Ok(())
}

async fn delete(store: &Store, key: &str, output: &mut Output) -> anyhow::Result<()> {
    let row = match Uuid::parse_str(key) {
        Ok(id) => rows::find(&store.db, id).await?,
        Err(_) => rows::find_by_name(&store.db, key).await?,
    };
    let row = row.with_context(|| format!("there is no key {key}"))?;
    manage::delete(&store.db, row.id, &Note::by_hand("key.delete", row.id.to_string(), json!({}))).await?;
    Ok(output.line(&format!("{} is taken away", row.name))?)
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
        let create = |replace| KeyCommand::Create { replace, name: None, models: Vec::new(), days: None, json: false };

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
