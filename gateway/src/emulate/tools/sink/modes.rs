//! What the sink does with text, depending on what came before.

use grok2api_upstream::event::EventSink;
use memchr::{memchr2, memmem};

use super::{MAX_HELD_BYTES, Mode, Step, ToolCallSink};
use crate::emulate::lenient::Fault;
use crate::emulate::tools::opening::{self, BlockStart, Opening};
use crate::emulate::tools::parse;

/// Longest white space at the beginning of an answer after which JSON is still looked for, in bytes.
const MAX_LEADING_SPACE: usize = 1024;

/// Closing tags inside JSON strings that are put up with in one block.
const MAX_FALSE_CLOSES: u32 = 16;

impl<S: EventSink> ToolCallSink<S> {
    pub(super) fn start(&mut self, text: &str) -> Step {
        let answer = text.trim_start();
        let opening = match text.len() - answer.len() {
            space if space > MAX_LEADING_SPACE => Opening::Text,
            _ if answer.is_empty() => Opening::Undecided,
            _ => opening::json(answer),
        };
        self.mode = match opening {
            Opening::Undecided => return Step::Wait(0),
            Opening::Json => Mode::Json,
            Opening::Text | Opening::Block(_) => Mode::Text,
        };
        Step::Taken(0)
    }

    pub(super) fn plain(&mut self, text: &str) -> Step {
        let mut from = 0;
        while let Some(at) = memchr2(b'<', b'`', &text.as_bytes()[from..]).map(|found| from + found) {
            from = at + 1;
            let at_line_start = if at == 0 { self.at_line_start } else { text.as_bytes()[at - 1] == b'\n' };
            match opening::block(&text[at..], at_line_start) {
                Opening::Text | Opening::Json => {}
                Opening::Undecided => {
                    self.give(&text[..at]);
                    return Step::Wait(at);
                }
                Opening::Block(start) => {
                    self.give(&text[..at]);
                    self.mode = Mode::Block { start, searched: start.name_end, false_closes: 0 };
                    return Step::Taken(at);
                }
            }
        }
        self.give(text);
        Step::Taken(text.len())
    }

    pub(super) fn json(&mut self, text: &str) -> Step {
        if text.len() <= MAX_HELD_BYTES {
            return Step::Wait(0);
        }
        self.mode = Mode::Text;
        Step::Taken(0)
    }

    pub(super) fn block(&mut self, text: &str, start: BlockStart, searched: usize, mut false_closes: u32) -> Step {
        let mut from = searched;
        let window = &text.as_bytes()[..text.len().min(MAX_HELD_BYTES)];
        while let Some(found) = memmem::find(&window[from..], start.close.as_bytes()) {
            let body = &text[start.name_end..from + found];
            from += found + start.close.len();
            match parse::block(body, start.close) {
                Ok(calls) if self.rules.accept(&calls) => {
                    self.call(&calls);
                    let full = self.calls() as usize >= self.rules.max_calls();
                    self.mode = if full { Mode::Closed } else { Mode::After };
                    return Step::Taken(from);
                }
                Err(Fault::Incomplete) if false_closes < MAX_FALSE_CLOSES => false_closes += 1,
                Ok(_) | Err(_) => return self.give_back(&text[..from]),
            }
        }
        if text.len() > MAX_HELD_BYTES {
            return self.give_back(&text[..text.floor_char_boundary(MAX_HELD_BYTES)]);
        }
        let searched = from.max(text.len().saturating_sub(start.close.len() - 1));
        self.mode = Mode::Block { start, searched, false_closes };
        Step::Wait(0)
    }

    pub(super) fn after(&mut self, text: &str) -> Step {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            match bytes[at] {
                byte if byte.is_ascii_whitespace() => {}
                b'<' | b'`' => match opening::block(&text[at..], true) {
                    Opening::Undecided => return Step::Wait(at),
                    Opening::Block(start) => {
                        self.mode = Mode::Block { start, searched: start.name_end, false_closes: 0 };
                        return Step::Taken(at);
                    }
                    Opening::Text | Opening::Json if bytes[at] == b'`' => {} // the end of a code fence
                    Opening::Text | Opening::Json => self.mode = Mode::Closed,
                },
                _ => self.mode = Mode::Closed,
            }
            if matches!(self.mode, Mode::Closed) {
                return Step::Taken(at);
            }
            at += 1;
        }
        Step::Taken(at)
    }
}
