//! The visible answer, and its completion from `modelResponse` (rules R7 and R14).

use xxhash_rust::xxh64::Xxh64;

use super::channel::{Channel, End, Voice};
use super::hidden::{Filter, HiddenElements};
use crate::event::{ChatEvent, EventSink};

/// Any seed will do: the hashes are compared within one stream only.
const HASH_SEED: u64 = 0;
/// White space at the beginning of the content that is kept back.
const MAX_OPENING_BYTES: usize = 1024;

/// The visible content. It is passed on and not kept: its length and hash are enough to know it again.
pub(super) struct Content {
    end: End,
    bytes: usize,
    hash: Xxh64,
    begun: bool,
    /// The white space with which the content began: it goes if the answer is taken whole after all.
    opening: String,
}

impl Default for Content {
    fn default() -> Self {
        Self { end: End::Empty, bytes: 0, hash: Xxh64::new(HASH_SEED), begun: false, opening: String::new() }
    }
}

impl Content {
    /// Whether there is a character that is no white space.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Bytes of memory that are held.
    pub(super) fn held_bytes(&self) -> usize {
        self.opening.capacity()
    }

    /// Says the white space that was kept back.
    pub(super) fn say_opening(&mut self, sink: &mut dyn EventSink) {
        let opening = std::mem::take(&mut self.opening);
        if !opening.is_empty() {
            sink.event(ChatEvent::Text(&opening));
        }
    }

    /// Whether `text` is kept back, as all of the content so far.
    fn keeps(&mut self, text: &str) -> bool {
        let blank = text.trim_start().is_empty();
        self.begun = !blank;
        let keeps = blank && self.opening.len() + text.len() <= MAX_OPENING_BYTES;
        if keeps {
            self.opening.push_str(text);
        }
        keeps
    }
}

impl Voice for Content {
    fn say(&mut self, text: &str, sink: &mut dyn EventSink) {
        self.end = self.end.after(text);
        self.bytes += text.len();
        self.hash.update(text.as_bytes());
        if !self.begun {
            if self.keeps(text) {
                return;
            }
            self.say_opening(sink);
        }
        sink.event(ChatEvent::Text(text));
    }

    fn end(&self) -> End {
        self.end
    }
}

impl Channel<Content> {
    /// Completes the content from the whole text of the answer.
    pub(super) fn complete(&mut self, hidden: &HiddenElements, message: &str, sink: &mut dyn EventSink) {
        if message.is_empty() {
            return;
        }
        if !self.voice.begun {
            *self = Self::default();
            self.push(hidden, message, sink);
            self.finish(sink);
            return;
        }
        let mut known =
            Known { left: self.voice.bytes, hash: Xxh64::new(HASH_SEED), wanted: self.voice.hash.digest(), same: None };
        if message.len() < known.left {
            return;
        }
        let mut say_rest = |shown: &str| {
            if let Some(rest) = known.rest(shown) {
                self.voice.say(rest, sink);
            }
        };
        let mut filter = Filter::default();
        filter.push(hidden, message, &mut say_rest);
        filter.finish(&mut say_rest);
        if known.same == Some(true) {
            // What was held back here is part of the message, and so has been said.
            self.filter = Filter::default();
        }
    }
}

/// Compares the beginning of a text with one that is known by length and hash.
struct Known {
    left: usize,
    hash: Xxh64,
    wanted: u64,
    /// `None` until as many bytes have been seen.
    same: Option<bool>,
}

impl Known {
    /// What of `piece` comes after the known text, if the text began with that.
    fn rest<'a>(&mut self, piece: &'a str) -> Option<&'a str> {
        let seen = self.left.min(piece.len());
        if self.same.is_none() {
            self.hash.update(&piece.as_bytes()[..seen]);
            self.left -= seen;
            if self.left == 0 {
                self.same = Some(self.hash.digest() == self.wanted);
            }
        }
        let rest = piece.get(seen..)?;
        (self.same == Some(true) && !rest.is_empty()).then_some(rest)
    }
}
