//! One channel of an answer, reasoning or content: hidden elements, paragraphs and headings (rules R8 and R10).

use super::hidden::{Filter, HiddenElements};
use crate::event::{ChatEvent, EventSink};

/// How the text of a channel ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum End {
    /// There is no text.
    #[default]
    Empty,
    /// Not with a line end.
    InLine,
    /// With one line end.
    OnNewLine,
    /// With an empty line.
    AfterEmptyLine,
}

impl End {
    /// How a text that ended like this ends after `text`.
    pub(super) fn after(self, text: &str) -> Self {
        match (text.as_bytes(), self) {
            ([], end) => end,
            ([.., b'\n', b'\n'], _) | ([b'\n'], Self::OnNewLine | Self::AfterEmptyLine) => Self::AfterEmptyLine,
            ([.., b'\n'], _) => Self::OnNewLine,
            (_, _) => Self::InLine,
        }
    }

    /// What is missing for a new paragraph.
    fn to_paragraph(self) -> &'static str {
        match self {
            Self::Empty | Self::AfterEmptyLine => "",
            Self::OnNewLine => "\n",
            Self::InLine => "\n\n",
        }
    }

    /// What is missing for a new line.
    pub(super) fn to_line(self) -> &'static str {
        match self {
            Self::Empty | Self::AfterEmptyLine | Self::OnNewLine => "",
            Self::InLine => "\n",
        }
    }
}

/// The visible text of a channel: passes it on and remembers about it what the rules ask for.
pub(super) trait Voice {
    /// Says a piece of text, which is not empty.
    fn say(&mut self, text: &str, sink: &mut dyn EventSink);

    /// How the text so far ends.
    fn end(&self) -> End;
}

/// The visible reasoning.
#[derive(Debug, Default)]
pub(super) struct Reasoning {
    end: End,
}

impl Voice for Reasoning {
    fn say(&mut self, text: &str, sink: &mut dyn EventSink) {
        self.end = self.end.after(text);
        sink.event(ChatEvent::Reasoning(text));
    }

    fn end(&self) -> End {
        self.end
    }
}

/// A filter and the voice behind it.
#[derive(Debug, Default)]
pub(super) struct Channel<V> {
    pub(super) filter: Filter,
    pub(super) voice: V,
}

impl<V: Voice> Channel<V> {
    /// Adds a piece of the model's text.
    pub(super) fn push(&mut self, hidden: &HiddenElements, text: &str, sink: &mut dyn EventSink) {
        self.filter.push(hidden, text, |shown| self.voice.say(shown, sink));
    }

    /// Begins a new paragraph, unless one has just begun.
    pub(super) fn paragraph(&mut self, hidden: &HiddenElements, sink: &mut dyn EventSink) {
        self.settle(sink);
        // Through the filter: within an element that is being removed there are no paragraphs.
        self.push(hidden, self.voice.end().to_paragraph(), sink);
    }

    /// Adds a title as a paragraph of its own.
    pub(super) fn heading(&mut self, hidden: &HiddenElements, title: &str, sink: &mut dyn EventSink) {
        self.paragraph(hidden, sink);
        self.push(hidden, title.trim(), sink);
        self.push(hidden, "\n\n", sink);
    }

    /// The other channel speaks: what could still have become a hidden tag is text.
    pub(super) fn settle(&mut self, sink: &mut dyn EventSink) {
        self.filter.settle(|shown| self.voice.say(shown, sink));
    }

    /// The answer is complete.
    pub(super) fn finish(&mut self, sink: &mut dyn EventSink) {
        self.filter.finish(|shown| self.voice.say(shown, sink));
    }
}
