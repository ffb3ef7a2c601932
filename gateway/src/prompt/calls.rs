//! Writes earlier tool calls of the assistant back into the prompt.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::emulate::tools::compact_json;
use crate::request::AssistantToolCall;

/// Appends the calls of an assistant message to its text: in the form that the tool instruction asks for,
/// or, when no tools are offered now, as a line of JSON each.
pub(super) fn append(text: Cow<'_, str>, calls: &[AssistantToolCall], emulate_tools: bool) -> String {
    let mut text = text.into_owned();
    if !text.is_empty() {
        text.push('\n');
    }
    if emulate_tools {
        push_markup(&mut text, calls);
    } else {
        push_lines(&mut text, calls);
    }
    text
}

fn push_markup(text: &mut String, calls: &[AssistantToolCall]) {
    text.push_str("<tool_calls>");
    for call in calls {
        // The id only serves to tell several results apart; the model is not asked to write one.
        match calls {
            [_] => text.push_str("<tool_call>"),
            _ => drop(write!(text, "<tool_call id=\"{}\">", call.id)),
        }
        let name = &call.name;
        let arguments = arguments(call);
        text.extend(["<tool_name>", name, "</tool_name><parameters>", arguments.get(), "</parameters></tool_call>"]);
    }
    text.push_str("</tool_calls>");
}

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    name: &'a str,
    arguments: Box<RawValue>,
}

fn push_lines(text: &mut String, calls: &[AssistantToolCall]) {
    for (index, call) in calls.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        let line = Line { id: &call.id, name: &call.name, arguments: arguments(call) };
        text.push_str(&serde_json::to_string(&line).unwrap_or_default()); // strings and checked JSON: cannot fail
    }
}

/// The arguments on one line: as they are if they are JSON, else as a JSON string.
fn arguments(call: &AssistantToolCall) -> Box<RawValue> {
    let arguments = match call.arguments.trim() {
        "" => "{}",
        arguments => arguments,
    };
    RawValue::from_string(compact_json(arguments))
        .or_else(|_| serde_json::value::to_raw_value(arguments))
        .unwrap_or_else(|_| RawValue::NULL.to_owned())
}
