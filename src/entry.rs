//! From the command line to the role this process plays.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use grok2api_config::{StartUp, StartUpFlags};
use tokio::runtime::{Builder, Runtime};

use crate::cli::{self, Cli, Command};
use crate::demo::Servers;
use crate::house::Role;
use crate::{demo, serve, telemetry};

/// Runs the program; the exit code is 0 when it did what was asked, 1 when it failed, 2 for wrong usage and 78 for a
/// wrong configuration.
pub fn main() -> ExitCode {
    grok2api_upstream::client::install_crypto();
    let cli = Cli::parse();
    match runtime() {
        Ok(runtime) => runtime.block_on(dispatch(cli)),
        Err(error) => cli::report(&error.into()),
    }
}

/// One thread per processor this process may use; on a single one, no scheduler between threads.
fn runtime() -> std::io::Result<Runtime> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut builder = if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.worker_threads(threads).thread_name("grok2api").enable_all().build()
}

async fn dispatch(cli: Cli) -> ExitCode {
    let flags = cli.flags.start_up();
    let ended = match cli.command {
        None | Some(Command::Serve) => serve_with(&flags, Role::All).await,
        Some(Command::Api) => serve_with(&flags, Role::Api).await,
        Some(Command::Worker) => serve_with(&flags, Role::Worker).await,
        Some(Command::Scheduler) => serve_with(&flags, Role::Scheduler).await,
        Some(Command::Demo { once, scaled: true, postgres, redis }) => {
            demo::run_scaled(flags.listen, once, &Servers { postgres, redis }).await
        }
        Some(Command::Demo { once, .. }) => demo::run(flags.listen, once).await,
        Some(Command::Openapi) => print_document(),
        Some(Command::Tool(tool)) => return cli::run(tool, &flags).await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => cli::report(&error),
    }
}

fn print_document() -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{}", grok2api_api::openapi_document())?;
    Ok(())
}

async fn serve_with(flags: &StartUpFlags, role: Role) -> anyhow::Result<()> {
    let loaded = StartUp::load(flags)?;
    telemetry::start(&loaded.startup.log, loaded.startup.settings.global.log_level);
    telemetry::log_panics();
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    serve::serve(&loaded.startup, role).await
}
