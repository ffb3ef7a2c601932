#![expect(clippy::unwrap_used, reason = "a test may panic")]

use grok2api_upstream::event::{SearchSource, SourceKind};
use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;
use crate::emulate::recorder::{Recorder, pieces};
use crate::request::{ChatRequest, Tool, ToolChoice};

fn request() -> ChatRequest {
    let schema = r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"#;
    let tool = |name: &str, strict| Tool {
        name: name.to_owned(),
        description: None,
        parameters: Some(RawValue::from_string(schema.to_owned()).unwrap()),
        strict,
    };
    let mut request = ChatRequest::new("grok-4", Vec::new());
    request.tools = vec![tool("time", false), tool("weather", true)];
    request
}

fn run_request(request: &ChatRequest, pieces: &[&str]) -> Recorder {
    let mut sink = ToolCallSink::new(Recorder::default(), ToolRules::of(request).unwrap());
    for piece in pieces {
        sink.event(ChatEvent::Text(piece));
    }
    sink.event(ChatEvent::Finish(FinishReason::Stop));
    sink.into_inner()
}

fn run(pieces: &[&str]) -> Recorder {
    run_request(&request(), pieces)
}

/// Sends a text whole, cut once at every place and character by character: all must agree.
fn run_split(text: &str) -> Recorder {
    let whole = run(&[text]);
    for cut in 1..text.len() {
        assert_eq!(run(&pieces(text, &[cut])), whole, "cut at {cut}");
    }
    let all: Vec<usize> = (0..text.len()).collect();
    assert_eq!(run(&pieces(text, &all)), whole);
    whole
}

fn call(name: &str, arguments: &str) -> String {
    format!(
        "<tool_calls><tool_call><tool_name>{name}</tool_name><parameters>{arguments}</parameters></tool_call></tool_calls>"
    )
}

#[track_caller]
fn assert_text(text: &str) {
    let seen = run_split(text);
    assert_eq!(seen.text, text);
    assert_eq!((seen.calls.len(), seen.finish), (0, Some(FinishReason::Stop)));
}

#[track_caller]
fn assert_calls(text: &str, before: &str, calls: &[(&str, &str)]) {
    let seen = run_split(text);
    let calls: Vec<_> = calls.iter().map(|(name, arguments)| ((*name).to_owned(), (*arguments).to_owned())).collect();
    assert_eq!((seen.text.as_str(), seen.calls), (before, calls));
    assert_eq!(seen.finish, Some(FinishReason::ToolCalls));
}

#[test]
fn ordinary_text_comes_through() {
    for text in [
        "Hello, world!",
        " \n Hi",
        "a < b, <b>bold</b>, `code`",
        "```rust\nfn main() {}\n```\n",
        "<tool_caller> <tool",
        "{\"a\": 1}",
        "[link](x)",
        "\n",
    ] {
        assert_text(text);
    }
}

#[test]
fn a_block_becomes_calls() {
    assert_calls(&call("time", "{\"city\": \"Oslo\"}"), "", &[("time", "{\"city\":\"Oslo\"}")]);
    assert_calls(&format!("Let me look.\n{}", call("time", "{}")), "Let me look.\n", &[("time", "{}")]);
    let two = "<tool_calls>\n<tool_call><tool_name>time</tool_name></tool_call>\n\
               <tool_call><tool_name>weather</tool_name><parameters>{'city':'Köln',}</parameters></tool_call>\n</tool_calls>";
    assert_calls(two, "", &[("time", "{}"), ("weather", "{\"city\":\"Köln\"}")]);
}

#[test]
fn code_fences_around_a_block_disappear() {
    assert_calls(&format!("Yes.\n```xml\n{}\n```\n", call("time", "{}")), "Yes.\n", &[("time", "{}")]);
    assert_calls(&format!("```\n{}\n```", call("time", "{}")), "", &[("time", "{}")]);
}

#[test]
fn after_calls_only_more_blocks_count() {
    let twice = format!("{}\n\n{}", call("time", "{}"), call("weather", "{\"city\":\"Bern\"}"));
    assert_calls(&twice, "", &[("time", "{}"), ("weather", "{\"city\":\"Bern\"}")]);
    let guess = format!("{}\n[tool call_1]: 12:00\n{}", call("time", "{}"), call("weather", "{\"city\":\"Bern\"}"));
    assert_calls(&guess, "", &[("time", "{}")]);
    assert_calls(&format!("{}\n{}", call("time", "{}"), call("unknown", "{}")), "", &[("time", "{}")]);
}

#[test]
fn lone_calls_are_read_too() {
    let text = "<tool_call>\n{\"name\": \"time\", \"arguments\": {\"city\": \"Oslo\"}}\n</tool_call>\n<tool_call>{\"name\": \"time\"}</tool_call>";
    assert_calls(text, "", &[("time", "{\"city\":\"Oslo\"}"), ("time", "{}")]);
}

#[test]
fn an_answer_that_is_json_as_a_whole_becomes_calls() {
    assert_calls("{\"tool_calls\":[{\"name\":\"time\",\"arguments\":{}}]}", "", &[("time", "{}")]);
    assert_calls(
        " [ {\"name\": \"time\", \"arguments\": {\"city\": \"Rom\"}} ]\n",
        "",
        &[("time", "{\"city\":\"Rom\"}")],
    );
    assert_calls("```json\n{\"tool_calls\":[{\"name\":\"time\",\"arguments\":\"{}\"}]}\n```", "", &[("time", "{}")]);
}

#[test]
fn json_that_is_not_calls_is_text() {
    assert_text("[{\"name\": \"Oslo\", \"id\": 3}]");
    assert_text("{\"tool_calls\": \"none\"}");
    assert_text("[{\"name\":\"time\",\"arguments\":{}}] is how you call it");
    assert_text("{\"tool_calls\": [");
    assert_calls(&format!("{{\"role\": 1}} {}", call("time", "{}")), "{\"role\": 1} ", &[("time", "{}")]);
}

#[test]
fn blocks_that_are_unfinished_or_invalid_are_text() {
    assert_text("<tool_calls><tool_call><tool_name>time</tool_name><parameters>{");
    assert_text("So <tool_calls>");
    assert_text(&call("time", "{\"city\": oops}"));
    assert_text(&call("time", "[]"));
    assert_text("<tool_calls></tool_calls> is what I would write");
    assert_calls(
        &format!("{} {}", call("time", "nothing"), call("time", "{}")),
        &format!("{} ", call("time", "nothing")),
        &[("time", "{}")],
    );
}

#[test]
fn names_are_limited_to_offered_tools() {
    assert_text(&call("delete_everything", "{}"));
    let mut request = request();
    request.tool_choice = ToolChoice::Named("weather".to_owned());
    assert_eq!(run_request(&request, &[&call("time", "{}")]).calls.len(), 0);
    request.tool_choice = ToolChoice::None;
    assert!(ToolRules::of(&request).is_none());
}

#[test]
fn arguments_of_strict_tools_must_fit_their_schema() {
    assert_text(&call("weather", "{}"));
    assert_text(&call("weather", "{\"city\": 3}"));
    assert_calls(&call("time", "{\"city\": 3}"), "", &[("time", "{\"city\":3}")]);
}

#[test]
fn one_call_is_made_where_the_client_wants_one() {
    let mut request = request();
    request.parallel_tool_calls = false;
    let twice = format!("{}{}", call("time", "{}"), call("time", "{}"));
    let seen = run_request(&request, &[&twice]);
    assert_eq!((seen.calls.len(), seen.finish), (1, Some(FinishReason::ToolCalls)));
}

#[test]
fn only_what_may_be_a_call_is_held_back() {
    let mut sink = ToolCallSink::new(Recorder::default(), ToolRules::of(&request()).unwrap());
    for (piece, seen) in [
        ("Hi <", "Hi "),
        ("b> <tool_c", "Hi <b> "),
        ("ount>", "Hi <b> <tool_count>"),
        ("\n```", "Hi <b> <tool_count>\n"),
    ] {
        sink.event(ChatEvent::Text(piece));
        assert_eq!(sink.inner().text, seen);
    }
    sink.event(ChatEvent::Text("py\nx"));
    assert!(sink.inner().text.ends_with("```py\nx"));
}

#[test]
fn an_answer_is_complete_when_something_else_follows_the_calls() {
    let mut request = request();
    for (parallel, expected) in [(true, [false, false, true]), (false, [false, true, true])] {
        request.parallel_tool_calls = parallel;
        let mut sink = ToolCallSink::new(Recorder::default(), ToolRules::of(&request).unwrap());
        for (piece, complete) in ["Wait. ", &call("time", "{}"), "\nIt is"].into_iter().zip(expected) {
            sink.event(ChatEvent::Text(piece));
            assert_eq!(sink.is_complete(), complete, "{piece}");
        }
    }
}

#[test]
fn other_events_pass_untouched() {
    let source = SearchSource { kind: SourceKind::Web, title: "t", url: "https://example.com" };
    let mut sink = ToolCallSink::new(Recorder::default(), ToolRules::of(&request()).unwrap());
    let block = call("time", "{}");
    let (start, end) = block.split_at(30);
    sink.event(ChatEvent::Reasoning(&block));
    sink.event(ChatEvent::Text(start));
    sink.event(ChatEvent::Reasoning("hm"));
    sink.event(ChatEvent::Source(source));
    sink.event(ChatEvent::VideoProgress(3));
    sink.event(ChatEvent::Text(end));
    assert_eq!(sink.calls(), 1);
    sink.event(ChatEvent::Finish(FinishReason::ContentFilter));
    let seen = sink.into_inner();
    assert_eq!(seen.reasoning, format!("{block}hm"));
    assert_eq!(seen.order, ["reasoning", "source", "progress", "call", "finish"]);
    assert_eq!(seen.finish, Some(FinishReason::ContentFilter));
}

#[test]
fn held_text_comes_before_media() {
    let mut sink = ToolCallSink::new(Recorder::default(), ToolRules::of(&request()).unwrap());
    for event in [
        ChatEvent::Text("<tool"),
        ChatEvent::Image("a.jpg"),
        ChatEvent::Video("a.mp4"),
        ChatEvent::Finish(FinishReason::Stop),
    ] {
        sink.event(event);
    }
    assert_eq!(sink.inner().order, ["text", "image", "video", "finish"]);
}

#[test]
fn a_block_that_is_too_long_is_text_and_the_search_goes_on() {
    let long = call("time", &format!("{{\"city\":\"{}\"}}", "ö".repeat(MAX_HELD_BYTES / 2)));
    let text = format!("{long} {}", call("time", "{}"));
    for size in [text.len(), 4096, 100_000] {
        let cuts: Vec<usize> = (0..text.len()).step_by(size).collect();
        let seen = run(&pieces(&text, &cuts));
        assert_eq!(seen.text, format!("{long} "));
        assert_eq!(seen.calls.len(), 1, "pieces of {size}");
    }
    let fits = call("time", &format!("{{\"city\":\"{}\"}}", "x".repeat(MAX_HELD_BYTES - 200)));
    assert_eq!(run(&[&fits]).calls.len(), 1);
}

#[test]
fn a_long_json_answer_is_given_up_as_a_call() {
    let text = format!("[{{\"name\": \"{}\"}}]", "x".repeat(MAX_HELD_BYTES));
    let mut sink = ToolCallSink::new(Recorder::default(), ToolRules::of(&request()).unwrap());
    for piece in pieces(&text, &[10, 1000, MAX_HELD_BYTES]) {
        sink.event(ChatEvent::Text(piece));
    }
    assert_eq!(sink.inner().text, text);
}

proptest! {
    #[test]
    fn any_split_gives_the_same_result(
        parts in prop::collection::vec(prop::sample::select(vec![
            "<tool_calls>", "</tool_calls>", "<tool_call>", "</tool_call>", "<tool_name>", "time", "</tool_name>", "<parameters>", "</parameters>",
            "{\"city\":\"Oslo\"}", "{", "}", "\"", "<", "`", "```", "```xml\n", "\n", " ", "é", "[", "]", "{\"name\":\"time\",\"arguments\":{}}",
            "{\"tool_calls\":[", "<tool_calls><tool_call><tool_name>time</tool_name><parameters>{}</parameters></tool_call></tool_calls>",
        ]), 0..12),
        cuts in prop::collection::vec(0_usize..200, 0..20),
    ) {
        let text = parts.concat();
        prop_assert_eq!(run(&pieces(&text, &cuts)), run(&pieces(&text, &[])));
    }

    #[test]
    fn text_without_calls_is_never_changed(text in "[<>/`{}\\[\\]\"a-z_ \né]{0,60}", cuts in prop::collection::vec(0_usize..80, 0..20)) {
        let seen = run(&pieces(&text, &cuts));
        prop_assert_eq!(seen.text, text);
    }
}
