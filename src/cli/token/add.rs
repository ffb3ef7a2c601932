//! `token add`: tokens as arguments or, better, from standard input.

use std::io::{self, IsTerminal, Read};
use std::process::ExitCode;

use anyhow::Context;
use grok2api_config::{ModelTable, StartUp};

use super::args::AddArgs;
use super::enrol::{Circumstances, enrol};
use super::intake::{self, Collector, Intake, Place};
use super::now_ms;
use crate::cli::output::Output;
use crate::store::Store;

/// Adds tokens to the pool.
pub(super) async fn run(args: &AddArgs, startup: &StartUp, output: &mut Output) -> anyhow::Result<ExitCode> {
    let intake = if args.tokens.is_empty() { from_stdin(args, output)? } else { from_arguments(args, output)? };
    for refused in &intake.refused {
        output.remark(&format!("not added, {refused}"))?;
    }
    let store = Store::open(startup).await?;
    let now_ms = now_ms();
    let models = ModelTable::new(&startup.models);
    let circumstances = Circumstances { now_ms, written_ms: now_ms, models: &models };
    let enrolled = enrol(&store, intake.entries, &circumstances, output).await?;
    output.line(&format!("{} added, {} in the pool already", enrolled.added, enrolled.known))?;
    store.finish().await?;
    Ok(if intake.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn from_arguments(args: &AddArgs, output: &mut Output) -> anyhow::Result<Intake> {
    output
        .remark("warning: arguments are visible to other users of this machine; better: grok2api token add < FILE")?;
    let mut collector = Collector::default();
    for (index, token) in args.tokens.iter().enumerate() {
        collector.paste(token, &args.marks, Place::Argument(index + 1));
    }
    Ok(collector.finish())
}

fn from_stdin(args: &AddArgs, output: &mut Output) -> anyhow::Result<Intake> {
    if io::stdin().is_terminal() {
        output.remark("paste tokens, one a line, and end with Ctrl-D:")?;
    }
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text).context("cannot read standard input")?;
    Ok(intake::read(&text, &args.marks)?)
}
