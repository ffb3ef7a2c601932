//! Finds tool calls in the stream of an answer.

mod modes;

use std::sync::Arc;

use grok2api_upstream::event::{ChatEvent, EventSink, FinishReason, ToolCall};

use super::opening::BlockStart;
use super::parse::{self, ParsedCall};
use super::rules::ToolRules;

/// Longest block or JSON answer that is held back, in bytes; a longer one is passed on as text.
pub const MAX_HELD_BYTES: usize = 256 * 1024;

/// Turns the blocks that the instruction asks for into [`ChatEvent::ToolCall`] events.
///
/// Text is passed on as it comes; held back is only what may be a block, or a JSON answer that may consist of calls.
/// A block that is unfinished, malformed, too long, or names a tool that is not offered comes out as text, unless calls
/// were made before. After the first calls only more blocks count: what else the model writes there are guesses at
/// results. The outcome does not depend on how the text is cut into pieces.
#[derive(Debug)]
pub struct ToolCallSink<S> {
    inner: S,
    rules: Arc<ToolRules>,
    /// Text that is not decided yet. Begins with the block in [`Mode::Block`].
    held: String,
    mode: Mode,
    at_line_start: bool,
    calls: u32,
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    /// Only white space has come.
    Start,
    /// Ordinary text.
    Text,
    /// The answer may be JSON calls as a whole.
    Json,
    /// Inside a block.
    Block {
        start: BlockStart,
        /// Up to here no closing tag begins.
        searched: usize,
        false_closes: u32,
    },
    /// Calls were made; more blocks may follow.
    After,
    /// Calls were made, then came something else.
    Closed,
}

/// What became of the text that a mode has looked at.
enum Step {
    /// So many bytes are dealt with; the mode may have changed.
    Taken(usize),
    /// So many bytes are dealt with; the rest has to wait for more.
    Wait(usize),
}

impl<S: EventSink> ToolCallSink<S> {
    /// Puts the search for calls in front of `inner`.
    pub fn new(inner: S, rules: Arc<ToolRules>) -> Self {
        Self { inner, rules, held: String::new(), mode: Mode::Start, at_line_start: true, calls: 0 }
    }

    /// Number of calls so far.
    pub fn calls(&self) -> u32 {
        self.calls
    }

    /// Whether calls were made and no more can follow: nothing more is wanted from the upstream.
    pub fn is_complete(&self) -> bool {
        matches!(self.mode, Mode::Closed)
    }

    /// The sink behind.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// The sink behind, to change it.
    pub fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Ends the search and gives the sink behind back.
    pub fn into_inner(self) -> S {
        self.inner
    }

    fn text(&mut self, piece: &str) {
        if self.held.is_empty() {
            let taken = self.scan(piece);
            self.held.push_str(&piece[taken..]);
        } else {
            let mut held = std::mem::take(&mut self.held);
            held.push_str(piece);
            let taken = self.scan(&held);
            held.drain(..taken);
            self.held = held;
        }
    }

    /// Deals with as much of the text as can be decided and tells how much that is.
    fn scan(&mut self, text: &str) -> usize {
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let step = match self.mode {
                Mode::Start => self.start(rest),
                Mode::Text => self.plain(rest),
                Mode::Json => self.json(rest),
                Mode::Block { start, searched, false_closes } => self.block(rest, start, searched, false_closes),
                Mode::After => self.after(rest),
                Mode::Closed => Step::Taken(rest.len()),
            };
            match step {
                Step::Taken(length) => at += length,
                Step::Wait(length) => return at + length,
            }
        }
        at
    }

    /// Passes on what has turned out to be no block.
    fn give_back(&mut self, text: &str) -> Step {
        self.mode = if self.calls == 0 { Mode::Text } else { Mode::Closed };
        self.give(text);
        Step::Taken(text.len())
    }

    fn give(&mut self, text: &str) {
        if text.is_empty() || self.calls > 0 {
            return;
        }
        self.at_line_start = text.ends_with('\n');
        self.inner.event(ChatEvent::Text(text));
    }

    fn call(&mut self, calls: &[ParsedCall]) {
        for call in calls {
            if self.calls as usize >= self.rules.max_calls() {
                return;
            }
            self.inner.event(ChatEvent::ToolCall(ToolCall {
                index: self.calls,
                name: &call.name,
                arguments: &call.arguments,
            }));
            self.calls += 1;
        }
    }

    /// Decides about everything held: the text ends here.
    fn settle(&mut self) {
        let held = std::mem::take(&mut self.held);
        let mut taken = 0;
        if matches!(self.mode, Mode::Json) {
            self.mode = match parse::whole_answer(&held) {
                Ok(calls) if self.rules.accept(&calls) => {
                    self.call(&calls);
                    Mode::Closed
                }
                Ok(_) | Err(_) => Mode::Text,
            };
            taken = self.scan(&held);
        }
        self.give(&held[taken..]);
        self.mode = if self.calls == 0 { Mode::Text } else { Mode::Closed };
    }
}

impl<S: EventSink> EventSink for ToolCallSink<S> {
    fn event(&mut self, event: ChatEvent<'_>) {
        match event {
            ChatEvent::Text(piece) => self.text(piece),
            ChatEvent::Reasoning(_) | ChatEvent::Source(_) | ChatEvent::VideoProgress(_) | ChatEvent::ToolCall(_) => {
                self.inner.event(event);
            }
            ChatEvent::Image(_) | ChatEvent::Video(_) => {
                self.settle(); // media stand after the text
                self.inner.event(event);
            }
            ChatEvent::Finish(reason) => {
                self.settle();
                let called = self.calls > 0 && reason == FinishReason::Stop;
                self.inner.event(ChatEvent::Finish(if called { FinishReason::ToolCalls } else { reason }));
            }
        }
    }
}

#[cfg(test)]
mod tests;
