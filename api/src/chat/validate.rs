//! From what a client sent to what the gateway serves: checks, translations, and what is ignored.

use grok2api_config::{ChatSettings, ReasoningFormat};
use grok2api_gateway::request::{
    AssistantToolCall, ChatRequest, Message, Part, ResponseFormat, Role, Tool, ToolChoice,
};
use serde_json::value::RawValue;

use super::request::{
    ChatMessage, Content, ContentPart, CreateChatCompletion, FunctionIn, ResponseFormatIn, ToolChoiceIn,
};
use crate::error::ApiError;

const MAX_MESSAGES: usize = 2048;
const MAX_TOOLS: usize = 128;
const MAX_STOPS: usize = 4;
const MAX_NAME: usize = 64;

/// A request that can be served, and how its answer is to look.
#[derive(Debug)]
pub(crate) struct Validated {
    pub(crate) request: ChatRequest,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    pub(crate) reasoning_format: ReasoningFormat,
    /// The client spoke of `functions`, so the answer speaks of `function_call`.
    pub(crate) legacy_functions: bool,
    /// Members that were understood and ignored.
    pub(crate) ignored: Vec<&'static str>,
}

pub(crate) fn validate(
    body: CreateChatCompletion,
    settings: &ChatSettings,
    show_thinking: bool,
) -> Result<Validated, ApiError> {
    check_numbers(&body)?;
    check_words(&body)?;
    refuse_what_changes_the_answer(&body)?;
    let ignored = ignored(&body);
    if settings.strict_params
        && let Some(first) = ignored.first()
    {
        return Err(ApiError::invalid(
            *first,
            "unsupported_parameter",
            format!("'{first}' is not supported by this gateway, which is set to refuse what it cannot carry out."),
        ));
    }
    let stream = body.stream.unwrap_or(false);
    let stream_options = body.stream_options;
    if stream_options.is_some() && !stream {
        return Err(ApiError::invalid(
            "stream_options",
            "invalid_value",
            "'stream_options' is only allowed when 'stream' is true.",
        ));
    }
    let reasoning_format = reasoning_format(body.reasoning_format.as_deref(), settings, show_thinking)?;
    let choices = choices(body.n, settings.max_choices)?;
    let legacy_functions = body.functions.is_some() && body.tools.is_none();
    let (tools, tool_choice) = tools(body.tools, body.tool_choice, body.functions, body.function_call)?;
    let request = ChatRequest {
        model: body.model,
        messages: messages(body.messages)?,
        stop: stop(body.stop.map(|stop| stop.0))?,
        tools,
        tool_choice,
        parallel_tool_calls: body.parallel_tool_calls.unwrap_or(true) && !legacy_functions,
        response_format: response_format(body.response_format)?,
        web_search: body.web_search_options.map(|_| true),
        choices,
    };
    Ok(Validated {
        request,
        stream,
        include_usage: stream_options.and_then(|options| options.include_usage).unwrap_or(false),
        reasoning_format,
        legacy_functions,
        ignored,
    })
}

fn check_numbers(body: &CreateChatCompletion) -> Result<(), ApiError> {
    let range = |name: &str, value: Option<f64>, low: f64, high: f64| match value {
        Some(value) if !(low..=high).contains(&value) => Err(ApiError::invalid(
            name,
            "invalid_value",
            format!("Invalid value for '{name}': expected a number between {low} and {high}, got {value}."),
        )),
        _ => Ok(()),
    };
    range("temperature", body.temperature, 0.0, 2.0)?;
    range("top_p", body.top_p, 0.0, 1.0)?;
    range("presence_penalty", body.presence_penalty, -2.0, 2.0)?;
    range("frequency_penalty", body.frequency_penalty, -2.0, 2.0)?;
    for (name, value) in [("max_completion_tokens", body.max_completion_tokens), ("max_tokens", body.max_tokens)] {
        if value.is_some_and(|value| value < 1) {
            return Err(ApiError::invalid(
                name,
                "invalid_value",
                format!("Invalid value for '{name}': expected at least 1."),
            ));
        }
    }
    Ok(())
}

fn check_words(body: &CreateChatCompletion) -> Result<(), ApiError> {
    let word = |name: &str, value: Option<&str>, known: &[&str]| match value {
        Some(value) if !known.contains(&value) => Err(ApiError::invalid(
            name,
            "invalid_value",
            format!("Invalid value for '{name}': expected one of {}.", known.join(", ")),
        )),
        _ => Ok(()),
    };
    word("reasoning_effort", body.reasoning_effort.as_deref(), &["none", "minimal", "low", "medium", "high", "xhigh"])?;
    word("verbosity", body.verbosity.as_deref(), &["low", "medium", "high"])?;
    word("reasoning_format", body.reasoning_format.as_deref(), &["reasoning_content", "think_tags", "hidden"])
}

fn refuse_what_changes_the_answer(body: &CreateChatCompletion) -> Result<(), ApiError> {
    let refuse = |name: &str, why: &str| Err(ApiError::invalid(name, "unsupported_parameter", why));
    if body.logprobs == Some(true) {
        return refuse("logprobs", "'logprobs' is not supported: the upstream gives no token probabilities.");
    }
    if body.top_logprobs.is_some_and(|wanted| wanted != 0) {
        return refuse("top_logprobs", "'top_logprobs' is not supported: the upstream gives no token probabilities.");
    }
    if body.audio.is_some() {
        return refuse("audio", "Audio output is not supported.");
    }
    if body.modalities.as_ref().is_some_and(|all| all.iter().any(|one| one == "audio")) {
        return refuse("modalities", "Audio output is not supported.");
    }
    Ok(())
}

fn ignored(body: &CreateChatCompletion) -> Vec<&'static str> {
    [
        ("temperature", body.temperature.is_some()),
        ("top_p", body.top_p.is_some()),
        ("max_completion_tokens", body.max_completion_tokens.is_some()),
        ("max_tokens", body.max_tokens.is_some()),
        ("presence_penalty", body.presence_penalty.is_some()),
        ("frequency_penalty", body.frequency_penalty.is_some()),
        ("seed", body.seed.is_some()),
        ("logit_bias", body.logit_bias.is_some()),
        ("reasoning_effort", body.reasoning_effort.is_some()),
        ("verbosity", body.verbosity.is_some()),
        ("safety_identifier", body.safety_identifier.is_some()),
        ("metadata", body.metadata.is_some()),
        ("service_tier", body.service_tier.is_some()),
        ("store", body.store.is_some()),
        ("prediction", body.prediction.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, present)| present.then_some(name))
    .collect()
}

fn reasoning_format(asked: Option<&str>, settings: &ChatSettings, show: bool) -> Result<ReasoningFormat, ApiError> {
    match asked {
        None if !show => Ok(ReasoningFormat::Hidden),
        None => Ok(settings.reasoning_format),
        Some(name) => ReasoningFormat::parse(name).ok_or_else(|| {
            ApiError::invalid("reasoning_format", "invalid_value", "Invalid value for 'reasoning_format'.")
        }),
    }
}

fn choices(asked: Option<i64>, most: u32) -> Result<u32, ApiError> {
    let asked = asked.unwrap_or(1);
    u32::try_from(asked).ok().filter(|n| (1..=most).contains(n)).ok_or_else(|| {
        ApiError::invalid(
            "n",
            "invalid_value",
            format!("Invalid value for 'n': expected a whole number from 1 to {most}."),
        )
    })
}

fn stop(asked: Option<Vec<String>>) -> Result<Vec<String>, ApiError> {
    let stop: Vec<String> = asked.unwrap_or_default().into_iter().filter(|text| !text.is_empty()).collect();
    if stop.len() > MAX_STOPS {
        return Err(ApiError::invalid("stop", "invalid_value", "At most 4 stop sequences are allowed."));
    }
    Ok(stop)
}

fn messages(sent: Vec<ChatMessage>) -> Result<Vec<Message>, ApiError> {
    if sent.is_empty() {
        return Err(ApiError::invalid("messages", "invalid_value", "'messages' must hold at least one message."));
    }
    if sent.len() > MAX_MESSAGES {
        return Err(ApiError::invalid(
            "messages",
            "invalid_value",
            format!("'messages' may hold at most {MAX_MESSAGES} messages."),
        ));
    }
    sent.into_iter().enumerate().map(|(at, message)| one_message(at, message)).collect()
}

fn one_message(at: usize, message: ChatMessage) -> Result<Message, ApiError> {
    let role = match message.role.as_str() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" | "function" => Role::Tool,
        _ => {
            return Err(ApiError::invalid(
                format!("messages[{at}].role"),
                "invalid_value",
                format!(
                    "Invalid value for 'messages[{at}].role': expected system, developer, user, assistant, tool or function."
                ),
            ));
        }
    };
    let parts = match message.content {
        None => Vec::new(),
        Some(Content::Text(text)) => vec![Part::Text(text)],
        Some(Content::Parts(parts)) => parts
            .into_iter()
            .enumerate()
            .map(|(part_at, part)| one_part(at, part_at, part))
            .collect::<Result<Vec<_>, _>>()?,
    };
    let mut tool_calls: Vec<AssistantToolCall> = message
        .tool_calls
        .unwrap_or_default()
        .into_iter()
        .map(|call| AssistantToolCall { id: call.id, name: call.function.name, arguments: call.function.arguments })
        .collect();
    if let Some(call) = message.function_call {
        // The older form has no ids: a call and its result are matched by the function's name.
        tool_calls.push(AssistantToolCall { id: call.name.clone(), name: call.name, arguments: call.arguments });
    }
    let tool_call_id = if message.role == "function" { message.name } else { message.tool_call_id };
    Ok(Message { role, parts, tool_calls, tool_call_id })
}

fn one_part(message: usize, at: usize, part: ContentPart) -> Result<Part, ApiError> {
    let path = |member: &str| format!("messages[{message}].content[{at}].{member}");
    let missing = |member: &str| {
        let param = path(member);
        let text = format!("Missing required parameter: '{param}'.");
        ApiError::invalid(param, "missing_required_parameter", text)
    };
    match part.kind.as_str() {
        "text" | "input_text" | "output_text" => part.text.map(Part::Text).ok_or_else(|| missing("text")),
        "refusal" => part.refusal.or(part.text).map(Part::Text).ok_or_else(|| missing("refusal")),
        "image_url" | "input_image" => {
            part.image_url.map(|image| Part::Image(image.url)).ok_or_else(|| missing("image_url"))
        }
        "file" | "input_file" => {
            let file = part.file.ok_or_else(|| missing("file"))?;
            let Some(data_url) = file.file_data else {
                let code = if file.file_id.is_some() { "unsupported_value" } else { "missing_required_parameter" };
                return Err(ApiError::invalid(
                    path("file"),
                    code,
                    "Send the file itself as 'file_data': this gateway stores no files.",
                ));
            };
            Ok(Part::File { name: file.filename.unwrap_or_default(), data_url })
        }
        "input_audio" => Err(ApiError::invalid(path("type"), "unsupported_value", "Audio input is not supported.")),
        _ => Err(ApiError::invalid(
            path("type"),
            "invalid_value",
            format!("Invalid value for '{}': expected text, image_url or file.", path("type")),
        )),
    }
}

fn response_format(asked: Option<ResponseFormatIn>) -> Result<ResponseFormat, ApiError> {
    let Some(asked) = asked else { return Ok(ResponseFormat::Text) };
    match asked.kind.as_str() {
        "text" => Ok(ResponseFormat::Text),
        "json_object" => Ok(ResponseFormat::JsonObject),
        "json_schema" => {
            let Some(schema) = asked.json_schema else {
                return Err(ApiError::invalid(
                    "response_format.json_schema",
                    "missing_required_parameter",
                    "Missing required parameter: 'response_format.json_schema'.",
                ));
            };
            match schema.schema {
                None => Ok(ResponseFormat::JsonObject),
                Some(text) => Ok(ResponseFormat::JsonSchema {
                    name: schema.name,
                    schema: text.0,
                    strict: schema.strict.unwrap_or(false),
                }),
            }
        }
        _ => Err(ApiError::invalid(
            "response_format.type",
            "invalid_value",
            "Invalid value for 'response_format.type': expected text, json_object or json_schema.",
        )),
    }
}

fn tools(
    tools: Option<Vec<super::request::ToolIn>>,
    tool_choice: Option<ToolChoiceIn>,
    functions: Option<Vec<FunctionIn>>,
    function_call: Option<ToolChoiceIn>,
) -> Result<(Vec<Tool>, ToolChoice), ApiError> {
    let (list, choice, from, choice_name) = if let Some(tools) = tools {
        let mut list = Vec::with_capacity(tools.len().min(MAX_TOOLS));
        for (at, tool) in tools.into_iter().enumerate() {
            let Some(function) = tool.function.filter(|_| tool.kind == "function") else {
                return Err(ApiError::invalid(
                    format!("tools[{at}].type"),
                    "unsupported_value",
                    "Only tools of type 'function', with a 'function' member, are supported.",
                ));
            };
            list.push(function);
        }
        (list, tool_choice, "tools", "tool_choice")
    } else {
        {
            let name = if function_call.is_some() { "function_call" } else { "tool_choice" };
            (functions.unwrap_or_default(), function_call.or(tool_choice), "functions", name)
        }
    };
    if list.len() > MAX_TOOLS {
        return Err(ApiError::invalid(from, "invalid_value", format!("At most {MAX_TOOLS} tools are allowed.")));
    }
    let list = list
        .into_iter()
        .enumerate()
        .map(|(at, function)| one_tool(from, at, function))
        .collect::<Result<Vec<_>, _>>()?;
    let choice = choose(choice, &list, choice_name)?;
    Ok((list, choice))
}

fn one_tool(from: &str, at: usize, function: FunctionIn) -> Result<Tool, ApiError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if function.name.is_empty() || function.name.len() > MAX_NAME || !function.name.chars().all(fits) {
        let param =
            if from == "tools" { format!("tools[{at}].function.name") } else { format!("functions[{at}].name") };
        return Err(ApiError::invalid(
            param.clone(),
            "invalid_value",
            format!("Invalid value for '{param}': expected 1 to 64 letters, digits, '_', '-' or '.'."),
        ));
    }
    let is_object = |text: &RawValue| text.get().trim_start().starts_with('{');
    let parameters = function.parameters.map(|text| text.0).filter(|text| is_object(text));
    Ok(Tool {
        name: function.name,
        description: function.description,
        parameters,
        strict: function.strict.unwrap_or(false),
    })
}

fn choose(choice: Option<ToolChoiceIn>, tools: &[Tool], param: &str) -> Result<ToolChoice, ApiError> {
    let invalid = |message: String| Err(ApiError::invalid(param, "invalid_value", message));
    match choice {
        None => Ok(ToolChoice::Auto),
        Some(ToolChoiceIn::Mode(mode)) => match mode.as_str() {
            "none" => Ok(ToolChoice::None),
            "auto" => Ok(ToolChoice::Auto),
            "required" if tools.is_empty() => invalid(format!("'{param}' is 'required', but no tools are given.")),
            "required" => Ok(ToolChoice::Required),
            _ => invalid(format!("Invalid value for '{param}': expected none, auto, required or a function.")),
        },
        Some(ToolChoiceIn::Function(name)) => {
            if tools.iter().any(|tool| tool.name == name) {
                Ok(ToolChoice::Named(name))
            } else {
                invalid(format!("'{param}' names a function that is not among the tools."))
            }
        }
    }
}
