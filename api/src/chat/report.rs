//! One line in the log and a few figures for every chat, however it ends.

use std::time::Duration;

use grok2api_gateway::Facts;
use tokio::time::Instant;

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

/// Written when dropped.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) request_id: String,
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) started: Instant,
    pub(crate) facts: Facts,
    pub(crate) completion_tokens: u64,
    pub(crate) finish: Option<&'static str>,
    pub(crate) outcome: Outcome,
}

impl Report {
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
        let account = self.facts.account.map(|id| id.to_string()).unwrap_or_default();
        tracing::info!(
            request_id = %self.request_id,
            model = %self.model,
            stream = self.stream,
            account_id = %account,
            attempts = self.facts.attempts,
            prompt_tokens = self.facts.prompt_tokens,
            completion_tokens = self.completion_tokens,
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
        tokens("output").increment(self.completion_tokens);
    }
}

fn millis(of: Duration) -> f64 {
    (of.as_secs_f64() * 10_000.0).round() / 10.0
}
