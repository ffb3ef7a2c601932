//! `import`: everything that another gateway has recorded.

mod settings;
mod source;

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use grok2api_config::{ModelTable, StartUp};
use serde_json::json;

use self::settings::Plan;
use self::source::Source;
use super::output::Output;
use super::token::{Circumstances, Enrolled, Intake, Marks, enrol, now_ms, preview, read_intake};
use crate::store::Store;

/// What to move in from.
#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Move in from the old Python gateway: its accounts with all it knew of them, and its settings
    Seed(SeedArgs),
}

/// Where the old gateway's records are, and what to take.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grok2api import seed /opt/old/data --dry-run          token.json and setting.toml of its data folder
  grok2api import seed mysql://user:password@host/grok  its tables, in MySQL mode
  OLD=redis://:password@host:6379/0 grok2api import seed env:OLD
  ssh old-host cat data/token.json | grok2api import seed -

Accounts that are in the pool already and settings that were changed here stay as they are: importing twice changes
nothing. Nothing is ever deleted, here or there.")]
pub(crate) struct SeedArgs {
    /// Its data folder, its token.json, its mysql:// or redis:// address, env:NAME for an address in a variable (arguments
    /// are visible to other users of this machine), or - for a token.json on standard input
    source: String,
    /// Take only these
    #[arg(long, value_enum, value_name = "WHAT")]
    only: Option<Part>,
    /// Take over settings that were changed here, too
    #[arg(long)]
    overwrite_settings: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// One JSON object with the numbers instead of sentences
    #[arg(long)]
    json: bool,
}

/// A part of what the old gateway recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Accounts.
    Accounts,
    /// Settings.
    Settings,
}

/// Imports; exit code 1 when there was nothing to use.
pub(super) async fn run(command: ImportCommand, startup: &StartUp, output: &mut Output) -> anyhow::Result<ExitCode> {
    let ImportCommand::Seed(args) = command;
    let now_ms = now_ms();
    // Everything is read and understood before anything is made.
    let old = Source::parse(&args.source)?.read(now_ms).await?;
    let wants = |part: Part| args.only.is_none_or(|only| only == part);
    let mut intake = match &old.tokens {
        Some(text) if wants(Part::Accounts) => {
            read_intake(text, &Marks::default()).context("the old gateway's accounts cannot be read")?
        }
        _ => Intake::default(),
    };
    let settings = old.settings.as_ref().filter(|_| wants(Part::Settings));
    if intake.entries.is_empty() && intake.refused.is_empty() && settings.is_none() {
        bail!("there is nothing to import: {}", old.looked_at);
    }
    let store = Store::open(startup).await?;
    let plan = match settings {
        Some(settings) => Plan::make(settings, &store, args.overwrite_settings).await?,
        None => Plan::default(),
    };
    let entries = std::mem::take(&mut intake.entries);
    let found = entries.len();
    let enrolled = if args.dry_run {
        preview(&store, entries).await?
    } else {
        let models = ModelTable::new(&startup.models);
        let circumstances = Circumstances { now_ms, written_ms: old.written_ms, models: &models };
        let enrolled = enrol(&store, entries, &circumstances, output).await?;
        if !plan.take.is_empty() {
            store.settings.update(&plan.take).await?;
        }
        enrolled
    };
    store.finish().await?;
    tell(&args, found, &intake, enrolled, &plan, output)?;
    Ok(if found == 0 && plan.found == 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn tell(
    args: &SeedArgs,
    found: usize,
    intake: &Intake,
    enrolled: Enrolled,
    plan: &Plan,
    output: &mut Output,
) -> anyhow::Result<()> {
    intake.tell_refused(output)?;
    for remark in &plan.remarks {
        output.remark(remark)?;
    }
    let Enrolled { added, known } = enrolled;
    let (repeated, refused) = (intake.repeated, intake.refused.len());
    if args.json {
        output.json(&json!({
            "dry_run": args.dry_run,
            "accounts": {"found": found, "added": added, "known": known, "repeated": repeated, "refused": refused},
            "settings": {
                "found": plan.found,
                "taken": plan.take.keys().collect::<Vec<_>>(),
                "same": plan.same,
                "kept": plan.kept,
                "refused": plan.refused,
                "unknown": plan.unknown,
            },
        }))?;
        return Ok(());
    }
    let (verb, taken) = if args.dry_run { ("would be added", "would be taken over") } else { ("added", "taken over") };
    output.line(&format!(
        "{found} accounts found: {added} {verb}, {known} in the pool already; {repeated} repeated, {refused} not usable"
    ))?;
    output.line(&format!(
        "{} settings found: {} {taken}, {} the same already, {} kept as they were changed here; {} not allowed, {} unknown",
        plan.found,
        plan.take.len(),
        plan.same,
        plan.kept.len(),
        plan.refused.len(),
        plan.unknown.len()
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests;
