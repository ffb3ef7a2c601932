//! What is left for a model? In the token-budget form, or in the query form for models that count calls.

use http::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::body::SimBody;
use crate::budget::{Budget, counts_calls};
use crate::dispatch::Call;
use crate::faults::Fault;
use crate::refusal::{bad_request, respond};

/// Units of the two efforts.
const LOW_COST: u32 = 1;
const HIGH_COST: u32 = 4;
/// What an account without limits has, in units.
const PLENTY: u32 = 900_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Question {
    model_name: String,
}

/// Answers a question about limits. Asking uses nothing.
pub(crate) fn answer(call: &Call) -> Response<SimBody> {
    let Ok(question) = serde_json::from_slice::<Question>(&call.body) else {
        return bad_request("The body is not the expected JSON object");
    };
    let now = call.state.clock.now();
    let mut budget = call.account.budgets.lock().read(&question.model_name, now);
    if !call.state.options.budgets {
        (budget.remaining, budget.total) = (PLENTY, PLENTY);
    }
    // An account whose chat calls are always limited says so here as well.
    let (faults, outage) = (call.account.faults(), call.state.outage());
    let limited = faults.iter().chain(outage.iter()).find_map(Fault::limits_chat);
    if limited.is_some() {
        budget.remaining = 0;
    }
    let wait = |cost| limited.unwrap_or_else(|| budget.wait_secs(cost, now));
    let answer = if counts_calls(&question.model_name) {
        by_calls(&budget, wait(LOW_COST))
    } else {
        by_units(&budget, wait(LOW_COST), wait(HIGH_COST))
    };
    respond(200, "application/json", answer.to_string())
}

fn by_calls(budget: &Budget, wait: u64) -> Value {
    let mut answer = json!({
        "windowSizeSeconds": budget.window.as_secs(),
        "remainingQueries": budget.remaining,
        "totalQueries": budget.total,
        "lowEffortRateLimits": null,
        "highEffortRateLimits": null,
    });
    if wait > 0 {
        answer["waitTimeSeconds"] = wait.into();
    }
    answer
}

fn by_units(budget: &Budget, low_wait: u64, high_wait: u64) -> Value {
    let effort = |cost: u32, wait: u64| json!({"cost": cost, "waitTimeSeconds": wait, "remainingQueries": budget.remaining / cost});
    json!({
        "windowSizeSeconds": budget.window.as_secs(),
        "remainingQueries": 0,
        "totalQueries": 0,
        "remainingTokens": budget.remaining,
        "totalTokens": budget.total,
        "lowEffortRateLimits": effort(LOW_COST, low_wait),
        "highEffortRateLimits": effort(HIGH_COST, high_wait),
    })
}
