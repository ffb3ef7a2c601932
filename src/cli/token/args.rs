//! The commands and their flags.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use grok2api_config::Tier;

/// What to do with the accounts of the pool.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Add accounts by their tokens
    Add(AddArgs),
    /// Import accounts from a list, a CSV file or the old gateway's token.json
    Import(ImportArgs),
    /// Show the accounts of the pool, tokens by their last four characters
    List(ListArgs),
    /// Ask the upstream what accounts may still do, and write it down
    Test(TestArgs),
    /// Take accounts out of the pool
    #[command(alias = "rm")]
    Remove(RemoveArgs),
}

/// Kind of an account, as the old gateway's API spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TokenType {
    /// A free account.
    #[value(name = "sso", alias = "basic")]
    Sso,
    /// A Super account.
    #[value(name = "ssoSuper", alias = "super", alias = "sso_super")]
    SsoSuper,
}

impl Default for Marks {
    fn default() -> Self {
        Self { token_type: TokenType::Sso, tags: Vec::new(), note: String::new() }
    }
}

impl TokenType {
    /// The tier it stands for.
    pub(super) fn tier(self) -> Tier {
        match self {
            Self::Sso => Tier::Basic,
            Self::SsoSuper => Tier::Super,
        }
    }
}

/// What to add.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grok2api token add < token.txt                  one token a line, from standard input
  grok2api token add --type ssoSuper --tag team --note spare < token.txt

A token is the value of the cookie `sso`; a whole cookie string will do.")]
pub(crate) struct AddArgs {
    /// Tokens; better read from standard input, since arguments are visible to other users of this machine
    #[arg(value_name = "TOKEN")]
    pub(super) tokens: Vec<String>,
    #[command(flatten)]
    pub(super) marks: Marks,
}

/// What new accounts are marked with.
#[derive(Debug, Clone, Args)]
pub(crate) struct Marks {
    /// Kind of the accounts, when the input does not say
    #[arg(long = "type", value_enum, default_value = "sso", value_name = "TYPE", ignore_case = true)]
    pub(super) token_type: TokenType,
    /// A label; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    pub(super) tags: Vec<String>,
    /// Free text
    #[arg(long, default_value = "", value_name = "TEXT", hide_default_value = true)]
    pub(super) note: String,
}

/// What to import.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grok2api token import tokens.txt --type ssoSuper
  grok2api token import accounts.csv              columns: token, and if wanted type, tags, note
  grok2api token import data/token.json --dry-run
  ssh old-host cat data/token.json | grok2api token import -

The form is recognised by itself. Accounts that are in the pool already stay as they are: importing twice changes nothing.")]
pub(crate) struct ImportArgs {
    /// The file, or - for standard input
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) marks: Marks,
    /// Only say what would be done
    #[arg(long)]
    pub(super) dry_run: bool,
    /// One JSON object with the numbers instead of a sentence
    #[arg(long)]
    pub(super) json: bool,
}

/// What to list.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  grok2api token list\n  grok2api token list --json | jq 'select(.status == \"expired\") | .id'"
)]
pub(crate) struct ListArgs {
    /// Only accounts of this kind
    #[arg(long = "type", value_enum, value_name = "TYPE", ignore_case = true)]
    pub(super) token_type: Option<TokenType>,
    /// One JSON object a line; the default when standard output is no terminal
    #[arg(long)]
    pub(super) json: bool,
}

/// What to test.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grok2api token test --all
  grok2api token test 019352a4-7d5e-7c3e-b0e2-0f6f4d5c1a2b

Accounts are asked one after the other, and only about one model: asking for all at once looks like an attack.
Exit code 1 when an account could not be asked or is refused.")]
pub(crate) struct TestArgs {
    /// Ids of accounts, as `token list` shows them, or tokens
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    pub(super) accounts: Vec<String>,
    /// All accounts but disabled ones
    #[arg(long)]
    pub(super) all: bool,
    /// The model whose budget is asked for
    #[arg(long, default_value = "grok-4-fast", value_name = "MODEL")]
    pub(super) model: String,
    /// One JSON object a line; the default when standard output is no terminal
    #[arg(long)]
    pub(super) json: bool,
}

/// What to take out.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grok2api token remove 019352a4-7d5e-7c3e-b0e2-0f6f4d5c1a2b
  grok2api token remove --yes - < tokens-to-remove.txt")]
pub(crate) struct RemoveArgs {
    /// Ids of accounts, as `token list` shows them, or tokens; - reads them from standard input
    #[arg(value_name = "ID", required = true)]
    pub(super) accounts: Vec<String>,
    /// Do not ask
    #[arg(long, short)]
    pub(super) yes: bool,
}
