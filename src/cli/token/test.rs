//! `token test`: asking the upstream about accounts, one after the other.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::anyhow;
use grok2api_config::{ModelSpec, ModelTable, Settings, StartUp};
use grok2api_entity::account::{self, Model, Status};
use grok2api_entity::connect::begin_write;
use grok2api_gateway::examine::{Examiner, Finding, Verdict, write_down};
use grok2api_upstream::client::{GrokWeb, install_crypto};
use serde_json::{Value, json};
use uuid::Uuid;

use super::args::TestArgs;
use super::find::find;
use super::shown::token_end;
use crate::cli::output::Output;
use crate::store::Store;

const PAGE: u64 = 200;

/// What a test needs.
struct Tester {
    store: Store,
    web: GrokWeb,
    settings: Arc<Settings>,
    model: Arc<ModelSpec>,
}

/// Tests accounts and writes down what the upstream says.
pub(super) async fn run(args: &TestArgs, startup: &StartUp, output: &mut Output) -> anyhow::Result<ExitCode> {
    let models = ModelTable::new(&startup.models);
    let model = models.get(&args.model).cloned();
    let model = model.ok_or_else(|| anyhow!("there is no model {} in the model table", args.model))?;
    let store = Store::open(startup).await?;
    install_crypto();
    let web = GrokWeb::new(&startup.upstream)?;
    let settings = store.settings.handle().snapshot();
    let tester = Tester { store, web, settings, model };
    let as_json = args.json || !output.is_terminal;
    let mut all_fine = true;
    let mut named = Vec::new();
    for name in &args.accounts {
        named.push(find(&tester.store, name).await?);
    }
    for account in &named {
        all_fine &= tester.test(account, as_json, output).await?;
    }
    if args.all {
        all_fine &= tester.test_all(as_json, output).await?;
    }
    tester.store.finish().await?;
    Ok(if all_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Tester {
    async fn test_all(&self, as_json: bool, output: &mut Output) -> anyhow::Result<bool> {
        let mut all_fine = true;
        let mut after: Option<Uuid> = None;
        loop {
            let page = account::load_page(&self.store.db, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(all_fine) };
            after = Some(last.account.id);
            for row in page.iter().filter(|row| row.account.status != Status::Disabled) {
                all_fine &= self.test(&row.account, as_json, output).await?;
            }
        }
    }

    /// Tests one account; `true` when its credential works.
    async fn test(&self, account: &Model, as_json: bool, output: &mut Output) -> anyhow::Result<bool> {
        let (vault, settings) = (&*self.store.vault, &*self.settings);
        let examiner = Examiner { vault, upstream: &self.web, settings, model: &self.model };
        let finding = examiner.examine(account).await?;
        let work = begin_write(&self.store.db).await?;
        write_down(&*work, account, &finding).await?;
        work.commit().await?;
        if as_json {
            output.json(&json_of(account, &self.model, &finding))?;
        } else {
            output.line(&text_of(account, &self.model, &finding))?;
        }
        Ok(matches!(finding.verdict, Verdict::Valid { .. } | Verdict::Limited))
    }
}

fn text_of(account: &Model, model: &ModelSpec, finding: &Finding) -> String {
    let said = match finding.verdict {
        Verdict::Valid { calls_left: Some(calls) } => format!("works, {calls} calls of {} left", model.id),
        Verdict::Valid { calls_left: None } => "works".to_owned(),
        Verdict::Expired => "refused".to_owned(),
        Verdict::Limited => format!("limited for {}", model.id),
        Verdict::Unknown => "could not be asked".to_owned(),
    };
    let message = finding.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
    format!("{}  {}  {said}{message}", account.id, token_end(account))
}

fn json_of(account: &Model, model: &ModelSpec, finding: &Finding) -> Value {
    let (outcome, calls_left) = match finding.verdict {
        Verdict::Valid { calls_left } => ("valid", calls_left),
        Verdict::Expired => ("expired", None),
        Verdict::Limited => ("limited", None),
        Verdict::Unknown => ("unknown", None),
    };
    let budget = finding.budget.as_ref();
    json!({
        "id": account.id.to_string(),
        "token_end": account.hint,
        "model": model.id,
        "outcome": outcome,
        "calls_left": calls_left,
        "remaining": budget.map(|budget| budget.remaining),
        "total": budget.map(|budget| budget.total),
        "reset_at": budget.and_then(|budget| budget.reset_at),
        "message": finding.message,
    })
}
