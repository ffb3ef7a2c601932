//! Why a configuration is refused: what, where, and what to do.

use std::fmt;
use std::path::PathBuf;

use super::Source;
use crate::models::ModelError;
use crate::spec::Refusal;

/// Why the configuration could not be loaded. Never quotes a value: it may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read {} ({asked_by})", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What names the file.
        asked_by: Source,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A file is no TOML.
    #[error("{}:{line}:{column}: {message}", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line of the first error, from 1.
        line: usize,
        /// Column of the first error, from 1.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// An environment variable is no text.
    #[error("environment variable {variable} is not valid UTF-8")]
    NotText {
        /// The variable.
        variable: String,
    },
    /// A variable and its `_FILE` form are both set.
    #[error("{variable} and {variable}_FILE are both set: keep one of them")]
    Twice {
        /// The variable without `_FILE`.
        variable: String,
    },
    /// Keys or values are wrong, each with its place.
    #[error("{}", Lines(.0))]
    Invalid(Vec<KeyProblem>),
}

/// What is wrong with one key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// There is no such key.
    #[error("unknown key {key} ({origin}){}", advice(*.suggestion))]
    Unknown {
        /// The key, dotted.
        key: String,
        /// Where it stands.
        origin: Source,
        /// A key with a similar name.
        suggestion: Option<&'static str>,
    },
    /// The value is not allowed.
    #[error("{key} {refusal} ({origin})")]
    Refused {
        /// The key.
        key: &'static str,
        /// Where its value stands.
        origin: Source,
        /// What is expected instead.
        refusal: Refusal,
    },
    /// An entry of the model table is not allowed.
    #[error("{error} ({origin})")]
    Model {
        /// Where it stands.
        origin: Source,
        /// What is wrong.
        error: ModelError,
    },
    /// A key does not fit another one.
    #[error("{key} must be {expected} while {because} ({origin})")]
    Misfit {
        /// The key.
        key: &'static str,
        /// What it must be.
        expected: &'static str,
        /// The other key and its value.
        because: &'static str,
        /// Where its value stands.
        origin: Source,
    },
}

fn advice(suggestion: Option<&str>) -> String {
    match suggestion {
        Some(key) => format!(": did you mean {key}?"),
        None => ": `grok2api config show` lists all keys".to_owned(),
    }
}

/// Problems, one a line.
struct Lines<'a>(&'a [KeyProblem]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}
