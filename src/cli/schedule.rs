//! `schedule`: what becomes due by itself.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use grok2api_config::{Settings, StartUp};
use grok2api_entity::audit::Note;
use grok2api_entity::schedule::{Model, Name};
use grok2api_queue::ticks::{self, Timetable as _};
use grok2api_scheduler::Timetable;
use serde_json::{Value, json};

use super::output::Output;
use super::table::table;
use crate::store::Store;
use crate::work;

/// What to do with what becomes due by itself.
#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// Show all schedules: how often, when next, and whether they are stopped
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Run one now, beside its times; refused while its latest job is not over
    Run(One),
    /// Stop one until it is resumed
    Pause(One),
    /// Let one go on; what was due meanwhile is not made up for
    Resume(One),
}

/// One schedule.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// `token_test`, `quota_reset`, `stats_rollup` or `sweep_media`
    name: String,
    /// One JSON object instead of a line
    #[arg(long)]
    json: bool,
}

/// Shows or changes schedules.
pub(super) async fn run(command: &ScheduleCommand, startup: &StartUp, output: &mut Output) -> Result<ExitCode> {
    let store = Store::open(startup).await?;
    match command {
        ScheduleCommand::List { json } => list(&store, *json, output).await?,
        ScheduleCommand::Run(one) => {
            let name = known(&one.name)?;
            let jobs = Box::pin(work::jobs(startup, &store.db)).await?;
            let tick = ticks::run_now(&jobs, name, &Note::by_hand("schedule.run", name.as_str(), json!({}))).await?;
            if one.json {
                output
                    .json(&json!({"name": name.as_str(), "due_ms": tick.due_ms, "job_id": tick.job_id.to_string()}))?;
            } else {
                output.line(&format!("{} runs as job {}", name.as_str(), tick.job_id))?;
            }
        }
        ScheduleCommand::Pause(one) => pause(&store, one, true, output).await?,
        ScheduleCommand::Resume(one) => pause(&store, one, false, output).await?,
    }
    store.finish().await?;
    Ok(ExitCode::SUCCESS)
}

fn known(name: &str) -> Result<Name> {
    let names = || Name::ALL.map(Name::as_str).join(", ");
    Name::parse(name).ok_or_else(|| anyhow!("there is no schedule {name}: it is one of {}", names()))
}

async fn list(store: &Store, as_json: bool, output: &mut Output) -> Result<()> {
    ticks::ensure(&store.db).await?;
    let now = ticks::database_time(&store.db).await?;
    let settings = store.settings.handle().snapshot();
    let mut rows = ticks::schedules(&store.db).await?;
    rows.sort_by_key(|row| row.name);
    if as_json || !output.is_terminal {
        for row in &rows {
            output.json(&json_of(row, &settings, now))?;
        }
        return Ok(());
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let next =
                next(row, &settings, now).map_or_else(|| "never".to_owned(), |at| format!("in {}", span(at - now)));
            let last = row.last_tick_at.map_or_else(|| "never".to_owned(), |at| format!("{} ago", span(now - at)));
            let state = if row.paused { "paused" } else { "on" };
            vec![row.name.as_str().to_owned(), cadence(row.name, &settings), state.to_owned(), next, last]
        })
        .collect();
    for line in table(&["NAME", "CADENCE (UTC)", "STATE", "NEXT", "LAST"], &cells) {
        output.line(&line)?;
    }
    Ok(())
}

async fn pause(store: &Store, one: &One, paused: bool, output: &mut Output) -> Result<()> {
    let name = known(&one.name)?;
    let action = if paused { "schedule.pause" } else { "schedule.resume" };
    let row = ticks::set_paused(&store.db, name, paused, &Note::by_hand(action, name.as_str(), json!({}))).await?;
    let settings = store.settings.handle().snapshot();
    if one.json {
        output.json(&json_of(&row, &settings, ticks::database_time(&store.db).await?))?;
    } else {
        output.line(&format!("{} {}", row.name.as_str(), if paused { "is paused" } else { "goes on" }))?;
    }
    Ok(())
}

fn cadence(name: Name, settings: &Settings) -> String {
    settings.schedules.cadence(name.as_str()).map(ToString::to_string).unwrap_or_default()
}

fn next(row: &Model, settings: &Settings, now: i64) -> Option<i64> {
    Timetable::of(settings, row.name).next(now).filter(|_| !row.paused)
}

fn json_of(row: &Model, settings: &Settings, now: i64) -> Value {
    json!({
        "name": row.name.as_str(),
        "cadence": cadence(row.name, settings),
        "paused": row.paused,
        "next_at_ms": next(row, settings, now),
        "last_at_ms": row.last_tick_at,
        "last_job_id": row.last_job_id.map(|id| id.to_string()),
    })
}

/// A length of time in its two largest units.
fn span(ms: i64) -> String {
    let secs = ms.max(0) / 1000;
    match secs {
        0..60 => format!("{secs}s"),
        60..3600 => format!("{}m {}s", secs / 60, secs % 60),
        3600..86_400 => format!("{}h {}m", secs / 3600, secs % 3600 / 60),
        _ => format!("{}d {}h", secs / 86_400, secs % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_told_in_two_units() {
        let told = [-1, 59_999, 61_000, 7_260_000, 90_000_000].map(span);
        assert_eq!(told, ["0s", "59s", "1m 1s", "2h 1m", "1d 1h"]);
    }
}
