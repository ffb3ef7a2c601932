//! Figures that are read when somebody asks for them.

use metrics::gauge;

use crate::state::AppState;

pub(crate) fn update(state: &AppState) {
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
    gauge!("grok2api_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

fn as_gauge(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
