//! `admin`: the ways back in for who is at the machine itself.

use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use grok2api_api::access::setup;
use grok2api_config::StartUp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::output::Output;
use crate::first_admin;
use crate::store::Store;

/// What to do about administrators.
#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Give an administrator another password and end their sessions
    #[command(
        after_help = "Examples:\n  grok2api admin reset-password\n  grok2api admin reset-password --stdin < password.txt"
    )]
    ResetPassword {
        /// Read the password from standard input; without this a random one is printed, which must be changed at once
        #[arg(long)]
        stdin: bool,
        #[command(flatten)]
        who: Who,
    },
    /// Print a code that logs an administrator in: once, within ten minutes, however many attempts others make
    LoginCode {
        #[command(flatten)]
        who: Who,
    },
}

/// Which administrator.
#[derive(Debug, Args)]
pub(crate) struct Who {
    /// The name; needed only if there are several
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// One JSON object instead of a line
    #[arg(long)]
    json: bool,
}

/// Opens a way in.
pub(super) async fn run(command: AdminCommand, startup: &StartUp, output: &mut Output) -> Result<ExitCode> {
    let store = Store::open(startup).await?;
    // There may be nobody yet: who asks for a password before the first start is to get one.
    let first = first_admin::ensure(&store, startup).await?;
    match command {
        AdminCommand::ResetPassword { stdin, who } => {
            let password = if stdin { Some(from_stdin()?) } else { None };
            let is_given = password.is_some();
            let made = match first {
                Some(made) if !is_given && who.username.is_none() => made,
                _ => setup::reset_password(&store.db, who.username.as_deref(), password).await?,
            };
            if who.json {
                let shown = (!is_given).then(|| made.password.expose_secret());
                output.json(&json!({"username": made.name, "password": shown}))?;
            } else if is_given {
                output.line(&format!("{} has another password", made.name))?;
            } else {
                output.line(made.password.expose_secret())?;
                output.remark(&format!(
                    "It is the password of {}, good until another is chosen at the first login. It is not shown again.",
                    made.name
                ))?;
            }
        }
        AdminCommand::LoginCode { who } => {
            let (name, code) = setup::login_code(&store.db, &store.vault, who.username.as_deref()).await?;
            if who.json {
                output.json(&json!({"username": name, "code": code.expose_secret()}))?;
            } else {
                output.line(code.expose_secret())?;
                output
                    .remark(&format!("It logs {name} in once, within ten minutes, in place of name and password."))?;
            }
        }
    }
    store.finish().await?;
    Ok(ExitCode::SUCCESS)
}

fn from_stdin() -> Result<SecretString> {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        anyhow::bail!("the password would be seen on the screen: give it by a pipe or a file");
    }
    let mut text = String::new();
    stdin.read_to_string(&mut text).context("the password cannot be read")?;
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
}
