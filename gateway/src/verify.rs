//! What follows a failed call in the background: a second opinion on a refused credential, a fresh reading of a budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use grok2api_pool::{AccountId, Aftermath, Blame, BudgetIx, Lease, Outcome, Reading};
use grok2api_upstream::error::{AccountEffect, ErrorKind, UpstreamError};
use grok2api_upstream::quota::RateLimits;
use secrecy::SecretString;

use crate::gateway::Inner;

/// Questions that wait for their turn; beyond that, accounts are left to their pause.
const MAX_WAITING: usize = 1000;

/// What a failure says about the account, in the pool's terms.
fn blame(error: &UpstreamError) -> Blame {
    match error.account {
        // A 403 without a marker is counted as a failure, with no consequence for the account.
        AccountEffect::None | AccountEffect::Strike => Blame::None,
        AccountEffect::Count401 | AccountEffect::InvalidNow => Blame::Refused,
        AccountEffect::CoolForModel => Blame::Limited { retry_after: error.retry_after },
        AccountEffect::NoModelAccess => Blame::NoAccess,
    }
}

/// Ends a failed call and looks after the account if the failure calls for it.
pub(crate) fn settle_failure(inner: &Arc<Inner>, lease: Lease, error: &UpstreamError, blamed: &AtomicBool) {
    let blame = blame(error);
    let may_blame = blame != Blame::None && !blamed.swap(true, Ordering::Relaxed);
    let account = lease.account();
    let budget = lease.budget();
    let credential = lease.credential().clone();
    let spent = lease.is_spent();
    let outcome = Outcome::Failed {
        blame: if may_blame { blame } else { Blame::None },
        spent,
        reason: format!("{}: {}", error.kind.as_str(), error.message),
    };
    let mut aftermath = lease.settle(&outcome);
    // Not blamed for this request, but worth a question that costs nothing.
    aftermath.read_quota |= !may_blame && blame != Blame::None;
    metrics::counter!("grok2api_account_failures_total", "kind" => error.kind.as_str()).increment(1);
    if aftermath.verify || aftermath.read_quota {
        look_after(inner, account, budget, credential, aftermath);
    }
}

fn look_after(
    inner: &Arc<Inner>,
    account: AccountId,
    budget: BudgetIx,
    credential: SecretString,
    aftermath: Aftermath,
) {
    if inner.tasks.len() >= MAX_WAITING {
        return;
    }
    let shared = Arc::clone(inner);
    inner.tasks.spawn(async move {
        let Ok(_permit) = Arc::clone(&shared.probes).acquire_owned().await else { return };
        let settings = shared.settings.snapshot();
        let Some(model) = shared.models.budget_name(usize::from(budget.0)) else { return };
        let answer = tokio::select! {
            answer = shared.upstream.rate_limits(&credential, model, &settings) => answer,
            () = shared.shutdown.cancelled() => return,
        };
        let state = shared.pool.state();
        match answer {
            Ok(limits) => {
                if aftermath.verify {
                    state.record_test(account, true, "");
                }
                if let Some(reading) = reading(&limits) {
                    state.record_reading(account, budget, reading);
                }
            }
            // One request takes one account out of service at most (G16): others are only cleared by such a question.
            Err(error) if error.kind == ErrorKind::AccountInvalid && aftermath.verify => {
                let after = state.record_test(account, false, &format!("confirmed by a test: {}", error.message));
                if after.expired {
                    metrics::counter!("grok2api_accounts_expired_total").increment(1);
                }
            }
            Err(error) => {
                tracing::debug!(account_id = %account, kind = error.kind.as_str(), "the account could not be tested");
            }
        }
    });
}

/// A rate-limit answer in the pool's terms; `None` when it says nothing usable.
pub fn reading(limits: &RateLimits) -> Option<Reading> {
    let remaining = limits.remaining?;
    Some(Reading {
        remaining: i64::from(remaining),
        total: limits.total.map(i64::from),
        window: limits.window_secs.map(|secs| Duration::from_secs(u64::from(secs))),
        wait: limits.wait_for(1),
    })
}
