//! Requests of known clients that are refused before their operation sees them: they are taken down too.

use grok2api_gateway::usage_log::Entry;
use poem::Request;

use crate::auth;
use crate::edge::{self, Arrival};
use crate::error::ApiError;
use crate::state::AppState;

/// Takes down that `request` ends with `error`, and gives the error back.
///
/// Nothing is taken down for strangers: they could fill the disk.
pub(crate) fn recorded(request: &Request, state: &AppState, error: ApiError) -> ApiError {
    if let Ok(key) = auth::check(request, state)
        && let Some(arrival) = request.data::<Arrival>()
    {
        state.usage.record(Entry {
            endpoint: arrival.route.to_string().into(),
            request_id: edge::request_id(request),
            model: "unknown".to_owned(),
            owner: key.owner,
            status: error.status.as_u16(),
            error_code: Some(error.label),
            streamed: false,
            attempts: 0,
            account: None,
            prompt_tokens: 0,
            completion_tokens: 0,
            reasoning_tokens: 0,
            images: 0,
            videos: 0,
            by_jobs: false,
            first: None,
            total: arrival.began.elapsed(),
        });
    }
    error
}
