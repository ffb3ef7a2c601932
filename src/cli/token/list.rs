//! `token list`: the accounts of the pool.

use std::process::ExitCode;

use grok2api_entity::account::{self, Filter, Loaded, decode_tags};
use grok2api_pool::enrol::kind_of;

use super::args::ListArgs;
use super::shown::{budgets_text, json_of, token_end, type_of};
use crate::cli::output::Output;
use crate::cli::table::table;
use crate::store::Store;

const PAGE: u64 = 200;

/// Shows the accounts: a table for people, else one JSON object a line.
pub(super) async fn run(args: &ListArgs, store: &Store, output: &mut Output) -> anyhow::Result<ExitCode> {
    let kind = args.token_type.map(|token_type| kind_of(token_type.tier()));
    let filter = Filter { kind, status: None };
    let as_json = args.json || !output.is_terminal;
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let page = account::list(&store.db, filter, after, PAGE).await?;
        for row in &page.rows {
            if as_json {
                output.json(&json_of(row))?;
            } else {
                rows.push(cells(row));
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if !as_json {
        show(&rows, output)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn cells(row: &Loaded) -> Vec<String> {
    let account = &row.account;
    let status = match &account.status_reason {
        Some(reason) => format!("{} ({reason})", account.status.as_str()),
        None => account.status.as_str().to_owned(),
    };
    vec![
        account.id.to_string(),
        type_of(account).to_owned(),
        token_end(account),
        status,
        account.use_count.to_string(),
        budgets_text(row),
        decode_tags(&account.tags).join(", "),
        account.note.replace(char::is_control, " "),
    ]
}

fn show(rows: &[Vec<String>], output: &mut Output) -> anyhow::Result<()> {
    if rows.is_empty() {
        output.line("no accounts yet; add some with `grok2api token import FILE`")?;
        return Ok(());
    }
    for line in table(&["ID", "TYPE", "TOKEN", "STATUS", "USES", "LEFT", "TAGS", "NOTE"], rows) {
        output.line(&line)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use grok2api_config::{ModelTable, StartUp};
    use serde_json::Value;

    use super::*;
    use crate::cli::token::args::{Marks, TokenType};
    use crate::cli::token::enrol::{Circumstances, enrol};
    use crate::cli::token::intake;

    async fn store(home: &tempfile::TempDir, output: &mut Output) -> Store {
        let startup = StartUp { data_dir: home.path().to_owned(), ..StartUp::default() };
        let store = Store::open(&startup).await.unwrap();
        let marks = Marks { token_type: TokenType::Sso, tags: vec!["team".to_owned()], note: "two\nlines".to_owned() };
        let entries = intake::read("token,type\ncanary-0000-0000-abcd,sso\ncanary-1111-1111-wxyz,super\n", &marks)
            .unwrap()
            .entries;
        let circumstances = Circumstances { now_ms: 1, written_ms: 1, models: &ModelTable::default() };
        enrol(&store, entries, &circumstances, output).await.unwrap();
        store
    }

    #[tokio::test]
    async fn c4_tokens_are_shown_by_their_last_four_characters() {
        let home = tempfile::tempdir().unwrap();
        let (mut output, results, _) = Output::captured();
        let store = store(&home, &mut output).await;
        run(&ListArgs { token_type: None, json: true }, &store, &mut output).await.unwrap();
        let shown = results.take();
        assert!(!shown.contains("canary"));
        let rows: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.iter().map(|row| row["token_end"].as_str().unwrap()).collect::<Vec<_>>(), ["abcd", "wxyz"]);
        assert_eq!((rows[1]["type"].as_str(), rows[1]["status"].as_str()), (Some("ssoSuper"), Some("active")));

        output.is_terminal = true;
        run(&ListArgs { token_type: Some(TokenType::SsoSuper), json: false }, &store, &mut output).await.unwrap();
        let shown = results.take();
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines.len() == 2 && lines[0].starts_with("ID "), "{shown}");
        assert!(lines[1].contains("  ssoSuper  …wxyz  active  0 ") && lines[1].ends_with("team  two lines"), "{shown}");
    }
}
