//! What is to be added to the pool, read from the forms in which people have it.

mod collect;
mod csv_list;
mod plain;
mod token_json;

use grok2api_config::Tier;
use grok2api_entity::account::Failures;
use grok2api_upstream::credential::CredentialError;
use secrecy::SecretString;

pub(super) use collect::Collector;

use super::args::Marks;
use crate::cli::output::Output;

/// Most unusable pieces that are told one by one.
const MAX_TOLD: usize = 20;

/// An account to add.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Entry {
    /// The token, brought into its normal form.
    pub(in crate::cli) token: SecretString,
    /// Which kind of account it is.
    pub(in crate::cli) tier: Tier,
    /// Labels.
    pub(in crate::cli) tags: Vec<String>,
    /// Free text.
    pub(in crate::cli) note: String,
    /// When the old gateway got to know it, in Unix milliseconds.
    pub(in crate::cli) created_at: Option<i64>,
    /// Whether the old gateway found it refused.
    pub(in crate::cli) expired: bool,
    /// Units left in the budgets of normal models, as the old gateway believed.
    pub(in crate::cli) remaining: Option<i64>,
    /// Calls left of the heavy model, as the old gateway believed.
    pub(in crate::cli) heavy_remaining: Option<i64>,
    /// How it failed there.
    pub(in crate::cli) failures: Failures,
}

/// What was read.
#[derive(Debug, Default)]
pub(in crate::cli) struct Intake {
    /// The accounts, each once, in the order of the input.
    pub(in crate::cli) entries: Vec<Entry>,
    /// Tokens that came more than once in the input.
    pub(in crate::cli) repeated: usize,
    /// What could not be used.
    pub(in crate::cli) refused: Vec<Refused>,
}

impl Intake {
    /// Says what cannot be used, the first of it one by one.
    pub(in crate::cli) fn tell_refused(&self, output: &mut Output) -> anyhow::Result<()> {
        for refused in self.refused.iter().take(MAX_TOLD) {
            output.remark(&format!("not usable, {refused}"))?;
        }
        if self.refused.len() > MAX_TOLD {
            output.remark(&format!("… and {} more", self.refused.len() - MAX_TOLD))?;
        }
        Ok(())
    }
}

/// A piece of the input that cannot be used. Never holds the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub(in crate::cli) struct Refused {
    /// Where it stands.
    pub(in crate::cli) place: Place,
    /// Why.
    pub(in crate::cli) reason: Reason,
}

/// Where something stands in the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::cli) enum Place {
    /// On a line, counted from 1.
    #[error("line {0}")]
    Line(usize),
    /// On the command line, counted from 1.
    #[error("argument {0}")]
    Argument(usize),
    /// In a pool of a token.json, counted from 1.
    #[error("{pool}, entry {entry}")]
    Pool {
        /// The pool.
        pool: &'static str,
        /// The entry in it.
        entry: usize,
    },
}

/// Why a piece of the input cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::cli) enum Reason {
    /// The token is none.
    #[error(transparent)]
    Credential(CredentialError),
    /// It is what this gateway calls an account in the place of its token.
    #[error("this is the handle of an account, not a token")]
    Handle,
    /// The kind of account is unknown.
    #[error("the type must be sso or ssoSuper")]
    Type,
}

/// Why an input as a whole cannot be read. Never quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::cli) enum IntakeError {
    /// JSON that ends too early.
    #[error(
        "the file ends in the middle (line {line}, column {column}): it was cut off, as happens when the old gateway \
         is stopped while it writes; use a backup of it"
    )]
    CutOff {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Wrong JSON.
    #[error("the file is not valid JSON (line {line}, column {column})")]
    Json {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// JSON of another form.
    #[error("this JSON is no token.json: {0}")]
    Form(&'static str),
    /// Wrong CSV.
    #[error("line {line} is not valid CSV")]
    Csv {
        /// Line, from 1.
        line: u64,
    },
}

/// Reads accounts from any known form, recognised by its beginning: token.json, a CSV file with a column `token`, or
/// one token a line.
pub(in crate::cli) fn read(text: &str, marks: &Marks) -> Result<Intake, IntakeError> {
    let text = text.trim_start_matches('\u{feff}');
    let begin = text.trim_start();
    if begin.starts_with('{') || begin.starts_with('[') {
        token_json::read(text, marks)
    } else if csv_list::has_header(text) {
        csv_list::read(text, marks)
    } else {
        Ok(plain::read(text, marks))
    }
}

#[cfg(test)]
mod testing {
    use secrecy::ExposeSecret;

    use super::Intake;
    use crate::cli::token::args::{Marks, TokenType};

    /// Marks that can be told from those of an input.
    pub(in crate::cli) fn marks() -> Marks {
        Marks { token_type: TokenType::Sso, tags: vec!["t".to_owned()], note: "n".to_owned() }
    }

    /// The tokens in their order.
    pub(in crate::cli) fn tokens(intake: &Intake) -> Vec<&str> {
        intake.entries.iter().map(|entry| entry.token.expose_secret()).collect()
    }
}
