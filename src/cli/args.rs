//! Flags and commands.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use grok2api_config::{LogFormat, StartUpFlags};

use super::{admin, backup, config, doctor, healthcheck, import, key, migrate, schedule, settings, token};

const EXAMPLES: &str = "\
Examples:
  grok2api demo                             try everything against a simulated upstream
  grok2api token import tokens.txt          fill the pool, one token a line
  grok2api key create                       make the key that clients send
  grok2api serve                            start the gateway on 127.0.0.1:8000
  grok2api config show                      every setting with its value and where it comes from

Exit codes: 0 done, 1 failed, 2 wrong usage, 78 wrong configuration.";

/// One OpenAI-compatible endpoint in front of a pool of your own Grok accounts.
#[derive(Debug, Parser)]
#[command(name = "grok2api", version, about, after_help = EXAMPLES, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) flags: Flags,
    /// `serve` when none is given.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Flags of every command.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Flags {
    /// `--config`.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help = "Configuration file, over ./grok2api.toml and /etc/grok2api/config.toml [env: GROK2API_CONFIG]"
    )]
    config: Option<PathBuf>,
    /// `--data-dir`.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        help = "Where the database, the master key and media lie [env: GROK2API_DATA_DIR] [default: ./data]"
    )]
    data_dir: Option<PathBuf>,
    /// `--listen`.
    #[arg(
        long,
        global = true,
        value_name = "ADDRESS:PORT",
        help = "Address and port the server listens on [env: GROK2API_LISTEN] [default: 127.0.0.1:8000]"
    )]
    listen: Option<SocketAddr>,
    /// `--log-format`.
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_parser = log_format(),
        help = "Shape of log lines [env: GROK2API_LOG__FORMAT] [default: auto]"
    )]
    log_format: Option<LogFormat>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway (the default): API, workers and scheduler in one process
    Serve,
    /// Run the API alone; jobs are for processes that run `worker`
    Api,
    /// Run the workers alone; any number of them share work through Redis
    Worker,
    /// Run the scheduler alone: it says what is due; any number of them agree about it
    Scheduler,
    /// Run the gateway against a simulated upstream, with a temporary data directory
    Demo {
        /// End after the show instead of serving on
        #[arg(long)]
        once: bool,
        /// Show many processes instead: two that answer, three that work, two that say what is due, and one balancer
        #[arg(long)]
        scaled: bool,
        /// With --scaled: a PostgreSQL server on which a database may be made and removed
        #[arg(
            long,
            value_name = "URL",
            default_value = "postgres://postgres@127.0.0.1:5432/postgres",
            requires = "scaled"
        )]
        postgres: String,
        /// With --scaled: a Redis server; the keys of the demo have a prefix of their own and are removed
        #[arg(long, value_name = "URL", default_value = "redis://127.0.0.1:6379/", requires = "scaled")]
        redis: String,
    },
    /// Print the OpenAPI document of the HTTP API
    Openapi,
    #[command(flatten)]
    Tool(Tool),
}

/// Commands that do their work and end.
#[derive(Debug, Subcommand)]
pub(crate) enum Tool {
    /// Show or check the start-up configuration
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Show or change runtime settings
    #[command(subcommand)]
    Settings(settings::SettingsCommand),
    /// Make or show the key that clients send
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Get back in as an administrator: another password, or a code to log in with
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// Fill and look after the pool of accounts
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Move in from another gateway: accounts, settings
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// Show what becomes due by itself, run it now, stop it for a while
    #[command(subcommand)]
    Schedule(schedule::ScheduleCommand),
    /// Bring the database to the newest schema
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    /// Back up everything recorded to one encrypted file, check it, restore it
    #[command(subcommand)]
    Backup(backup::BackupCommand),
    /// Check everything the program needs, and say what to do about what does not work
    Doctor(doctor::DoctorArgs),
    /// Ask a running server whether it is alive (for container health checks)
    Healthcheck(healthcheck::HealthcheckArgs),
}

impl Flags {
    /// The flags as the configuration takes them.
    pub(crate) fn start_up(&self) -> StartUpFlags {
        StartUpFlags {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            listen: self.listen,
            log_format: self.log_format,
        }
    }
}

fn log_format() -> impl TypedValueParser<Value = LogFormat> {
    PossibleValuesParser::new(["auto", "pretty", "json"]).map(|name| LogFormat::parse(&name).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_free_of_contradictions() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_may_stand_before_or_after_the_command() {
        for line in [
            ["grok2api", "--data-dir", "d", "--log-format", "json", "token", "list"],
            ["grok2api", "token", "list", "--data-dir", "d", "--log-format", "json"],
        ] {
            let flags = Cli::try_parse_from(line).unwrap().flags.start_up();
            assert_eq!((flags.data_dir, flags.log_format), (Some(PathBuf::from("d")), Some(LogFormat::Json)));
        }
        assert!(Cli::try_parse_from(["grok2api"]).unwrap().command.is_none());
    }
}
