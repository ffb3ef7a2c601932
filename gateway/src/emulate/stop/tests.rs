use grok2api_upstream::event::{SearchSource, SourceKind, ToolCall};
use proptest::prelude::*;

use super::*;
use crate::emulate::recorder::{Recorder, pieces};

/// Sends the pieces and the end; tells what came out and which stop text was met.
fn run(stops: &[&str], pieces: &[&str]) -> (Recorder, Option<String>) {
    let stops: Vec<String> = stops.iter().map(|&stop| stop.to_owned()).collect();
    let mut sink = StopSink::new(Recorder::default(), &stops);
    for piece in pieces {
        sink.event(ChatEvent::Text(piece));
    }
    sink.event(ChatEvent::Finish(FinishReason::Stop));
    let met = sink.stop_sequence().map(str::to_owned);
    (sink.into_inner(), met)
}

/// Sends one text in one piece, cut once at every place, and character by character: all must agree.
fn run_split(stops: &[&str], text: &str) -> (String, Option<String>) {
    let whole = run(stops, &[text]);
    for cut in 1..text.len() {
        let (cut_once, met) = run(stops, &pieces(text, &[cut]));
        assert_eq!((&cut_once.text, &met), (&whole.0.text, &whole.1), "cut at {cut}");
    }
    let all: Vec<usize> = (0..text.len()).collect();
    assert_eq!(run(stops, &pieces(text, &all)).0.text, whole.0.text);
    assert_eq!(whole.0.finish, Some(FinishReason::Stop));
    (whole.0.text, whole.1)
}

/// The law, slowly: the first stop text to be completed ends the answer before its beginning.
fn expected(stops: &[&str], text: &str) -> (String, Option<String>) {
    for end in 1..=text.len() {
        let ending = stops.iter().filter(|stop| !stop.is_empty() && text.as_bytes()[..end].ends_with(stop.as_bytes()));
        if let Some(stop) = ending.max_by_key(|stop| stop.len()) {
            return (text[..end - stop.len()].to_owned(), Some((*stop).to_owned()));
        }
    }
    (text.to_owned(), None)
}

#[test]
fn text_is_cut_before_the_stop_text() {
    assert_eq!(run_split(&["END"], "one two END three END"), ("one two ".into(), Some("END".into())));
    assert_eq!(run_split(&["END"], "END"), (String::new(), Some("END".into())));
    assert_eq!(run_split(&["\n\n", "User:"], "Hi.\nUser: go on"), ("Hi.\n".into(), Some("User:".into())));
}

#[test]
fn text_without_a_stop_text_comes_through_whole() {
    for text in ["plain", "EN", "ENEN EEN", "E", "EENDX".strip_suffix("DX").unwrap_or_default()] {
        assert_eq!(run_split(&["END"], text), (text.into(), None));
    }
    assert_eq!(run_split(&[], "no stop texts at all"), ("no stop texts at all".into(), None));
    assert_eq!(run_split(&[""], "an empty one"), ("an empty one".into(), None));
}

#[test]
fn overlapping_beginnings_are_found() {
    assert_eq!(run_split(&["aab"], "aaab"), ("a".into(), Some("aab".into())));
    assert_eq!(run_split(&["abcd", "bc"], "xabcd"), ("xa".into(), Some("bc".into())));
    assert_eq!(run_split(&["c", "abc", "bc"], "xabc"), ("x".into(), Some("abc".into())));
    assert_eq!(run_split(&["abab", "bac"], "xababac"), ("x".into(), Some("abab".into())));
    assert_eq!(run_split(&["abac", "bad"], "ababad"), ("aba".into(), Some("bad".into())));
}

#[test]
fn characters_of_several_bytes_stay_whole() {
    assert_eq!(run_split(&["é—"], "caé é—x"), ("caé ".into(), Some("é—".into())));
    assert_eq!(run_split(&["停"], "请不要在这里停止"), ("请不要在这里".into(), Some("停".into())));
    assert_eq!(run_split(&["é!"], "èéê"), ("èéê".into(), None)); // one first byte, other characters
}

#[test]
fn only_what_may_become_a_stop_text_is_held_back() {
    let mut sink = StopSink::new(Recorder::default(), &["\nUser:".to_owned()]);
    sink.event(ChatEvent::Text("one\nUs"));
    assert_eq!(sink.inner().text, "one");
    sink.event(ChatEvent::Text("ually"));
    assert_eq!(sink.inner().text, "one\nUsually");
}

#[test]
fn after_the_match_only_sources_and_the_end_come_through() {
    let mut sink = StopSink::new(Recorder::default(), &["STOP".to_owned()]);
    let source = SearchSource { kind: SourceKind::Web, title: "t", url: "https://example.com" };
    sink.event(ChatEvent::Reasoning("a STOP in the reasoning"));
    sink.event(ChatEvent::Text("x STOP y"));
    assert!(sink.matched());
    for event in [
        ChatEvent::Text("z"),
        ChatEvent::Reasoning("r"),
        ChatEvent::Source(source),
        ChatEvent::Image("i"),
        ChatEvent::Video("v"),
        ChatEvent::VideoProgress(7),
        ChatEvent::ToolCall(ToolCall { index: 0, name: "f", arguments: "{}" }),
        ChatEvent::Finish(FinishReason::ToolCalls),
    ] {
        sink.event(event);
    }
    let seen = sink.into_inner();
    assert_eq!(seen.text, "x ");
    assert_eq!(seen.reasoning, "a STOP in the reasoning");
    assert_eq!(seen.order, ["reasoning", "text", "source", "finish"]);
    assert_eq!(seen.finish, Some(FinishReason::Stop));
}

#[test]
fn held_text_comes_before_media_calls_and_the_end() {
    for event in [
        ChatEvent::Image("i"),
        ChatEvent::Video("v"),
        ChatEvent::ToolCall(ToolCall { index: 0, name: "f", arguments: "{}" }),
    ] {
        let mut sink = StopSink::new(Recorder::default(), &["##".to_owned()]);
        sink.event(ChatEvent::Text("#"));
        sink.event(event);
        sink.event(ChatEvent::Text("#"));
        sink.event(ChatEvent::Finish(FinishReason::ContentFilter));
        assert_eq!(sink.inner().order[0], "text");
        assert_eq!(sink.inner().text, "##");
        assert_eq!(sink.inner().finish, Some(FinishReason::ContentFilter));
    }
}

proptest! {
    #[test]
    fn any_split_gives_the_same_result(
        text in "[abé]{0,40}",
        stops in prop::collection::vec("[abé]{1,5}", 1..5),
        cuts in prop::collection::vec(0_usize..60, 0..12),
    ) {
        let stops: Vec<&str> = stops.iter().map(String::as_str).collect();
        let (seen, met) = run(&stops, &pieces(&text, &cuts));
        prop_assert_eq!((seen.text, met), expected(&stops, &text));
    }
}
