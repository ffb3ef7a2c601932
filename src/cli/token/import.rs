//! `token import`: many accounts from a file.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;
use std::time::UNIX_EPOCH;

use anyhow::Context;
use grok2api_config::{ModelTable, StartUp};
use serde_json::json;
use zeroize::Zeroizing;

use super::args::ImportArgs;
use super::enrol::{Circumstances, Enrolled, enrol, preview};
use super::intake::{self, Intake};
use super::now_ms;
use crate::cli::output::Output;
use crate::store::Store;

/// Imports the accounts of a file; exit code 1 when there was nothing to use.
pub(super) async fn run(args: &ImportArgs, startup: &StartUp, output: &mut Output) -> anyhow::Result<ExitCode> {
    let now_ms = now_ms();
    let (text, written_ms) = read(&args.file, now_ms)?;
    let mut intake =
        intake::read(&text, &args.marks).with_context(|| format!("cannot import {}", args.file.display()))?;
    let entries = std::mem::take(&mut intake.entries);
    let found = entries.len();
    let store = Store::open(startup).await?;
    let enrolled = if args.dry_run {
        preview(&store, entries).await?
    } else {
        let models = ModelTable::new(&startup.models);
        enrol(&store, entries, &Circumstances { now_ms, written_ms, models: &models }, output).await?
    };
    tell(args, found, &intake, enrolled, output)?;
    store.finish().await?;
    Ok(if found == 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The text of the file, and when it was written.
fn read(file: &Path, now_ms: i64) -> anyhow::Result<(Zeroizing<String>, i64)> {
    if file.as_os_str() == "-" {
        let mut text = Zeroizing::new(String::new());
        io::stdin().lock().read_to_string(&mut text).context("cannot read standard input")?;
        return Ok((text, now_ms));
    }
    let failed = || format!("cannot read {}", file.display());
    let text = fs::read_to_string(file).with_context(failed)?;
    let written = fs::metadata(file).and_then(|about| about.modified()).with_context(failed)?;
    let since = written.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok((Zeroizing::new(text), i64::try_from(since.as_millis()).unwrap_or(now_ms).min(now_ms)))
}

fn tell(
    args: &ImportArgs,
    found: usize,
    intake: &Intake,
    enrolled: Enrolled,
    output: &mut Output,
) -> anyhow::Result<()> {
    intake.tell_refused(output)?;
    let Enrolled { added, known } = enrolled;
    let (repeated, refused) = (intake.repeated, intake.refused.len());
    if args.json {
        output.json(&json!({
            "dry_run": args.dry_run, "found": found, "added": added, "known": known, "repeated": repeated, "refused": refused,
        }))?;
        return Ok(());
    }
    let verb = if args.dry_run { "would be added" } else { "added" };
    output.line(&format!(
        "{found} accounts found: {added} {verb}, {known} in the pool already; {repeated} repeated, {refused} not usable"
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use grok2api_entity::account::{self, Kind, Status};
    use grok2api_entity::account_budget::Source;

    use super::*;
    use crate::cli::token::args::{Marks, TokenType};

    fn args(home: &tempfile::TempDir, text: &str) -> ImportArgs {
        let file = home.path().join("accounts");
        fs::write(&file, text).unwrap();
        let marks = Marks { token_type: TokenType::Sso, tags: Vec::new(), note: String::new() };
        ImportArgs { file, marks, dry_run: false, json: false }
    }

    fn startup(home: &tempfile::TempDir) -> StartUp {
        StartUp { data_dir: home.path().join("data"), ..StartUp::default() }
    }

    #[tokio::test]
    async fn importing_twice_changes_nothing_and_no_token_lies_open() {
        let home = tempfile::tempdir().unwrap();
        let startup = startup(&home);
        let tokens = (0..1500).fold(String::new(), |all, number| all + &format!("canary-token-of-account-{number}\n"));
        let args = args(&home, &format!("{tokens}canary-token-of-account-7\nno token\n"));
        let (mut output, results, remarks) = Output::captured();
        let told = |added, known, verb| {
            format!("1500 accounts found: {added} {verb}, {known} in the pool already; 1 repeated, 1 not usable\n")
        };

        let dry = ImportArgs { file: args.file.clone(), marks: args.marks.clone(), dry_run: true, json: false };
        run(&dry, &startup, &mut output).await.unwrap();
        assert_eq!(results.take(), told(1500, 0, "would be added"));
        run(&args, &startup, &mut output).await.unwrap();
        assert_eq!(results.take(), told(1500, 0, "added"));
        run(&args, &startup, &mut output).await.unwrap();
        assert_eq!(results.take(), told(0, 1500, "added"));

        assert!(!remarks.take().contains("canary"));
        for file in fs::read_dir(&startup.data_dir).unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(12).any(|window| window == b"canary-token"), "a token lies open");
        }
    }

    #[tokio::test]
    async fn what_the_old_gateway_knew_is_kept_as_an_estimate_of_its_time() {
        let home = tempfile::tempdir().unwrap();
        let startup = startup(&home);
        let text = r#"{"ssoNormal": {"eyJ.basic": {"remainingQueries": 0, "status": "expired", "createdTime": 5, "tags": ["a"]}},
                       "ssoSuper": {"eyJ.super": {"remainingQueries": 99, "heavyremainingQueries": 7}, "eyJ.new": {"remainingQueries": -1}}}"#;
        let (mut output, results, _) = Output::captured();
        run(&args(&home, text), &startup, &mut output).await.unwrap();
        assert!(results.take().starts_with("3 accounts found: 3 added"));

        let store = Store::open(&startup).await.unwrap();
        let rows = account::load_page(&store.db, None, 10).await.unwrap();
        let summary = |index: usize| {
            let row = &rows[index];
            let budgets: Vec<_> =
                row.budgets.iter().map(|budget| (budget.budget.as_str(), budget.remaining, budget.total)).collect();
            (row.account.kind, row.account.status, budgets)
        };
        let normal = |left, total| {
            vec![("grok-3", left, total), ("grok-4", left, total), ("grok-4-mini-thinking-tahoe", left, total)]
        };
        assert_eq!(summary(0), (Kind::Sso, Status::Expired, normal(0, 80)));
        let mut with_heavy = normal(99, 140);
        with_heavy.insert(2, ("grok-4-heavy", 7, 20));
        assert_eq!(summary(1), (Kind::SsoSuper, Status::Active, with_heavy));
        assert_eq!(summary(2), (Kind::SsoSuper, Status::Active, Vec::new()));
        assert_eq!((rows[0].account.created_at, rows[0].account.status_reason.as_deref()), (5, Some("imported")));
        let budget = &rows[0].budgets[0];
        assert_eq!((budget.source, budget.reset_at), (Source::Estimated, Some(budget.read_at + 72_000_000)));
    }

    #[tokio::test]
    async fn an_unreadable_file_fails_before_anything_is_made() {
        let home = tempfile::tempdir().unwrap();
        let startup = startup(&home);
        let (mut output, _, _) = Output::captured();
        let error = run(&args(&home, r#"{"sso": {"canary"#), &startup, &mut output).await.unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("the file ends in the middle") && !text.contains("canary"), "{text}");
        assert!(!startup.data_dir.exists());
        let nothing = run(&args(&home, "# none\n"), &startup, &mut output).await.unwrap();
        assert_eq!(nothing, ExitCode::FAILURE);
    }
}
