//! `config`: the start-up configuration, shown or checked.

use std::process::ExitCode;

use clap::Subcommand;
use grok2api_config::{ConfigEntry, Loaded, Vault};
use serde_json::{Value, json};

use super::output::Output;

/// What to do with the start-up configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show every key with its value and where the value comes from; secrets are redacted
    #[command(
        after_help = "Examples:\n  grok2api config show\n  grok2api config show --set\n  grok2api config show --json | jq '.entries[] | select(.source != \"default\")'"
    )]
    Show {
        /// Only keys that differ from what is built in
        #[arg(long)]
        set: bool,
        /// One JSON object instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Check the configuration without starting anything; exit code 78 when it is wrong
    #[command(after_help = "Example:\n  grok2api config check --config new.toml && systemctl restart grok2api")]
    Check {
        /// One JSON object instead of lines
        #[arg(long)]
        json: bool,
    },
}

/// Shows or checks a configuration that could be loaded.
pub(super) fn run(command: &ConfigCommand, loaded: &Loaded, output: &mut Output) -> anyhow::Result<ExitCode> {
    match *command {
        ConfigCommand::Show { set, json } => show(loaded, set, json, output)?,
        ConfigCommand::Check { json } => check(loaded, json, output)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(loaded: &Loaded, set: bool, json: bool, output: &mut Output) -> anyhow::Result<()> {
    let mut entries = loaded.startup.describe(&loaded.provenance);
    entries.retain(|entry| !set || entry.source != "default");
    if json {
        output.json(&json!({"entries": entries, "warnings": warnings(loaded)}))?;
        return Ok(());
    }
    let width = entries.iter().map(|entry| entry.key.len()).max().unwrap_or(0);
    for entry in &entries {
        output.line(&format!("{:width$} = {}  # {}", entry.key, text(entry), entry.source))?;
    }
    remark_warnings(loaded, output)
}

fn check(loaded: &Loaded, json: bool, output: &mut Output) -> anyhow::Result<()> {
    let has_key = Vault::load(&loaded.startup)?.is_some();
    let files: Vec<String> = loaded.provenance.files().iter().map(|path| path.display().to_string()).collect();
    if json {
        output.json(&json!({"ok": true, "files": files, "master_key": has_key, "warnings": warnings(loaded)}))?;
        return Ok(());
    }
    output.line("the configuration is good")?;
    for file in files {
        output.line(&format!("  read from {file}"))?;
    }
    if !has_key {
        output.line("  no master key yet: the first start makes one in the data directory")?;
    }
    remark_warnings(loaded, output)
}

fn text(entry: &ConfigEntry) -> String {
    match &entry.value {
        Value::Null => "(not set)".to_owned(),
        value => value.to_string(),
    }
}

fn warnings(loaded: &Loaded) -> Vec<String> {
    loaded.warnings.iter().map(ToString::to_string).collect()
}

fn remark_warnings(loaded: &Loaded, output: &mut Output) -> anyhow::Result<()> {
    for warning in &loaded.warnings {
        output.remark(&format!("warning: {warning}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use grok2api_config::{StartUp, StartUpFlags, Surroundings};

    use super::*;

    fn loaded(home: &tempfile::TempDir) -> Loaded {
        let text = "[chat]\nmax_choices = 2\n[grok]\napi_key = 'canary-4f7a'\n";
        std::fs::write(home.path().join("grok2api.toml"), text).unwrap();
        let around = Surroundings {
            variables: [("DATABASE_URL".to_owned(), "mysql://canary".to_owned())].into(),
            working_dir: home.path().to_owned(),
            system_file: home.path().join("none"),
        };
        StartUp::load_in(&StartUpFlags { data_dir: Some(home.path().to_owned()), ..Default::default() }, &around)
            .unwrap()
    }

    #[test]
    fn every_value_is_shown_with_its_source_and_no_secret() {
        let home = tempfile::tempdir().unwrap();
        let (mut output, results, remarks) = Output::captured();
        run(&ConfigCommand::Show { set: true, json: false }, &loaded(&home), &mut output).unwrap();
        let shown = results.take().replace(&home.path().display().to_string(), "HOME");
        assert_eq!(
            shown,
            "data_dir         = \"HOME\"  # flag --data-dir\n\
             database_url     = \"********\"  # environment variable DATABASE_URL\n\
             grok.api_key     = \"********\"  # file HOME/grok2api.toml\n\
             chat.max_choices = 2  # file HOME/grok2api.toml\n"
        );
        assert!(remarks.take().starts_with("warning: database_url (environment variable DATABASE_URL) is set"));

        run(&ConfigCommand::Show { set: false, json: true }, &loaded(&home), &mut output).unwrap();
        let shown: Value = serde_json::from_str(&results.take()).unwrap();
        assert!(shown["entries"].as_array().unwrap().len() > 40);
        assert!(!shown.to_string().contains("canary"));
    }

    #[test]
    fn a_check_makes_nothing() {
        let home = tempfile::tempdir().unwrap();
        let (mut output, results, _) = Output::captured();
        run(&ConfigCommand::Check { json: false }, &loaded(&home), &mut output).unwrap();
        assert!(results.take().starts_with("the configuration is good\n  read from "));
        assert!(!home.path().join("secret.key").exists());
    }
}
