//! Which tokens are text, and of which channel (rules R6, R7 and R9).

use std::sync::Arc;

use xxhash_rust::xxh64::xxh64;

use super::channel::{Channel, Reasoning, Voice};
use super::content::Content;
use super::hidden::HiddenElements;
use super::record::Response;
use crate::event::EventSink;

/// Reasoning and content of one answer.
pub(super) struct Texts {
    hidden: Arc<HiddenElements>,
    reasoning: Channel<Reasoning>,
    content: Channel<Content>,
    /// Hash of the name of the agent who thought last.
    agent: Option<u64>,
}

impl Texts {
    pub(super) fn new(hidden: Arc<HiddenElements>) -> Self {
        Self { hidden, reasoning: Channel::default(), content: Channel::default(), agent: None }
    }

    /// Takes the token of a line, if it is text.
    pub(super) fn token(&mut self, response: &Response<'_>, sink: &mut dyn EventSink) {
        let Some(token) = response.token.non_empty() else { return };
        let tag = response.tag.as_str();
        if response.tool_card.non_empty().is_some() || tag == "tool_usage_card" || tag == "raw_function_result" {
            return;
        }
        if !response.thinking.0 {
            self.reasoning.settle(sink);
            return add(&mut self.content, &self.hidden, tag, token, sink);
        }
        if self.content.voice.has_begun() {
            return;
        }
        self.content.settle(sink);
        if let Some(agent) = response.agent.non_empty() {
            self.introduce(agent, sink);
        }
        add(&mut self.reasoning, &self.hidden, tag, token, sink);
    }

    /// Takes the whole answer, for what the tokens left out.
    pub(super) fn message(&mut self, message: &str, sink: &mut dyn EventSink) {
        self.reasoning.settle(sink);
        self.content.complete(&self.hidden, message, sink);
    }

    /// Adds a line of our own to the reasoning, unless the answer has begun.
    pub(super) fn reasoning_line(&mut self, line: &str, sink: &mut dyn EventSink) {
        if self.content.voice.has_begun() {
            return;
        }
        self.content.settle(sink);
        self.reasoning.settle(sink);
        let line_end = self.reasoning.voice.end().to_line();
        if !line_end.is_empty() {
            self.reasoning.voice.say(line_end, sink);
        }
        self.reasoning.voice.say(line, sink);
    }

    /// Ends both channels well.
    pub(super) fn finish(&mut self, sink: &mut dyn EventSink) {
        self.reasoning.finish(sink);
        self.content.finish(sink);
        self.content.voice.say_opening(sink);
    }

    /// Bytes of memory that are held.
    pub(super) fn held_bytes(&self) -> usize {
        self.reasoning.filter.held_bytes() + self.content.filter.held_bytes() + self.content.voice.held_bytes()
    }

    /// Names an agent when it takes over the thinking.
    fn introduce(&mut self, agent: &str, sink: &mut dyn EventSink) {
        let agent_hash = Some(xxh64(agent.as_bytes(), 0));
        if self.agent == agent_hash {
            return;
        }
        self.agent = agent_hash;
        self.reasoning.paragraph(&self.hidden, sink);
        for part in ["[", agent, "]\n"] {
            self.reasoning.push(&self.hidden, part, sink);
        }
    }
}

fn add<V: Voice>(channel: &mut Channel<V>, hidden: &HiddenElements, tag: &str, token: &str, sink: &mut dyn EventSink) {
    if tag == "header" {
        channel.heading(hidden, token, sink);
    } else {
        channel.push(hidden, token, sink);
    }
}
