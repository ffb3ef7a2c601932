//! The pool and its rows: loading at the start, following the operator's changes, writing state off the hot path.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use grok2api_config::Strategy;
use grok2api_entity::account::{self, Loaded, StateChange};
use grok2api_entity::connect::begin_write;
use grok2api_entity::{account_budget, meta};
use rand::seq::SliceRandom;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::account::{AccountSeed, BudgetSeed, Status};
use crate::clock::Clock;
use crate::enrol::tier_of;
use crate::state::PoolState;

/// Row of table `meta` that is counted up when accounts are changed from outside the pool.
const ACCOUNTS_VERSION: &str = "accounts_version";

const PAGE: u64 = 2_000;
/// Accounts written in one transaction.
const BATCH: usize = 500;
const FLUSH_EVERY: Duration = Duration::from_secs(2);
const FOLLOW_EVERY: Duration = Duration::from_secs(1);

/// Fills an empty pool from the database; returns the number of accounts.
///
/// Accounts that rank alike start in random order, so that restarts do not favour the oldest; `fill_first` keeps theirs.
///
/// # Errors
/// When the database does not answer.
pub async fn load(db: &DatabaseConnection, state: &dyn PoolState, strategy: Strategy) -> Result<usize, DbErr> {
    let mut seeds = read_all(db).await?;
    if strategy != Strategy::FillFirst {
        seeds.shuffle(&mut rand::rng());
    }
    let count = seeds.len();
    for seed in seeds {
        state.upsert(seed);
    }
    Ok(count)
}

async fn read_all(db: &DatabaseConnection) -> Result<Vec<AccountSeed>, DbErr> {
    let mut seeds = Vec::new();
    let mut after = None;
    loop {
        let page = account::load_page(db, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(seeds) };
        after = Some(last.account.id);
        seeds.extend(page.into_iter().map(seed));
    }
}

fn seed(row: Loaded) -> AccountSeed {
    let account = row.account;
    let reason = account.status_reason.clone().unwrap_or_default();
    let (status, refusals) = status_of(account.status, reason, account.status_until);
    AccountSeed {
        id: account.id,
        tier: tier_of(account.kind),
        sealed: account.secret.into(),
        status,
        refusals,
        failed_count: account.failed_count,
        last_failure: account.last_failure_at.map(|at| (at, account.last_failure_reason.unwrap_or_default())),
        use_count: account.use_count,
        unsaved_uses: 0,
        last_used_ms: account.last_used_at,
        budgets: row.budgets.into_iter().map(budget_seed).collect(),
    }
}

/// A stored status, with the refusals in a row that led to it.
fn status_of(status: account::Status, reason: String, until: Option<i64>) -> (Status, u8) {
    match status {
        account::Status::Active => (Status::Active, 0),
        account::Status::Cooling => (Status::Cooling { until_ms: until.unwrap_or(0), reason }, 1),
        account::Status::Expired => (Status::Expired { reason }, 2),
        account::Status::Disabled => (Status::Disabled, 0),
    }
}

fn budget_seed(row: account_budget::Model) -> BudgetSeed {
    BudgetSeed {
        budget: row.budget,
        remaining: row.remaining,
        total: row.total,
        window_secs: row.window_secs,
        read_at_ms: row.read_at,
        reset_at_ms: row.reset_at,
        cooling_until_ms: row.cooling_until,
        measured: row.source == account_budget::Source::Measured,
    }
}

/// Writes all changes of the pool's state; returns the number of accounts written.
///
/// # Errors
/// When the database refuses: what was not written stays marked and is written the next time.
pub async fn flush(db: &DatabaseConnection, state: &dyn PoolState, clock: &Clock) -> Result<usize, DbErr> {
    let mut written = 0;
    loop {
        let changes = state.take_dirty(BATCH);
        if changes.is_empty() {
            return Ok(written);
        }
        if let Err(error) = write(db, &changes, clock.now_ms()).await {
            state.keep_dirty(&changes);
            return Err(error);
        }
        written += changes.len();
        if changes.len() < BATCH {
            // What changes meanwhile is for the next time, or a busy pool would be written for ever.
            return Ok(written);
        }
    }
}

async fn write(db: &DatabaseConnection, changes: &[AccountSeed], now_ms: i64) -> Result<(), DbErr> {
    let states: Vec<StateChange> = changes.iter().map(|change| state_change(change, now_ms)).collect();
    let budgets: Vec<account_budget::Model> = changes.iter().flat_map(budget_rows).collect();
    let transaction = begin_write(db).await?;
    account::record_states(&*transaction, &states).await?;
    account_budget::record(&*transaction, &budgets).await?;
    transaction.commit().await
}

fn state_change(change: &AccountSeed, now_ms: i64) -> StateChange {
    let (status, reason, until) = match &change.status {
        Status::Active => (account::Status::Active, None, None),
        Status::Cooling { until_ms, reason } => (account::Status::Cooling, Some(reason.clone()), Some(*until_ms)),
        Status::Expired { reason } => (account::Status::Expired, Some(reason.clone()), None),
        Status::Disabled => (account::Status::Disabled, None, None),
    };
    StateChange {
        id: change.id,
        status,
        status_reason: reason,
        status_until: until,
        failed_count: change.failed_count,
        last_failure_at: change.last_failure.as_ref().map(|(at, _)| *at),
        last_failure_reason: change.last_failure.as_ref().map(|(_, reason)| reason.clone()),
        uses: change.unsaved_uses,
        last_used_at: change.last_used_ms,
        updated_at: now_ms,
    }
}

fn budget_rows(change: &AccountSeed) -> impl Iterator<Item = account_budget::Model> {
    change.budgets.iter().map(|budget| account_budget::Model {
        account_id: change.id,
        budget: budget.budget.clone(),
        unit: if budget.budget.ends_with("-heavy") { "calls" } else { "tokens" }.to_owned(),
        remaining: budget.remaining,
        total: budget.total,
        window_secs: budget.window_secs,
        read_at: budget.read_at_ms,
        reset_at: budget.reset_at_ms,
        cooling_until: budget.cooling_until_ms,
        source: if budget.measured { account_budget::Source::Measured } else { account_budget::Source::Estimated },
    })
}

/// Writes changes every two seconds, and once more at the end.
pub async fn keep_flushing(db: DatabaseConnection, state: Arc<dyn PoolState>, clock: Clock, stop: CancellationToken) {
    loop {
        let over = tokio::select! {
            () = tokio::time::sleep(FLUSH_EVERY) => false,
            () = stop.cancelled() => true,
        };
        if let Err(error) = flush(&db, &*state, &clock).await {
            tracing::warn!(%error, "the pool's state could not be written; it is kept and written later");
        }
        if over {
            return;
        }
    }
}

/// Takes over accounts that the operator's commands added, removed or switched on and off, within a second or so.
pub async fn keep_following(db: DatabaseConnection, state: Arc<dyn PoolState>, stop: CancellationToken) {
    // Looked at once at the start: something may have changed while the pool was loaded.
    let mut seen = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(FOLLOW_EVERY) => {}
            () = stop.cancelled() => return,
        }
        let Ok(now) = version(&db).await else { continue };
        if now == seen || (now.is_none() && seen.is_none()) {
            continue;
        }
        match follow(&db, &*state).await {
            Ok((added, removed)) => {
                seen = now;
                tracing::info!(added, removed, "accounts changed");
            }
            Err(error) => tracing::warn!(%error, "changed accounts could not be read; tried again shortly"),
        }
    }
}

/// Takes over what this process itself found out about an account and wrote into its row: `state` when that changed,
/// `budget` when it was read. What the operator switched off stays off.
pub fn take_over(pool: &dyn PoolState, id: Uuid, state: Option<&StateChange>, budget: Option<&account_budget::Model>) {
    let Some((mut live, _)) = pool.inspect(id) else { return };
    if let Some(found) = state {
        live.failed_count = found.failed_count;
        if let Some(at) = found.last_failure_at {
            live.last_failure = Some((at, found.last_failure_reason.clone().unwrap_or_default()));
        }
        if live.status != Status::Disabled {
            let reason = found.status_reason.clone().unwrap_or_default();
            (live.status, live.refusals) = status_of(found.status, reason, found.status_until);
        }
    }
    if let Some(read) = budget.cloned().map(budget_seed) {
        live.budgets.retain(|known| known.budget != read.budget);
        live.budgets.push(read);
    }
    pool.upsert(live);
}

/// Tells running processes that accounts changed; part of the transaction that changes them.
///
/// # Errors
/// The database refuses.
pub async fn announce_change(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    let version: i64 = meta::get(db, ACCOUNTS_VERSION).await?.and_then(|text| text.parse().ok()).unwrap_or(0);
    meta::set(db, ACCOUNTS_VERSION, &(version + 1).to_string()).await
}

/// What changes whenever accounts are changed from outside the pool; `None` before that.
///
/// # Errors
/// The database does not answer.
pub async fn version(db: &DatabaseConnection) -> Result<Option<String>, DbErr> {
    meta::get(db, ACCOUNTS_VERSION).await
}

/// Brings the pool in line with the rows; what is known about accounts that stay is newer than their rows and is kept.
async fn follow(db: &DatabaseConnection, state: &dyn PoolState) -> Result<(usize, usize), DbErr> {
    let rows = read_all(db).await?;
    let known: HashSet<_> = state.ids().into_iter().collect();
    let stored: HashSet<_> = rows.iter().map(|seed| seed.id).collect();
    let mut added = 0;
    for row in rows {
        if !known.contains(&row.id) {
            state.upsert(row);
            added += 1;
        } else if let Some((live, _)) = state.inspect(row.id)
            && let Some(changed) = merged(&live, row)
        {
            state.upsert(changed);
        }
    }
    let mut removed = 0;
    for gone in known.difference(&stored) {
        state.remove(*gone);
        removed += 1;
    }
    Ok((added, removed))
}

/// Takes over budgets that the operator had read since we last heard of them; true when there were any.
fn take_newer_readings(live: &mut Vec<BudgetSeed>, stored: &[BudgetSeed]) -> bool {
    let mut taken = false;
    for reading in stored.iter().filter(|reading| reading.measured) {
        match live.iter_mut().find(|known| known.budget == reading.budget) {
            Some(known) if known.read_at_ms < reading.read_at_ms => *known = reading.clone(),
            Some(_) => continue,
            None => live.push(reading.clone()),
        }
        taken = true;
    }
    taken
}

/// The live account with what only an operator changes: its tier, its credential, whether it is in service, and
/// readings that the operator asked for.
fn merged(live: &AccountSeed, row: AccountSeed) -> Option<AccountSeed> {
    let out = |status: &Status| matches!(status, Status::Disabled | Status::Expired { .. });
    // A row from before the refusal says nothing about it.
    let refused_at = |seed: &AccountSeed| seed.last_failure.as_ref().map(|(at, _)| *at);
    let revived = out(&live.status) && !out(&row.status) && refused_at(&row) >= refused_at(live);
    let switched_off = out(&row.status) && !out(&live.status);
    let mut changed = live.clone();
    let has_newer_readings = take_newer_readings(&mut changed.budgets, &row.budgets);
    if row.tier == live.tier && row.sealed == live.sealed && !revived && !switched_off && !has_newer_readings {
        return None;
    }
    changed.tier = row.tier;
    changed.sealed = row.sealed;
    if revived || switched_off {
        changed.status = row.status;
        changed.refusals = row.refusals;
    }
    Some(changed)
}
