//! One line in the log, one row and a few figures for every chat, however it ends.

use std::sync::Arc;
use std::time::Duration;

use grok2api_gateway::usage_log::{Entry, UsageLog};
use grok2api_gateway::{Calls, Facts};
use poem::http::StatusCode;
use tokio::time::Instant;

const ENDPOINT: &str = "/v1/chat/completions";
/// Stands for the status of an answer that nobody waited for, as nginx writes it.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The client left before the end.
    ClientGone,
    /// The client has the whole answer.
    Completed,
    /// It failed; a name from a closed list.
    Failed(&'static str),
}

/// What an answer gave the client.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Delivered {
    pub(crate) completion_tokens: u64,
    pub(crate) reasoning_tokens: u64,
    pub(crate) images: u32,
    pub(crate) videos: u32,
}

/// Written when dropped.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) usage: UsageLog,
    pub(crate) owner: Arc<str>,
    pub(crate) request_id: String,
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) started: Instant,
    /// Of the answer that was served.
    pub(crate) facts: Facts,
    /// Upstream calls, once there may be any.
    pub(crate) calls: Option<Arc<Calls>>,
    pub(crate) delivered: Delivered,
    /// Whether jobs made what was delivered.
    pub(crate) by_jobs: bool,
    pub(crate) finish: Option<&'static str>,
    /// Of the answer's head, once that is decided.
    pub(crate) status: Option<StatusCode>,
    pub(crate) outcome: Outcome,
}

impl Report {
    /// Of a request that begins now.
    pub(crate) fn new(usage: UsageLog, owner: Arc<str>, request_id: String, stream: bool) -> Self {
        Self {
            usage,
            owner,
            request_id,
            model: String::from("unknown"),
            stream,
            started: Instant::now(),
            facts: Facts::default(),
            calls: None,
            delivered: Delivered::default(),
            by_jobs: false,
            finish: None,
            status: None,
            outcome: Outcome::ClientGone,
        }
    }

    /// How it ends unless something else is said later.
    pub(crate) fn decide(&mut self, status: StatusCode, outcome: Outcome) {
        self.status = Some(status);
        self.outcome = outcome;
    }

    /// Hands the request over to be written down.
    fn record(&mut self, took: Duration) {
        let calls = self.calls.as_deref();
        self.usage.record(Entry {
            endpoint: ENDPOINT.into(),
            request_id: std::mem::take(&mut self.request_id),
            model: self.model.clone(),
            owner: Arc::clone(&self.owner),
            status: self.status.map_or(CLIENT_CLOSED_REQUEST, |status| status.as_u16()),
            error_code: (self.outcome != Outcome::Completed).then(|| self.outcome()),
            streamed: self.stream,
            attempts: calls.map_or(0, Calls::made),
            account: calls.and_then(Calls::last_account),
            prompt_tokens: self.facts.prompt_tokens,
            completion_tokens: self.delivered.completion_tokens,
            reasoning_tokens: self.delivered.reasoning_tokens,
            images: self.delivered.images,
            videos: self.delivered.videos,
            by_jobs: self.by_jobs,
            first: self.facts.first_event,
            total: took,
        });
    }

    fn outcome(&self) -> &'static str {
        match self.outcome {
            Outcome::ClientGone => "client_gone",
            Outcome::Completed => "completed",
            Outcome::Failed(kind) => kind,
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        let first = self.facts.first_event.unwrap_or(Duration::ZERO);
        let outcome = self.outcome();
        let calls = self.calls.as_deref();
        let account = calls.and_then(Calls::last_account).map(|id| id.to_string()).unwrap_or_default();
        tracing::info!(
            request_id = %self.request_id,
            model = %self.model,
            stream = self.stream,
            account_id = %account,
            attempts = calls.map_or(0, Calls::made),
            prompt_tokens = self.facts.prompt_tokens,
            completion_tokens = self.delivered.completion_tokens,
            ttft_ms = millis(first),
            latency_ms = millis(took),
            finish_reason = self.finish.unwrap_or(""),
            outcome,
            "chat"
        );
        let model = self.model.clone();
        metrics::counter!("grok2api_chats_total", "gen_ai_request_model" => model.clone(), "outcome" => outcome)
            .increment(1);
        metrics::histogram!("gen_ai_server_request_duration_seconds", "gen_ai_request_model" => model.clone())
            .record(took.as_secs_f64());
        if self.facts.first_event.is_some() {
            metrics::histogram!("gen_ai_server_time_to_first_token_seconds", "gen_ai_request_model" => model.clone())
                .record(first.as_secs_f64());
        }
        let tokens = |kind: &'static str| metrics::counter!("grok2api_tokens_total", "gen_ai_request_model" => model.clone(), "gen_ai_token_type" => kind);
        tokens("input").increment(self.facts.prompt_tokens);
        tokens("output").increment(self.delivered.completion_tokens);
        self.record(took);
    }
}

fn millis(of: Duration) -> f64 {
    (of.as_secs_f64() * 10_000.0).round() / 10.0
}
