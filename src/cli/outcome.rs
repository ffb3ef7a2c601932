//! How a command ends: its exit code, and its error in words.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use grok2api_config::{ConfigError, VaultError};

/// The command line makes no sense, although it could be parsed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) &'static str);

/// Exit code of a wrong command line.
const USAGE: u8 = 2;
/// Exit code of a wrong configuration (`EX_CONFIG` of sysexits.h).
const CONFIG: u8 = 78;

/// Tells an error on standard error, and gives the exit code that goes with it.
///
/// A reader that went away (`grok2api token list | head`) is no error.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    // Nothing can be done when standard error is closed.
    let _ = tell(error, &mut std::io::stderr().lock());
    ExitCode::from(code(error))
}

fn tell(error: &anyhow::Error, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "error: {error}")?;
    for cause in error.chain().skip(1) {
        writeln!(out, "  because: {cause}")?;
    }
    Ok(())
}

fn code(error: &anyhow::Error) -> u8 {
    let wrong_key = |error: &VaultError| match error {
        VaultError::WeakKey { .. } | VaultError::WrongKey { .. } | VaultError::MissingKey { .. } => true,
        VaultError::KeyFile { .. }
        | VaultError::UnknownKey { .. }
        | VaultError::Malformed
        | VaultError::Refused
        | VaultError::NoRandom(_) => false,
    };
    if error.is::<Usage>() {
        USAGE
    } else if error.is::<ConfigError>() || error.downcast_ref::<VaultError>().is_some_and(wrong_key) {
        CONFIG
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn an_error_is_told_with_its_causes() {
        let error = anyhow::anyhow!("permission denied").context("cannot open the database");
        let mut told = Vec::new();
        assert!(tell(&error, &mut told).is_ok());
        assert_eq!(String::from_utf8_lossy(&told), "error: cannot open the database\n  because: permission denied\n");
    }

    #[test]
    fn each_kind_of_error_has_its_exit_code() {
        let config = ConfigError::Twice { variable: "X".to_owned() };
        assert_eq!(code(&config.into()), 78);
        let weak = Err::<(), _>(VaultError::WeakKey { key: "secret_key".to_owned() }).context("cannot start");
        assert_eq!(weak.map_err(|error| code(&error)), Err(78));
        assert_eq!(code(&VaultError::Malformed.into()), 1);
        assert_eq!(code(&Usage("give a token").into()), 2);
        assert_eq!(code(&anyhow::anyhow!("other")), 1);
    }
}
