//! Whole answers: collected, and checked where the client asked for JSON.

use std::sync::Arc;

use grok2api_upstream::collect::Collector;
use grok2api_upstream::event::{ChatEvent, EventSink, FinishReason, SearchSource, ToolCall};

use crate::emulate::json::{self, JsonFault};
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::prepare::Prepared;
use crate::request::{ChatRequest, ResponseFormat};
use crate::stream::Facts;
use crate::usage::TokenEstimate;

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// What the upstream said.
    pub collected: Collector,
    /// The checked JSON text that replaces the answer's text, when the client asked for JSON.
    pub json: Option<String>,
    /// Estimated tokens of an earlier answer that this one replaces, because it was not the JSON asked for.
    pub discarded_tokens: u64,
    /// What is known besides.
    pub facts: Facts,
}

impl Answer {
    /// Hands the answer to a sink as if it came just now.
    pub fn replay(&self, sink: &mut dyn EventSink) {
        let collected = &self.collected;
        for source in &collected.sources {
            sink.event(ChatEvent::Source(SearchSource { kind: source.kind, title: &source.title, url: &source.url }));
        }
        if !collected.reasoning().is_empty() {
            sink.event(ChatEvent::Reasoning(collected.reasoning()));
        }
        let text = self.json.as_deref().unwrap_or(collected.content());
        if !text.is_empty() {
            sink.event(ChatEvent::Text(text));
        }
        for (index, call) in (0u32..).zip(&collected.tool_calls) {
            sink.event(ChatEvent::ToolCall(ToolCall { index, name: &call.name, arguments: &call.arguments }));
        }
        for path in &collected.images {
            sink.event(ChatEvent::Image(path));
        }
        for path in &collected.videos {
            sink.event(ChatEvent::Video(path));
        }
        sink.event(ChatEvent::Finish(collected.finish.unwrap_or(FinishReason::Stop)));
    }
}

impl Gateway {
    /// Serves a request to its end.
    ///
    /// # Errors
    /// [`GatewayError`]; a part of an answer is never passed off as a whole one.
    pub async fn answer(&self, request: &ChatRequest, prepared: &Prepared) -> Result<Answer, GatewayError> {
        let mut answer = self.collect(prepared).await?;
        if matches!(request.response_format, ResponseFormat::Text) || !answer.collected.tool_calls.is_empty() {
            return Ok(answer);
        }
        let fault = match check(&answer, &request.response_format) {
            Ok(text) => {
                answer.json = Some(text);
                return Ok(answer);
            }
            Err(fault) => fault,
        };
        let mut again = request.clone();
        again.messages.extend(json::repair_turn(answer.collected.content(), &fault));
        let attempts = answer.facts.attempts;
        let mut second = self.prepare(&again).await?;
        // One request still: one time limit, one account to blame at most, one count of its calls.
        second.started = prepared.started;
        second.blamed = Arc::clone(&prepared.blamed);
        second.calls = Arc::clone(&prepared.calls);
        second.caller = prepared.caller;
        let mut repaired = self.collect(&second).await?;
        repaired.discarded_tokens =
            TokenEstimate::of(answer.collected.content()) + TokenEstimate::of(answer.collected.reasoning());
        repaired.facts.attempts += attempts;
        repaired.facts.prompt_tokens += answer.facts.prompt_tokens;
        repaired.json = Some(check(&repaired, &request.response_format).map_err(GatewayError::InvalidJson)?);
        Ok(repaired)
    }

    async fn collect(&self, prepared: &Prepared) -> Result<Answer, GatewayError> {
        let mut stream = self.start(prepared, Collector::default()).await?;
        stream.run_to_end().await?;
        let facts = *stream.facts();
        Ok(Answer { collected: stream.into_sink(), json: None, discarded_tokens: 0, facts })
    }
}

fn check(answer: &Answer, format: &ResponseFormat) -> Result<String, JsonFault> {
    json::check(answer.collected.content(), format)
}
