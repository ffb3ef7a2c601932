//! `POST /v1/chat/completions`: what clients get.

use poem_openapi::Object;
use serde::Serialize;

/// A whole answer.
#[derive(Debug, Default, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct ChatCompletion {
    /// `chatcmpl-…`
    pub id: String,
    /// `chat.completion`
    pub object: &'static str,
    /// Unix seconds.
    pub created: i64,
    /// The model the client asked for.
    pub model: String,
    /// One entry for each answer asked for.
    pub choices: Vec<Choice>,
    /// Estimated.
    pub usage: Usage,
    /// Always null.
    #[oai(nullable)]
    pub system_fingerprint: Option<String>,
    /// Addresses of the pages and posts the answer rests on, when the model searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[oai(nullable, skip_serializing_if = "Option::is_none")]
    pub citations: Option<Vec<String>>,
}

/// One answer.
#[derive(Debug, Default, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct Choice {
    /// Position, from 0.
    pub index: u32,
    /// The answer.
    pub message: AssistantMessage,
    /// Always null.
    #[oai(nullable)]
    pub logprobs: Option<String>,
    /// `stop`, `tool_calls`, `function_call` or `content_filter`.
    pub finish_reason: &'static str,
}

/// The assistant's message.
#[derive(Debug, Default, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct AssistantMessage {
    /// `assistant`
    pub role: &'static str,
    /// Null only with tool calls.
    #[oai(nullable)]
    pub content: Option<String>,
    /// The model's reasoning, when it is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[oai(nullable, skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
    /// Always null.
    #[oai(nullable)]
    pub refusal: Option<String>,
    /// Always empty: the upstream does not say which words rest on which source; see `citations`.
    pub annotations: Vec<String>,
    /// Functions the client is asked to call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[oai(nullable, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Vec<ToolCallOut>>,
    /// Older form of `tool_calls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[oai(nullable, skip_serializing_if = "Option::is_none")]
    pub function_call: Option<FunctionCallOut>,
}

/// A function the client is asked to call.
#[derive(Debug, Default, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct ToolCallOut {
    /// `call_…`
    pub id: String,
    /// `function`
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub kind: &'static str,
    /// Name and arguments.
    pub function: FunctionCallOut,
}

/// Name and arguments of a function.
#[derive(Debug, Default, Clone, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct FunctionCallOut {
    /// One of the offered names.
    pub name: String,
    /// JSON text of an object.
    pub arguments: String,
}

/// Tokens, estimated: the upstream reports none.
#[derive(Debug, Default, Clone, Copy, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct Usage {
    /// Of the prompt.
    pub prompt_tokens: u64,
    /// Of the answer, reasoning included.
    pub completion_tokens: u64,
    /// Sum of both.
    pub total_tokens: u64,
    /// Details of the prompt.
    pub prompt_tokens_details: PromptTokensDetails,
    /// Details of the answer.
    pub completion_tokens_details: CompletionTokensDetails,
    /// Always true: these numbers are estimates.
    pub x_estimated: bool,
}

/// Details of the prompt's tokens.
#[derive(Debug, Clone, Copy, Default, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct PromptTokensDetails {
    /// Always 0.
    pub cached_tokens: u64,
    /// Always 0.
    pub audio_tokens: u64,
}

/// Details of the answer's tokens.
#[derive(Debug, Clone, Copy, Default, Serialize, Object)]
#[oai(read_only_all)]
#[expect(clippy::struct_field_names, reason = "the names clients expect")]
pub(crate) struct CompletionTokensDetails {
    /// Tokens of the reasoning, shown or not.
    pub reasoning_tokens: u64,
    /// Always 0.
    pub audio_tokens: u64,
    /// Always 0.
    pub accepted_prediction_tokens: u64,
    /// Always 0.
    pub rejected_prediction_tokens: u64,
}

impl Usage {
    /// `completion_tokens` includes `reasoning_tokens`.
    pub(crate) fn estimated(prompt_tokens: u64, completion_tokens: u64, reasoning_tokens: u64) -> Self {
        Self {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens + completion_tokens,
            prompt_tokens_details: PromptTokensDetails::default(),
            completion_tokens_details: CompletionTokensDetails {
                reasoning_tokens,
                ..CompletionTokensDetails::default()
            },
            x_estimated: true,
        }
    }
}
