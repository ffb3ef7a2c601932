//! How a request for durable work ended: one line in the log and one row, however it ends.

use std::sync::Arc;

use grok2api_entity::generation;
use grok2api_gateway::pool::AccountId;
use grok2api_gateway::usage::TokenEstimate;
use grok2api_gateway::usage_log::Entry;
use poem::Request;
use tokio::time::Instant;
use uuid::Uuid;

use crate::edge::{self, Arrival};
use crate::error::ApiError;
use crate::state::AppState;

/// Stands for the status of an answer that nobody waited for.
const CLIENT_CLOSED_REQUEST: u16 = 499;
const CLIENT_GONE: &str = "client_gone";

/// Written when dropped: as a client that did not wait, unless something else was said before.
pub(crate) struct Receipt {
    state: AppState,
    endpoint: String,
    request_id: String,
    began: Instant,
    owner: Arc<str>,
    streamed: bool,
    model: String,
    prompt_tokens: u64,
    status: u16,
    error_code: Option<&'static str>,
    attempts: u32,
    account: Option<AccountId>,
    images: u32,
}

impl Receipt {
    /// Of a request that begins now.
    pub(crate) fn begin(state: &AppState, request: &Request, owner: &Arc<str>) -> Self {
        let arrival = request.data::<Arrival>();
        Self {
            state: state.clone(),
            endpoint: arrival.map_or_else(|| "other".to_owned(), |arrival| arrival.route.to_string()),
            request_id: edge::request_id(request),
            began: arrival.map_or_else(Instant::now, |arrival| arrival.began),
            owner: Arc::clone(owner),
            streamed: false,
            model: "unknown".to_owned(),
            prompt_tokens: 0,
            status: CLIENT_CLOSED_REQUEST,
            error_code: Some(CLIENT_GONE),
            attempts: 0,
            account: None,
            images: 0,
        }
    }

    /// The request is on record.
    pub(crate) fn accepted(&mut self, row: &generation::Model, streamed: bool) {
        self.model.clone_from(&row.model);
        self.streamed = streamed;
        let mut tokens = TokenEstimate::default();
        tokens.add(&row.prompt);
        self.prompt_tokens = tokens.tokens();
    }

    /// The upstream calls that it took.
    pub(crate) async fn count_calls(&mut self, generation: Uuid) {
        match self.state.jobs.calls_of(generation).await {
            Ok(calls) => (self.attempts, self.account) = calls,
            Err(error) => tracing::debug!(error = %error, "the calls of a request could not be counted"),
        }
    }

    /// So many pictures were delivered.
    pub(crate) fn images(&mut self, images: usize) {
        self.images = u32::try_from(images).unwrap_or(u32::MAX);
    }

    /// The answer's head is decided; a stream may still break off.
    pub(crate) fn answering(&mut self) {
        self.status = 200;
    }

    /// The client has its answer.
    pub(crate) fn answered(&mut self) {
        self.status = 200;
        self.error_code = None;
    }

    /// The client has an error; the status of a stream that has begun stays.
    pub(crate) fn failed(&mut self, error: &ApiError) {
        if self.status == CLIENT_CLOSED_REQUEST {
            self.status = error.status.as_u16();
        }
        self.error_code = Some(error.label);
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        let total = self.began.elapsed();
        tracing::info!(
            request_id = %self.request_id,
            endpoint = %self.endpoint,
            model = %self.model,
            stream = self.streamed,
            status = self.status,
            attempts = self.attempts,
            images = self.images,
            latency_ms = u64::try_from(total.as_millis()).unwrap_or(u64::MAX),
            outcome = self.error_code.unwrap_or("completed"),
            "work"
        );
        self.state.usage.record(Entry {
            endpoint: std::mem::take(&mut self.endpoint).into(),
            request_id: std::mem::take(&mut self.request_id),
            model: std::mem::take(&mut self.model),
            owner: Arc::clone(&self.owner),
            status: self.status,
            error_code: self.error_code,
            streamed: self.streamed,
            attempts: self.attempts,
            account: self.account,
            prompt_tokens: self.prompt_tokens,
            completion_tokens: 0,
            reasoning_tokens: 0,
            images: self.images,
            videos: 0,
            by_jobs: true,
            first: None,
            total,
        });
    }
}
