//! What a test of an account means for its row (protocol page "grok-web-quota" §9).

use std::time::Duration;

use grok2api_config::ModelSpec;
use grok2api_entity::account::{Kind, Model, StateChange, Status};
use grok2api_entity::account_budget::{self, Source};
use grok2api_pool::enrol::tier_of;
use grok2api_upstream::error::{AccountEffect, UpstreamError};
use grok2api_upstream::quota::{RateLimits, Unit};

/// What a test found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The credential works.
    Valid {
        /// Calls of the model that are left, when the upstream says.
        calls_left: Option<u32>,
    },
    /// The credential is refused.
    Expired,
    /// The credential works, but is limited.
    Limited,
    /// Nothing can be said about the account.
    Unknown,
}

/// A test of one account: what was found, and what is to be written down.
#[derive(Debug)]
pub struct Finding {
    /// What it means.
    pub verdict: Verdict,
    /// What the upstream said, when it was not what one hopes for.
    pub message: Option<String>,
    /// The new state of the account; `None` when it does not change.
    pub state: Option<StateChange>,
    /// The new reading of the budget; `None` when there is none.
    pub budget: Option<account_budget::Model>,
}

/// Judges the answer to the question what `account` may still do with `model`.
pub(super) fn judge(
    account: &Model,
    model: &ModelSpec,
    answer: Result<RateLimits, UpstreamError>,
    now_ms: i64,
) -> Finding {
    match answer {
        Ok(limits) => valid(account, model, limits, now_ms),
        Err(error) => failed(account, model, &error, now_ms),
    }
}

fn valid(account: &Model, model: &ModelSpec, limits: RateLimits, now_ms: i64) -> Finding {
    let (window, usual_total) = usual(account.kind, &model.rate_limit_model);
    let window_secs = limits.window_secs.map_or(window, |secs| Duration::from_secs(u64::from(secs)));
    let budget = limits.remaining.map(|remaining| account_budget::Model {
        account_id: account.id,
        budget: model.rate_limit_model.clone(),
        unit: match limits.unit {
            Some(Unit::Calls) => "calls",
            Some(Unit::Tokens) | None => "tokens",
        }
        .to_owned(),
        remaining: i64::from(remaining),
        total: limits.total.map_or(usual_total, i64::from).max(i64::from(remaining)),
        window_secs: i64::try_from(window_secs.as_secs()).unwrap_or(i64::MAX),
        read_at: now_ms,
        reset_at: Some(now_ms + millis(limits.available_in(model.cost, window).unwrap_or(window_secs))),
        cooling_until: None,
        source: Source::Measured,
    });
    let mut state = unchanged(account, now_ms);
    (state.failed_count, state.status_reason, state.status_until) = (0, None, None);
    state.status = match account.status {
        Status::Active | Status::Cooling | Status::Expired => Status::Active,
        Status::Disabled => Status::Disabled,
    };
    let verdict = Verdict::Valid { calls_left: limits.calls_left(model.cost) };
    Finding { verdict, message: None, state: Some(state), budget }
}

fn failed(account: &Model, model: &ModelSpec, error: &UpstreamError, now_ms: i64) -> Finding {
    let message = Some(error.message.clone());
    match error.account {
        // The test is an explicit question: one answer is enough.
        AccountEffect::InvalidNow | AccountEffect::Count401 => {
            let mut state = unchanged(account, now_ms);
            state.failed_count = account.failed_count.saturating_add(1);
            state.last_failure_at = Some(now_ms);
            state.last_failure_reason.clone_from(&message);
            if account.status != Status::Disabled {
                (state.status, state.status_reason, state.status_until) = (Status::Expired, message.clone(), None);
            }
            Finding { verdict: Verdict::Expired, message, state: Some(state), budget: None }
        }
        AccountEffect::CoolForModel => {
            let budget = limited(account, model, error.retry_after, now_ms);
            Finding { verdict: Verdict::Limited, message, state: None, budget: Some(budget) }
        }
        AccountEffect::None | AccountEffect::Strike | AccountEffect::NoModelAccess => {
            Finding { verdict: Verdict::Unknown, message, state: None, budget: None }
        }
    }
}

/// A budget that is used up until the upstream's time or, without one, for its usual window.
fn limited(account: &Model, model: &ModelSpec, wait: Option<Duration>, now_ms: i64) -> account_budget::Model {
    let (window, total) = usual(account.kind, &model.rate_limit_model);
    let until = now_ms + millis(wait.unwrap_or(window));
    account_budget::Model {
        account_id: account.id,
        budget: model.rate_limit_model.clone(),
        unit: "tokens".to_owned(),
        remaining: 0,
        total,
        window_secs: i64::try_from(window.as_secs()).unwrap_or(i64::MAX),
        read_at: now_ms,
        reset_at: Some(until),
        cooling_until: Some(until),
        source: Source::Estimated,
    }
}

/// Window and size of a budget when the upstream does not say.
fn usual(kind: Kind, budget: &str) -> (Duration, i64) {
    let usual = tier_of(kind).usual_budget(budget);
    (Duration::from_secs(u64::try_from(usual.window_secs).unwrap_or(0)), usual.total)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

fn unchanged(account: &Model, now_ms: i64) -> StateChange {
    StateChange {
        id: account.id,
        status: account.status,
        status_reason: account.status_reason.clone(),
        status_until: account.status_until,
        failed_count: account.failed_count,
        last_failure_at: account.last_failure_at,
        last_failure_reason: account.last_failure_reason.clone(),
        uses: 0,
        last_used_at: account.last_used_at,
        updated_at: now_ms,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use grok2api_config::ModelTable;
    use grok2api_upstream::error::ErrorKind;
    use grok2api_upstream::quota;
    use uuid::Uuid;

    use super::*;

    const NOW: i64 = 1_761_189_611_000;

    fn account(status: Status) -> Model {
        Model {
            id: Uuid::nil(),
            kind: Kind::Sso,
            secret: String::new(),
            fingerprint: String::new(),
            hint: String::new(),
            status,
            status_reason: Some("old".to_owned()),
            status_until: Some(1),
            failed_count: 2,
            last_failure_at: None,
            last_failure_reason: None,
            tags: String::new(),
            note: String::new(),
            use_count: 9,
            last_used_at: Some(3),
            tested_at: 0,
            quota_asked_at: 0,
            created_at: 0,
            updated_at: 0,
        }
    }

    fn judged(status: Status, answer: Result<RateLimits, UpstreamError>) -> Finding {
        judge(&account(status), ModelTable::default().get("grok-4-fast").unwrap(), answer, NOW)
    }

    fn error(effect: AccountEffect) -> Result<RateLimits, UpstreamError> {
        let retry_after = Some(Duration::from_secs(7));
        Err(UpstreamError { account: effect, retry_after, ..UpstreamError::new(ErrorKind::Error, "refused") })
    }

    #[test]
    fn a_reading_is_stored_and_revives_the_account() {
        let body = br#"{"windowSizeSeconds": 72000, "remainingTokens": 76, "totalTokens": 80}"#;
        let finding = judged(Status::Expired, Ok(quota::parse(body)));
        assert_eq!(finding.verdict, Verdict::Valid { calls_left: Some(76) });
        let (state, budget) = (finding.state.unwrap(), finding.budget.unwrap());
        assert_eq!((state.status, state.status_reason, state.failed_count), (Status::Active, None, 0));
        assert_eq!((budget.remaining, budget.total, budget.source), (76, 80, Source::Measured));
        assert_eq!((budget.budget.as_str(), budget.reset_at), ("grok-4-mini-thinking-tahoe", Some(NOW + 72_000_000)));
        assert_eq!(judged(Status::Disabled, Ok(quota::parse(body))).state.unwrap().status, Status::Disabled);
    }

    #[test]
    fn a_used_up_budget_waits_for_the_time_the_upstream_names() {
        let body = br#"{"windowSizeSeconds": 7200, "remainingQueries": 0, "totalQueries": 20, "waitTimeSeconds": 60}"#;
        let finding = judged(Status::Active, Ok(quota::parse(body)));
        let budget = finding.budget.unwrap();
        assert_eq!((budget.remaining, budget.unit.as_str(), budget.reset_at), (0, "calls", Some(NOW + 60_000)));
        let unknown = judged(Status::Active, Ok(quota::parse(b"{}")));
        assert!(unknown.budget.is_none() && unknown.verdict == Verdict::Valid { calls_left: None });
    }

    #[test]
    fn f41_a_refusal_condemns_and_f42_a_blocked_address_does_not() {
        for effect in [AccountEffect::InvalidNow, AccountEffect::Count401] {
            let finding = judged(Status::Active, error(effect));
            let state = finding.state.unwrap();
            assert_eq!((finding.verdict, state.status, state.failed_count), (Verdict::Expired, Status::Expired, 3));
            assert_eq!((state.status_reason.as_deref(), state.last_used_at), (Some("refused"), Some(3)));
        }
        assert_eq!(judged(Status::Disabled, error(AccountEffect::Count401)).state.unwrap().status, Status::Disabled);
        for effect in [AccountEffect::None, AccountEffect::Strike, AccountEffect::NoModelAccess] {
            let finding = judged(Status::Active, error(effect));
            assert!(finding.state.is_none() && finding.budget.is_none() && finding.verdict == Verdict::Unknown);
        }
        let limited = judged(Status::Active, error(AccountEffect::CoolForModel));
        assert_eq!(limited.verdict, Verdict::Limited);
        assert_eq!(limited.budget.unwrap().cooling_until, Some(NOW + 7000));
        assert!(limited.state.is_none());
    }
}
