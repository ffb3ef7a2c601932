//! From a command to its exit code.

use std::process::ExitCode;

use grok2api_config::{StartUp, StartUpFlags};

use super::args::Tool;
use super::output::Output;
use super::{admin, backup, config, doctor, healthcheck, import, key, migrate, outcome, schedule, settings, token};

/// Carries out a command that does its work and ends; errors are told on standard error.
pub(crate) async fn run(tool: Tool, flags: &StartUpFlags) -> ExitCode {
    match execute(tool, flags, &mut Output::of_process()).await {
        Ok(code) => code,
        Err(error) => outcome::report(&error),
    }
}

async fn execute(tool: Tool, flags: &StartUpFlags, output: &mut Output) -> anyhow::Result<ExitCode> {
    let loaded = match (&tool, StartUp::load(flags)) {
        (Tool::Doctor(args), loaded) => return doctor::run(args, loaded, output).await,
        (_, loaded) => loaded?,
    };
    match tool {
        Tool::Config(command) => config::run(&command, &loaded, output),
        Tool::Settings(command) => settings::run(command, &loaded.startup, output).await,
        Tool::Key(command) => key::run(command, &loaded, output).await,
        Tool::Admin(command) => admin::run(command, &loaded.startup, output).await,
        Tool::Token(command) => token::run(command, &loaded.startup, output).await,
        Tool::Import(command) => import::run(command, &loaded.startup, output).await,
        Tool::Schedule(command) => schedule::run(&command, &loaded.startup, output).await,
        Tool::Migrate(command) => migrate::run(command, &loaded.startup, output).await,
        Tool::Backup(command) => backup::run(command, &loaded.startup, output).await,
        Tool::Doctor(args) => doctor::run(&args, Ok(loaded), output).await,
        Tool::Healthcheck(args) => healthcheck::run(&args, &loaded.startup),
    }
}
