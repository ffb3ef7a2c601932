//! `token remove`: accounts leave the pool.

use std::io::{self, BufRead, IsTerminal};
use std::process::ExitCode;

use anyhow::Context;
use grok2api_entity::account::{self, Model};
use grok2api_entity::audit::{self, Note};
use grok2api_entity::connect::begin_write;
use serde_json::json;

use super::args::RemoveArgs;
use super::find::find;
use super::shown::{token_end, type_of};
use crate::accounts::announce_change;
use crate::cli::outcome::Usage;
use crate::cli::output::Output;
use crate::store::Store;

/// Takes accounts out, all of them or none; running servers stop using them within seconds.
pub(super) async fn run(args: &RemoveArgs, store: &Store, output: &mut Output) -> anyhow::Result<ExitCode> {
    let mut accounts: Vec<Model> = Vec::new();
    for name in names(args)? {
        let account = find(store, &name).await?;
        if !accounts.iter().any(|other| other.id == account.id) {
            accounts.push(account);
        }
    }
    if !args.yes && !confirm(&accounts, output)? {
        output.line("nothing removed")?;
        return Ok(ExitCode::FAILURE);
    }
    let work = begin_write(&store.db).await?;
    for account in &accounts {
        account::delete(&*work, account.id).await?;
    }
    announce_change(&*work).await?;
    let ids: Vec<String> = accounts.iter().map(|account| account.id.to_string()).collect();
    let note = Note::by_hand("account.remove", format!("{} accounts", ids.len()), json!({ "ids": ids }));
    audit::insert(&*work, &note).await?;
    work.commit().await?;
    store.finish().await?;
    output.line(&format!("{} removed", accounts.len()))?;
    Ok(ExitCode::SUCCESS)
}

fn names(args: &RemoveArgs) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for name in &args.accounts {
        if name == "-" {
            for line in io::stdin().lock().lines() {
                let line = line.context("cannot read standard input")?;
                if !line.trim().is_empty() {
                    names.push(line);
                }
            }
        } else {
            names.push(name.clone());
        }
    }
    if names.is_empty() { Err(Usage("name at least one account").into()) } else { Ok(names) }
}

fn confirm(accounts: &[Model], output: &mut Output) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        return Err(Usage("nobody can be asked here: say --yes to remove without asking").into());
    }
    for account in accounts {
        output.remark(&format!("{}  {}  {}  {}", account.id, type_of(account), token_end(account), account.note))?;
    }
    output.remark(&format!("Remove {} accounts for good? [y/N]", accounts.len()))?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use grok2api_config::{ModelTable, StartUp};
    use grok2api_entity::account::Filter;

    use super::*;
    use crate::cli::token::args::{Marks, TokenType};
    use crate::cli::token::enrol::{Circumstances, enrol};
    use crate::cli::token::intake;

    #[tokio::test]
    async fn accounts_are_named_by_id_or_token_and_leave_together_or_not_at_all() {
        let home = tempfile::tempdir().unwrap();
        let startup = StartUp { data_dir: home.path().to_owned(), ..StartUp::default() };
        let store = Store::open(&startup).await.unwrap();
        let (mut output, results, _) = Output::captured();
        let marks = Marks { token_type: TokenType::Sso, tags: Vec::new(), note: String::new() };
        let entries = intake::read("canary-one\ncanary-two\ncanary-three\n", &marks).unwrap().entries;
        let circumstances = Circumstances { now_ms: 1, written_ms: 1, models: &ModelTable::default() };
        enrol(&store, entries, &circumstances, &mut output).await.unwrap();
        let count = || account::count(&store.db, Filter::default());
        let args =
            |names: &[&str]| RemoveArgs { accounts: names.iter().map(|name| (*name).to_owned()).collect(), yes: true };

        let error = run(&args(&["canary-one", "canary-none"]), &store, &mut output).await.unwrap_err();
        assert!(error.to_string().starts_with("there is no such account") && !error.to_string().contains("canary"));
        assert_eq!(count().await.unwrap(), 3);

        let first = find(&store, "sso=canary-one").await.unwrap().id.to_string();
        let handle = format!("acct-{first}-yone");
        assert_eq!(find(&store, &handle).await.unwrap().id.to_string(), first);
        run(&args(&[&first, "canary-one", "canary-two"]), &store, &mut output).await.unwrap();
        assert_eq!((results.take().as_str(), count().await.unwrap()), ("2 removed\n", 1));
        assert!(find(&store, &first).await.is_err());
    }
}
