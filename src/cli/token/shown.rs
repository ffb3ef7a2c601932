//! How an account is shown: never by its token (C4).

use grok2api_entity::account::{Kind, Loaded, Model, decode_tags};
use serde_json::{Value, json};

/// The account type in the admin API.
pub(super) fn type_of(account: &Model) -> &'static str {
    match account.kind {
        Kind::Sso => "sso",
        Kind::SsoSuper => "ssoSuper",
    }
}

/// The end of the token.
pub(super) fn token_end(account: &Model) -> String {
    format!("…{}", account.hint)
}

/// What is left, budget by budget, for people.
pub(super) fn budgets_text(row: &Loaded) -> String {
    let texts = row.budgets.iter().map(|budget| format!("{} {}/{}", budget.budget, budget.remaining, budget.total));
    texts.collect::<Vec<_>>().join(", ")
}

/// All about an account, for programs. Times are Unix milliseconds.
pub(super) fn json_of(row: &Loaded) -> Value {
    let account = &row.account;
    let budgets: Vec<Value> = row
        .budgets
        .iter()
        .map(|budget| {
            json!({
                "budget": budget.budget, "unit": budget.unit, "remaining": budget.remaining, "total": budget.total,
                "window_secs": budget.window_secs, "read_at": budget.read_at, "reset_at": budget.reset_at,
                "cooling_until": budget.cooling_until,
                "measured": budget.source == grok2api_entity::account_budget::Source::Measured,
            })
        })
        .collect();
    json!({
        "id": account.id.to_string(),
        "type": type_of(account),
        "token_end": account.hint,
        "status": account.status.as_str(),
        "status_reason": account.status_reason,
        "status_until": account.status_until,
        "failed_count": account.failed_count,
        "last_failure_at": account.last_failure_at,
        "last_failure_reason": account.last_failure_reason,
        "tags": decode_tags(&account.tags),
        "note": account.note,
        "use_count": account.use_count,
        "last_used_at": account.last_used_at,
        "created_at": account.created_at,
        "budgets": budgets,
    })
}
