//! `token`: the accounts of the pool, each known by its token.

mod add;
mod args;
mod enrol;
mod find;
mod import;
mod intake;
mod list;
mod remove;
mod shown;
mod test;

use std::process::ExitCode;

use grok2api_config::StartUp;

pub(super) use args::Marks;
pub(crate) use args::TokenCommand;
pub(super) use enrol::{Circumstances, Enrolled, enrol, preview};
pub(super) use intake::{Intake, read as read_intake};

use super::output::Output;
use crate::store::Store;

/// Carries out a command on the pool.
pub(super) async fn run(command: TokenCommand, startup: &StartUp, output: &mut Output) -> anyhow::Result<ExitCode> {
    match command {
        TokenCommand::Add(args) => add::run(&args, startup, output).await,
        TokenCommand::Import(args) => import::run(&args, startup, output).await,
        TokenCommand::List(args) => {
            let store = Store::open(startup).await?;
            let listed = list::run(&args, &store, output).await?;
            store.finish().await?;
            Ok(listed)
        }
        TokenCommand::Test(args) => test::run(&args, startup, output).await,
        TokenCommand::Remove(args) => remove::run(&args, &Store::open(startup).await?, output).await,
    }
}

/// Now, in Unix milliseconds.
pub(in crate::cli) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
