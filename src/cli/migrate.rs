//! `migrate`: the schema of the database.

use std::process::ExitCode;

use clap::Subcommand;
use grok2api_config::StartUp;
use grok2api_migration::{bring_up, status};
use serde_json::json;

use super::output::Output;
use crate::store;

/// What to do with the schema.
#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommand {
    /// Bring the database to the newest schema; `serve` does so by itself
    Up,
    /// Show the steps of the schema and which of them the database has; exit code 1 when some are missing
    Status {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

/// Brings the schema up or shows it.
pub(super) async fn run(command: MigrateCommand, startup: &StartUp, output: &mut Output) -> anyhow::Result<ExitCode> {
    let db = store::open_database(startup).await?;
    match command {
        MigrateCommand::Up => {
            match bring_up(&db).await? {
                0 => output.line("the database is at the newest schema already")?,
                steps => output.line(&format!("the database is at the newest schema now ({steps} steps taken)"))?,
            }
            Ok(ExitCode::SUCCESS)
        }
        MigrateCommand::Status { json } => {
            let steps = status(&db).await?;
            for step in &steps {
                if json {
                    output.json(&json!({"name": step.name, "applied": step.applied}))?;
                } else {
                    output.line(&format!("{}  {}", if step.applied { "applied" } else { "missing" }, step.name))?;
                }
            }
            Ok(if steps.iter().all(|step| step.applied) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[tokio::test]
    async fn a_fresh_database_is_brought_up_once() {
        let home = tempfile::tempdir().unwrap();
        let startup = StartUp { data_dir: home.path().to_owned(), ..StartUp::default() };
        let (mut output, results, _) = Output::captured();
        let missing = run(MigrateCommand::Status { json: false }, &startup, &mut output).await.unwrap();
        assert_eq!(missing, ExitCode::FAILURE);
        assert!(results.take().lines().all(|line| line.starts_with("missing  m2026")));
        run(MigrateCommand::Up, &startup, &mut output).await.unwrap();
        assert!(results.take().contains("steps taken"));
        run(MigrateCommand::Up, &startup, &mut output).await.unwrap();
        assert!(results.take().contains("already"));
        let current = run(MigrateCommand::Status { json: true }, &startup, &mut output).await.unwrap();
        assert_eq!(current, ExitCode::SUCCESS);
        assert!(results.take().starts_with("{\"applied\":true,\"name\":\"m2026"));
    }
}
