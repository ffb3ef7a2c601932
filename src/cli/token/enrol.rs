//! Bringing accounts into the pool: sealed, each once.

use grok2api_config::{ModelTable, Tier, UsualBudget};
use grok2api_entity::account::{self, NewAccount, Status};
use grok2api_entity::account_budget::{self, Source};
use grok2api_entity::audit::{self, Note};
use grok2api_entity::connect::begin_write;
use grok2api_pool::enrol;
use sea_orm::ConnectionTrait;
use serde_json::json;
use uuid::Uuid;

use super::intake::Entry;
use crate::accounts::{Template, announce_change, new_account};
use crate::cli::output::Output;
use crate::store::Store;

/// Accounts sealed and written between two looks at the progress.
const CHUNK: usize = 1000;

/// What became of the accounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::cli) struct Enrolled {
    /// New in the pool.
    pub(in crate::cli) added: u64,
    /// In the pool already; left as they are.
    pub(in crate::cli) known: u64,
}

/// When the input was true, and what it may be about.
pub(in crate::cli) struct Circumstances<'a> {
    /// Now, in Unix milliseconds.
    pub(in crate::cli) now_ms: i64,
    /// When the numbers of the input were written.
    pub(in crate::cli) written_ms: i64,
    /// The models whose budgets the numbers belong to.
    pub(in crate::cli) models: &'a ModelTable,
}

/// How many of the accounts are new; changes nothing.
pub(in crate::cli) async fn preview(store: &Store, entries: Vec<Entry>) -> anyhow::Result<Enrolled> {
    let total = entries.len() as u64;
    let unknown = unknown(store, entries).await?.len() as u64;
    Ok(Enrolled { added: unknown, known: total - unknown })
}

/// Adds the accounts that are new, all of them or none; running servers take them over within seconds.
pub(in crate::cli) async fn enrol(
    store: &Store,
    entries: Vec<Entry>,
    circumstances: &Circumstances<'_>,
    output: &mut Output,
) -> anyhow::Result<Enrolled> {
    let total = entries.len();
    let mut rest = unknown(store, entries).await?.into_iter();
    let new = rest.len();
    let work = begin_write(&store.db).await?;
    let mut added = 0;
    loop {
        let chunk: Vec<Entry> = rest.by_ref().take(CHUNK).collect();
        if chunk.is_empty() {
            break;
        }
        added += add(store, &*work, chunk, circumstances).await?;
        output.progress(&format!("{} of {new} accounts", new - rest.len()))?;
    }
    output.progress("")?;
    if added > 0 {
        announce_change(&*work).await?;
        let note = Note::by_hand("account.add", format!("{added} accounts"), json!({ "given": total, "added": added }));
        audit::insert(&*work, &note).await?;
    }
    work.commit().await?;
    store.kept().await?;
    Ok(Enrolled { added, known: total as u64 - added })
}

/// Those of the accounts that the pool does not have.
async fn unknown(store: &Store, entries: Vec<Entry>) -> anyhow::Result<Vec<Entry>> {
    Ok(enrol::unknown(&store.db, &store.vault, entries, |entry| &entry.token).await?)
}

async fn add(
    store: &Store,
    work: &impl ConnectionTrait,
    chunk: Vec<Entry>,
    circumstances: &Circumstances<'_>,
) -> anyhow::Result<u64> {
    let mut accounts = Vec::with_capacity(chunk.len());
    let mut budgets = Vec::new();
    for entry in chunk {
        let account = row(store, &entry, circumstances.now_ms)?;
        budgets.extend(estimates(account.id, &entry, circumstances));
        accounts.push(account);
    }
    let inserted = account::insert_many(work, accounts).await?;
    account_budget::record(work, &budgets).await?;
    Ok(inserted.added)
}

fn row(store: &Store, entry: &Entry, now_ms: i64) -> anyhow::Result<NewAccount> {
    let template = Template {
        tier: entry.tier,
        tags: entry.tags.clone(),
        note: entry.note.clone(),
        created_at: entry.created_at.unwrap_or(now_ms),
    };
    let mut account = new_account(&store.vault, &entry.token, &template)?;
    account.failures = entry.failures.clone();
    if entry.expired {
        (account.status, account.status_reason) = (Status::Expired, Some("imported".to_owned()));
    }
    Ok(account)
}

/// What the old gateway believed, as estimates of its time: they end by themselves when their window is over.
///
/// It kept one number for all normal models, whichever was used last.
fn estimates(id: Uuid, entry: &Entry, circumstances: &Circumstances<'_>) -> Vec<account_budget::Model> {
    let mut budgets = Vec::new();
    for model in circumstances.models.iter() {
        let is_heavy = model.tier == Tier::Super;
        let (known, unit) = if is_heavy { (entry.heavy_remaining, "calls") } else { (entry.remaining, "tokens") };
        let UsualBudget { total, window_secs } = entry.tier.usual_budget(&model.rate_limit_model);
        let fits = !is_heavy || entry.tier == Tier::Super;
        let is_new = !budgets.iter().any(|budget: &account_budget::Model| budget.budget == model.rate_limit_model);
        if let Some(remaining) = known
            && fits
            && is_new
        {
            budgets.push(account_budget::Model {
                account_id: id,
                budget: model.rate_limit_model.clone(),
                unit: unit.to_owned(),
                remaining,
                total: total.max(remaining),
                window_secs,
                read_at: circumstances.written_ms,
                reset_at: Some(circumstances.written_ms + window_secs * 1000),
                cooling_until: None,
                source: Source::Estimated,
            });
        }
    }
    budgets
}
