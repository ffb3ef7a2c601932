//! The first administrator, made at the first start.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use grok2api_api::access::setup::{self, Made};
use grok2api_config::StartUp;
use secrecy::ExposeSecret;

use crate::store::Store;

/// The file of a password that nobody saw, in the data folder.
const FILE: &str = "admin-password";

/// Makes the first administrator if there is none; answers the password that was made for them, if one was.
///
/// # Errors
/// The database does not answer, or the configured password is not fit to be one.
pub(crate) async fn ensure(store: &Store, startup: &StartUp) -> Result<Option<Made>> {
    let name = &startup.admin.username;
    let made = setup::ensure_first(&store.db, name, startup.admin.password.as_ref()).await;
    let made = made.context("the first administrator cannot be made")?;
    store.kept().await?;
    Ok(made)
}

/// As [`ensure`], and tells the password once: on the screen if somebody sits there, else in a file of its own.
/// It is never logged.
///
/// # Errors
/// As [`ensure`], or the file cannot be written.
pub(crate) async fn ensure_told(store: &Store, startup: &StartUp) -> Result<()> {
    let Some(made) = ensure(store, startup).await? else { return Ok(()) };
    let mut screen = std::io::stderr();
    if screen.is_terminal() {
        writeln!(
            screen,
            "\n  The first administrator is {}, with the password\n\n      {}\n\n  It is shown this once, and must be changed \
             at the first login.\n",
            made.name,
            made.password.expose_secret()
        )?;
    } else {
        let path = write(startup, &made)?;
        tracing::warn!(
            path = %path.display(),
            username = made.name,
            "the first administrator's password lies in a file: log in, change it, and remove the file"
        );
    }
    Ok(())
}

fn write(startup: &StartUp, made: &Made) -> Result<PathBuf> {
    let path = startup.data_dir.join(FILE);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&path).and_then(|mut file| writeln!(file, "{}", made.password.expose_secret()));
    written.with_context(|| format!("the password cannot be written to {}", path.display()))?;
    Ok(path)
}
