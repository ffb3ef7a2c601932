//! Events into the chunks of a streamed chat completion.

use std::collections::VecDeque;

use bytes::{BufMut, BytesMut};
use grok2api_config::{ProgressWording, ReasoningFormat};
use grok2api_gateway::id;
use grok2api_gateway::upstream::event::{ChatEvent, EventSink, FinishReason};
use grok2api_gateway::usage::TokenEstimate;

/// Longest piece of a line that shows a picture, in characters: one that stands in the answer as a whole is long.
const MEDIA_PIECE: usize = 8192;

/// What stands around the text of every chunk of one answer: written once, copied per chunk.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// `data: {"id":…,"choices":[{"index":0,"delta":{`
    head: String,
    /// `},"finish_reason":null}]}` and the empty line, with `"usage":null` where the client asked for usage.
    tail: &'static str,
    include_usage: bool,
}

impl Frame {
    pub(crate) fn new(id: &str, created: i64, model: &str, index: u32, include_usage: bool) -> Self {
        let model = serde_json::to_string(model).unwrap_or_default();
        let head = format!(
            r#"data: {{"id":"{id}","object":"chat.completion.chunk","created":{created},"model":{model},"choices":[{{"index":{index},"delta":{{"#
        );
        let tail = if include_usage {
            "},\"finish_reason\":null}],\"usage\":null}\n\n"
        } else {
            "},\"finish_reason\":null}]}\n\n"
        };
        Self { head, tail, include_usage }
    }
}

/// How the answer's reasoning stands in think-tags mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Think {
    NotBegun,
    Open,
    Closed,
}

/// Writes one answer as chunks into a buffer.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about what was written so far")]
pub(crate) struct ChunkEncoder {
    frame: Frame,
    format: ReasoningFormat,
    legacy_functions: bool,
    out: BytesMut,
    /// A picture or video that has to be looked up before anything after it is written, and what came after it.
    held: VecDeque<Held>,
    /// Whether the first chunk, with the role, is written.
    begun: bool,
    /// Whether content was written, so that media need a line of their own.
    content: bool,
    /// Whether reasoning was written.
    reasoning: bool,
    think: Think,
    citations: Vec<String>,
    pub(crate) content_tokens: TokenEstimate,
    pub(crate) reasoning_tokens: TokenEstimate,
    pub(crate) finish: Option<&'static str>,
    tool_calls: u32,
    pub(crate) images: u32,
    pub(crate) videos: u32,
    /// Pictures and videos that could not be had.
    missing: u32,
}

/// An event that waits for the line of a picture before it.
#[derive(Debug)]
enum Held {
    Media { path: String, video: bool },
    Text(String),
    Reasoning(String),
    Progress(u8),
    Citation(String),
    ToolCall { name: String, arguments: String },
    Finish(FinishReason),
}

impl Held {
    fn of(event: ChatEvent<'_>) -> Self {
        match event {
            ChatEvent::Text(text) => Self::Text(text.to_owned()),
            ChatEvent::Reasoning(text) => Self::Reasoning(text.to_owned()),
            ChatEvent::Source(source) => Self::Citation(source.url.to_owned()),
            ChatEvent::Image(path) => Self::Media { path: path.to_owned(), video: false },
            ChatEvent::Video(path) => Self::Media { path: path.to_owned(), video: true },
            ChatEvent::VideoProgress(percent) => Self::Progress(percent),
            ChatEvent::ToolCall(call) => {
                Self::ToolCall { name: call.name.to_owned(), arguments: call.arguments.to_owned() }
            }
            ChatEvent::Finish(reason) => Self::Finish(reason),
        }
    }
}

impl ChunkEncoder {
    pub(crate) fn new(frame: Frame, format: ReasoningFormat, legacy_functions: bool) -> Self {
        Self {
            frame,
            format,
            legacy_functions,
            out: BytesMut::new(),
            held: VecDeque::new(),
            begun: false,
            content: false,
            reasoning: false,
            think: Think::NotBegun,
            citations: Vec::new(),
            content_tokens: TokenEstimate::default(),
            reasoning_tokens: TokenEstimate::default(),
            finish: None,
            tool_calls: 0,
            images: 0,
            videos: 0,
            missing: 0,
        }
    }

    /// Moves what was written so far to the end of `into`.
    pub(crate) fn drain_into(&mut self, into: &mut BytesMut) {
        if into.is_empty() {
            std::mem::swap(into, &mut self.out);
        } else {
            into.extend_from_slice(&self.out);
            self.out.clear();
        }
    }

    /// Writes the first chunk, which alone carries the role.
    pub(crate) fn begin(&mut self) {
        if !self.begun {
            self.begun = true;
            self.chunk(|out| out.put_slice(br#""role":"assistant","content":"""#));
        }
    }

    /// Closes an open `<think>`, as every end of an answer must.
    pub(crate) fn close_think(&mut self) {
        if self.think == Think::Open {
            self.think = Think::Closed;
            self.content_text("\n</think>\n");
        }
    }

    fn chunk(&mut self, delta: impl FnOnce(&mut BytesMut)) {
        self.out.reserve(self.frame.head.len() + self.frame.tail.len() + 64);
        self.out.put_slice(self.frame.head.as_bytes());
        delta(&mut self.out);
        self.out.put_slice(self.frame.tail.as_bytes());
    }

    fn content_text(&mut self, text: &str) {
        self.begin();
        self.chunk(|out| {
            out.put_slice(br#""content":"#);
            put_json(out, text);
        });
    }

    fn text(&mut self, text: &str) {
        // Line ends before the first character are not part of the answer (rule R16).
        let text = if self.content { text } else { text.trim_start_matches(['\r', '\n']) };
        if text.is_empty() {
            return;
        }
        self.close_think();
        self.content = true;
        self.content_tokens.add(text);
        self.content_text(text);
    }

    fn reasoning(&mut self, text: &str) {
        let text = if self.reasoning { text } else { text.trim_start() };
        if text.is_empty() {
            return;
        }
        self.reasoning = true;
        self.reasoning_tokens.add(text);
        match self.format {
            ReasoningFormat::Hidden => {}
            ReasoningFormat::ReasoningContent => {
                self.begin();
                self.chunk(|out| {
                    out.put_slice(br#""reasoning_content":"#);
                    put_json(out, text);
                });
            }
            ReasoningFormat::ThinkTags => {
                if self.think == Think::NotBegun {
                    self.think = Think::Open;
                    self.content_text("<think>\n");
                }
                if self.think == Think::Open {
                    self.content_text(text);
                }
            }
        }
    }

    /// Progress of a video is shown where reasoning is, but counts as none (rule R13).
    pub(crate) fn progress(&mut self, text: &str) {
        let counted = self.reasoning_tokens;
        self.reasoning(text);
        self.reasoning_tokens = counted;
    }

    /// Writes the line of a picture or video, on a line of its own.
    pub(crate) fn media(&mut self, line: &str) {
        self.close_think();
        let mut line = if self.content { format!("\n{line}") } else { line.to_owned() };
        self.content = true;
        while line.len() > MEDIA_PIECE {
            // Long lines are base64, which is cut anywhere.
            let at = (0..=MEDIA_PIECE).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(line.len());
            let rest = line.split_off(at);
            self.content_text(&line);
            line = rest;
        }
        self.content_text(&line);
    }

    /// The picture or video, by its path on the asset host, whose line has to come next.
    pub(crate) fn wanted(&self) -> Option<&str> {
        match self.held.front() {
            Some(Held::Media { path, .. }) => Some(path),
            _ => None,
        }
    }

    /// The line of what was [wanted](Self::wanted), or that there is none; writes what waited for it.
    pub(crate) fn supply(&mut self, line: Option<&str>) {
        if let Some(Held::Media { video, .. }) = self.held.pop_front() {
            match line {
                Some(line) => {
                    *(if video { &mut self.videos } else { &mut self.images }) += 1;
                    self.media(line);
                }
                None => self.missing += 1,
            }
        }
        while !matches!(self.held.front(), None | Some(Held::Media { .. })) {
            match self.held.pop_front() {
                Some(Held::Text(text)) => self.text(&text),
                Some(Held::Reasoning(text)) => self.reasoning(&text),
                Some(Held::Progress(percent)) => self.progress(&percent_text(percent)),
                Some(Held::Citation(url)) => self.citations.push(url),
                Some(Held::ToolCall { name, arguments }) => self.tool_call(&name, &arguments),
                Some(Held::Finish(reason)) => self.finish(reason),
                Some(Held::Media { .. }) | None => {}
            }
        }
    }

    /// Whether all that the answer was to show could not be had.
    pub(crate) fn shows_nothing(&self) -> bool {
        self.missing > 0 && !self.content
    }

    fn tool_call(&mut self, name: &str, arguments: &str) {
        self.close_think();
        self.begin();
        let index = self.tool_calls;
        self.tool_calls += 1;
        self.content_tokens.add(name);
        self.content_tokens.add(arguments);
        if self.legacy_functions {
            self.chunk(|out| {
                out.put_slice(br#""function_call":{"name":"#);
                put_json(out, name);
                out.put_slice(br#","arguments":"#);
                put_json(out, arguments);
                out.put_u8(b'}');
            });
            return;
        }
        let call_id = id::tool_call_id();
        self.chunk(|out| {
            out.put_slice(
                format!(r#""tool_calls":[{{"index":{index},"id":"{call_id}","type":"function","function":{{"name":"#)
                    .as_bytes(),
            );
            put_json(out, name);
            out.put_slice(br#","arguments":"#);
            put_json(out, arguments);
            out.put_slice(b"}}]");
        });
    }

    fn finish(&mut self, reason: FinishReason) {
        self.begin();
        self.close_think();
        let reason = finish_reason(reason, self.legacy_functions);
        self.finish = Some(reason);
        self.out.put_slice(self.frame.head.as_bytes());
        self.out.put_slice(format!(r#"}},"finish_reason":"{reason}"}}]"#).as_bytes());
        if self.frame.include_usage {
            self.out.put_slice(br#","usage":null"#);
        }
        if !self.citations.is_empty() {
            self.out.put_slice(br#","citations":"#);
            put_json(&mut self.out, &self.citations);
        }
        self.out.put_slice(b"}\n\n");
    }
}

fn percent_text(percent: u8) -> String {
    super::film::progress_text(ProgressWording::Plain, i32::from(percent))
}

/// The word OpenAI clients know.
pub(crate) fn finish_reason(reason: FinishReason, legacy_functions: bool) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::ToolCalls if legacy_functions => "function_call",
        FinishReason::ToolCalls => "tool_calls",
    }
}

impl EventSink for ChunkEncoder {
    fn event(&mut self, event: ChatEvent<'_>) {
        if !self.held.is_empty() {
            self.held.push_back(Held::of(event));
            return;
        }
        match event {
            ChatEvent::Text(text) => self.text(text),
            ChatEvent::Reasoning(text) => self.reasoning(text),
            ChatEvent::Source(source) => self.citations.push(source.url.to_owned()),
            ChatEvent::Image(_) | ChatEvent::Video(_) => self.held.push_back(Held::of(event)),
            ChatEvent::VideoProgress(percent) => self.progress(&percent_text(percent)),
            ChatEvent::ToolCall(call) => self.tool_call(call.name, call.arguments),
            ChatEvent::Finish(reason) => self.finish(reason),
        }
    }
}

fn put_json<T: serde::Serialize + ?Sized>(out: &mut BytesMut, value: &T) {
    // Writing strings to memory cannot fail.
    drop(serde_json::to_writer(out.writer(), value));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(format: ReasoningFormat, events: &[ChatEvent<'_>]) -> String {
        let frame = Frame::new("chatcmpl-1", 7, "grok-4", 0, false);
        let mut encoder = ChunkEncoder::new(frame, format, false);
        for event in events {
            encoder.event(*event);
        }
        while let Some(path) = encoder.wanted() {
            let line = (path != "missing").then(|| format!("![{path}]"));
            encoder.supply(line.as_deref());
        }
        String::from_utf8_lossy(&encoder.out).into_owned()
    }

    fn deltas(text: &str) -> Vec<String> {
        text.split("\n\n")
            .filter(|event| !event.is_empty())
            .map(|event| {
                let value: serde_json::Value =
                    serde_json::from_str(event.trim_start_matches("data: ")).unwrap_or_default();
                value["choices"][0]["delta"].to_string()
            })
            .collect()
    }

    #[test]
    fn a_plain_answer_has_one_role_then_text_then_the_end() {
        let text = encode(
            ReasoningFormat::ReasoningContent,
            &[ChatEvent::Text("\n"), ChatEvent::Text("Hi \"x\""), ChatEvent::Finish(FinishReason::Stop)],
        );
        assert_eq!(deltas(&text), [r#"{"content":"","role":"assistant"}"#, r#"{"content":"Hi \"x\""}"#, "{}"]);
        assert!(text.ends_with("\"finish_reason\":\"stop\"}]}\n\n"));
    }

    #[test]
    fn think_tags_are_closed_also_when_no_answer_follows() {
        let text =
            encode(ReasoningFormat::ThinkTags, &[ChatEvent::Reasoning("a"), ChatEvent::Finish(FinishReason::Stop)]);
        assert_eq!(
            deltas(&text)[1..],
            [r#"{"content":"<think>\n"}"#, r#"{"content":"a"}"#, r#"{"content":"\n</think>\n"}"#, "{}"]
        );
    }

    #[test]
    fn pictures_come_after_the_text_on_lines_of_their_own() {
        let text = encode(
            ReasoningFormat::Hidden,
            &[
                ChatEvent::Reasoning("quiet"),
                ChatEvent::Text("Here:"),
                ChatEvent::Image("a.jpg"),
                ChatEvent::Image("missing"),
                ChatEvent::Text("And"),
                ChatEvent::Image("b.jpg"),
                ChatEvent::Finish(FinishReason::Stop),
            ],
        );
        assert_eq!(
            deltas(&text)[1..],
            [
                r#"{"content":"Here:"}"#,
                r#"{"content":"\n![a.jpg]"}"#,
                r#"{"content":"And"}"#,
                r#"{"content":"\n![b.jpg]"}"#,
                "{}"
            ]
        );
    }

    #[test]
    fn a_picture_that_stands_in_the_answer_as_a_whole_comes_in_pieces() {
        let frame = Frame::new("chatcmpl-1", 7, "grok-4", 0, false);
        let mut encoder = ChunkEncoder::new(frame, ReasoningFormat::Hidden, false);
        let line = "x".repeat(2 * MEDIA_PIECE + 10);
        encoder.media(&line);
        let text = String::from_utf8_lossy(&encoder.out).into_owned();
        let contents: Vec<String> = deltas(&text)[1..]
            .iter()
            .map(|delta| serde_json::from_str::<serde_json::Value>(delta).unwrap_or_default())
            .map(|delta| delta["content"].as_str().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(contents.iter().map(String::len).collect::<Vec<_>>(), [MEDIA_PIECE, MEDIA_PIECE, 10]);
        assert_eq!(contents.concat(), line);
    }
}
