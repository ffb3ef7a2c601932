//! Figures that are read when somebody asks for them.

use metrics::gauge;

use grok2api_queue::kinds;

use crate::state::AppState;

pub(crate) async fn update(state: &AppState) {
    accounts(state);
    jobs(state).await;
    gauge!("grok2api_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

fn accounts(state: &AppState) {
    let census = state.gateway.pool().state().census();
    for (name, count) in [
        ("active", census.active),
        ("cooling", census.cooling),
        ("expired", census.expired),
        ("disabled", census.disabled),
    ] {
        gauge!("grok2api_accounts", "state" => name).set(as_gauge(count));
    }
    gauge!("grok2api_account_inflight").set(as_gauge(census.in_flight));
}

/// Work of all processes, as the database has it: every process tells the same. Without an answer, nobody knows.
async fn jobs(state: &AppState) {
    let survey = state.jobs.survey().await;
    if let Err(error) = &survey {
        tracing::debug!(%error, "the metrics know nothing of jobs");
    }
    for kind in kinds::ALL {
        let known = survey.as_ref().ok().and_then(|all| all.iter().find(|one| one.kind == kind));
        let figures =
            known.map_or([f64::NAN; 3], |one| [as_gauge(one.queued), as_gauge(one.running), one.oldest.as_secs_f64()]);
        let [queued, running, oldest] = figures;
        gauge!("grok2api_jobs", "kind" => kind.as_str(), "state" => "queued").set(queued);
        gauge!("grok2api_jobs", "kind" => kind.as_str(), "state" => "running").set(running);
        gauge!("grok2api_job_oldest_seconds", "kind" => kind.as_str()).set(oldest);
    }
}

fn as_gauge(count: impl TryInto<u32>) -> f64 {
    count.try_into().map_or(f64::MAX, f64::from)
}
