//! A collected answer as one chat completion.

use std::collections::HashMap;

use futures_util::future::join_all;
use grok2api_config::ReasoningFormat;
use grok2api_entity::failure::Code;
use grok2api_gateway::upstream::event::FinishReason;
use grok2api_gateway::usage::TokenEstimate;
use grok2api_gateway::{Answer, id};

use super::desk::Desk;
use super::encode::finish_reason;
use super::response::{AssistantMessage, Choice, FunctionCallOut, ToolCallOut};
use super::sse::NOTHING;
use crate::error::ApiError;
use crate::failure;

/// Estimated tokens of one answer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tokens {
    pub(crate) completion: u64,
    pub(crate) reasoning: u64,
}

/// Renders one answer as a choice, in the same form that its streamed deltas would add up to.
pub(crate) fn choice(
    index: u32,
    answer: &Answer,
    format: ReasoningFormat,
    legacy_functions: bool,
    shown: &HashMap<String, String>,
) -> (Choice, Tokens) {
    let collected = &answer.collected;
    let reasoning = collected.reasoning();
    let content = answer.json.clone().unwrap_or_else(|| collected.with_media(|path| shown.get(path).cloned()));
    let calls: Vec<FunctionCallOut> = collected
        .tool_calls
        .iter()
        .map(|call| FunctionCallOut { name: call.name.clone(), arguments: call.arguments.clone() })
        .collect();
    // Links to pictures are ours, not the model's words.
    let mut tokens = count(answer.json.as_deref().unwrap_or(collected.content()), reasoning, &calls);
    tokens.completion += answer.discarded_tokens;
    let content = match format {
        ReasoningFormat::ThinkTags if !reasoning.is_empty() => format!("<think>\n{reasoning}\n</think>\n{content}"),
        ReasoningFormat::ThinkTags | ReasoningFormat::ReasoningContent | ReasoningFormat::Hidden => content,
    };
    let shown = format == ReasoningFormat::ReasoningContent && !reasoning.is_empty();
    let has_calls = !calls.is_empty();
    let (tool_calls, function_call) =
        if legacy_functions { (None, calls.into_iter().next()) } else { (tool_calls(calls), None) };
    let message = AssistantMessage {
        role: "assistant",
        content: (!has_calls || !content.is_empty()).then_some(content),
        reasoning_content: shown.then(|| reasoning.to_owned()),
        refusal: None,
        annotations: Vec::new(),
        tool_calls,
        function_call,
    };
    let finish_reason = finish_reason(collected.finish.unwrap_or(FinishReason::Stop), legacy_functions);
    (Choice { index, message, logprobs: None, finish_reason }, tokens)
}

/// Looks up the pictures and videos of an answer: the line that shows each, by its path on the asset host. Those that
/// cannot be had are left out of the answer.
///
/// # Errors
/// Nothing would be left of it.
pub(crate) async fn show_media(answer: &mut Answer, desk: &Desk) -> Result<HashMap<String, String>, ApiError> {
    let account = answer.facts.account;
    let collected = &mut answer.collected;
    let paths: Vec<String> = collected.images.iter().chain(&collected.videos).cloned().collect();
    let lines = join_all(paths.iter().map(|path| desk.line(path, account))).await;
    let shown: HashMap<String, String> =
        paths.iter().cloned().zip(lines).filter_map(|(path, line)| Some((path, line?))).collect();
    collected.images.retain(|path| shown.contains_key(path));
    collected.videos.retain(|path| shown.contains_key(path));
    if shown.is_empty() && !paths.is_empty() && collected.content().is_empty() {
        return Err(failure::error(Code::MediaUnavailable, Some(NOTHING)));
    }
    Ok(shown)
}

/// A choice that is one text.
pub(crate) fn text_choice(content: String) -> Choice {
    let message = AssistantMessage {
        role: "assistant",
        content: Some(content),
        reasoning_content: None,
        refusal: None,
        annotations: Vec::new(),
        tool_calls: None,
        function_call: None,
    };
    Choice { index: 0, message, logprobs: None, finish_reason: "stop" }
}

fn tool_calls(calls: Vec<FunctionCallOut>) -> Option<Vec<ToolCallOut>> {
    if calls.is_empty() {
        return None;
    }
    Some(calls.into_iter().map(|function| ToolCallOut { id: id::tool_call_id(), kind: "function", function }).collect())
}

fn count(content: &str, reasoning: &str, calls: &[FunctionCallOut]) -> Tokens {
    let mut text = TokenEstimate::default();
    text.add(content);
    for call in calls {
        text.add(&call.name);
        text.add(&call.arguments);
    }
    let mut thought = TokenEstimate::default();
    thought.add(reasoning);
    Tokens { completion: text.tokens() + thought.tokens(), reasoning: thought.tokens() }
}
