//! A sink for tests that writes down what comes out.

use grok2api_upstream::event::{ChatEvent, EventSink, FinishReason};

/// What a chain of sinks let through, with neighbouring pieces of text joined.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Recorder {
    pub(crate) text: String,
    pub(crate) reasoning: String,
    pub(crate) calls: Vec<(String, String)>,
    pub(crate) finish: Option<FinishReason>,
    /// Kinds of the events in order, neighbours of one kind once.
    pub(crate) order: Vec<&'static str>,
}

impl EventSink for Recorder {
    fn event(&mut self, event: ChatEvent<'_>) {
        let kind = match event {
            ChatEvent::Text(text) => {
                assert!(!text.is_empty(), "text is never empty");
                self.text.push_str(text);
                "text"
            }
            ChatEvent::Reasoning(text) => {
                self.reasoning.push_str(text);
                "reasoning"
            }
            ChatEvent::ToolCall(call) => {
                assert_eq!(call.index as usize, self.calls.len(), "calls are numbered from 0");
                self.calls.push((call.name.to_owned(), call.arguments.to_owned()));
                "call"
            }
            ChatEvent::Finish(reason) => {
                assert_eq!(self.finish, None, "an answer finishes once");
                self.finish = Some(reason);
                "finish"
            }
            ChatEvent::Source(_) => "source",
            ChatEvent::Image(_) => "image",
            ChatEvent::VideoProgress(_) => "progress",
            ChatEvent::Video(_) => "video",
        };
        if self.order.last() != Some(&kind) {
            self.order.push(kind);
        }
    }
}

/// Cuts a text at the given byte positions, each moved back to the next character boundary.
pub(crate) fn pieces<'a>(text: &'a str, cuts: &[usize]) -> Vec<&'a str> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| text.floor_char_boundary(*cut)).collect();
    cuts.sort_unstable();
    let ends = cuts.iter().copied().chain([text.len()]);
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    starts.zip(ends).map(|(start, end)| &text[start..end]).filter(|piece| !piece.is_empty()).collect()
}
