//! Stop texts: ends the visible answer at the first one that is completed.

use grok2api_upstream::event::{ChatEvent, EventSink, FinishReason};

/// Cuts an answer where the first stop text ends, found across pieces.
///
/// Only what may still become a stop text is held back, and that is never copied: it equals the beginning of the
/// stop text. Reasoning is neither searched nor touched before the match; afterwards only the sources and the
/// end of the answer come through.
#[derive(Debug)]
pub struct StopSink<S> {
    inner: S,
    stops: Vec<Stop>,
    /// Bytes with which a stop text can begin, one bit each.
    first_bytes: [u64; 4],
    /// Longest beginning of a stop text at the end of the text so far.
    held: Held,
    matched: Option<usize>,
}

/// Which stop text has begun, and how many bytes of it have been seen.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    stop: usize,
    bytes: usize,
}

/// A stop text and how far it has been met (Knuth, Morris and Pratt).
#[derive(Debug)]
struct Stop {
    text: Box<str>,
    /// For each length met, the longest shorter beginning that also ends there.
    fallback: Box<[usize]>,
    met: usize,
}

impl Stop {
    fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut fallback = vec![0; bytes.len()];
        let mut met = 0;
        for at in 1..bytes.len() {
            while met > 0 && bytes[met] != bytes[at] {
                met = fallback[met - 1];
            }
            met += usize::from(bytes[met] == bytes[at]);
            fallback[at] = met;
        }
        Self { text: text.into(), fallback: fallback.into(), met: 0 }
    }

    /// Takes a byte and tells how much has been met. Not to be called after the whole has been.
    fn step(&mut self, byte: u8) -> usize {
        let bytes = self.text.as_bytes();
        while self.met > 0 && bytes[self.met] != byte {
            self.met = self.fallback[self.met - 1];
        }
        self.met += usize::from(bytes[self.met] == byte);
        self.met
    }
}

impl<S: EventSink> StopSink<S> {
    /// Puts the search for `stops` in front of `inner`. Empty stop texts are left out.
    pub fn new(inner: S, stops: &[String]) -> Self {
        let mut first_bytes = [0; 4];
        let stops: Vec<Stop> = stops.iter().filter(|stop| !stop.is_empty()).map(|stop| Stop::new(stop)).collect();
        for stop in &stops {
            let first = stop.text.as_bytes()[0];
            first_bytes[usize::from(first >> 6)] |= 1 << (first & 63);
        }
        Self { inner, stops, first_bytes, held: Held::default(), matched: None }
    }

    /// Whether a stop text was met: nothing more is wanted from the upstream.
    pub fn matched(&self) -> bool {
        self.matched.is_some()
    }

    /// The stop text that was met.
    pub fn stop_sequence(&self) -> Option<&str> {
        self.matched.map(|stop| &*self.stops[stop].text)
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
        let before = self.held;
        let bytes = piece.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            if self.held.bytes == 0 {
                match bytes[at..].iter().position(|byte| self.can_begin(*byte)) {
                    Some(skipped) => at += skipped,
                    None => break,
                }
            }
            let complete = self.step(bytes[at]);
            at += 1;
            if let Some(stop) = complete {
                self.pass(before, piece, before.bytes + at - stop.bytes);
                self.matched = Some(stop.stop);
                return;
            }
        }
        self.pass(before, piece, before.bytes + piece.len() - self.held.bytes);
    }

    fn can_begin(&self, byte: u8) -> bool {
        self.first_bytes[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    /// Takes a byte; gives the stop text that it completes, the longest if it completes several.
    fn step(&mut self, byte: u8) -> Option<Held> {
        let mut complete: Option<Held> = None;
        self.held = Held::default();
        for (index, stop) in self.stops.iter_mut().enumerate() {
            let met = Held { stop: index, bytes: stop.step(byte) };
            if met.bytes > self.held.bytes {
                self.held = met;
            }
            if met.bytes == stop.text.len() && complete.is_none_or(|other| other.bytes < met.bytes) {
                complete = Some(met);
            }
        }
        complete
    }

    /// Passes on the first `length` bytes of what was held and the piece after it.
    fn pass(&mut self, held: Held, piece: &str, length: usize) {
        if held.bytes > 0 && length > 0 {
            let text = &self.stops[held.stop].text[..held.bytes.min(length)];
            self.inner.event(ChatEvent::Text(text));
        }
        if length > held.bytes {
            self.inner.event(ChatEvent::Text(&piece[..length - held.bytes]));
        }
    }

    /// Lets go of what was held: no text follows that could complete it.
    fn release(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.pass(held, "", held.bytes);
        for stop in &mut self.stops {
            stop.met = 0;
        }
    }
}

impl<S: EventSink> EventSink for StopSink<S> {
    fn event(&mut self, event: ChatEvent<'_>) {
        if self.matched() {
            match event {
                ChatEvent::Finish(_) => self.inner.event(ChatEvent::Finish(FinishReason::Stop)),
                ChatEvent::Source(_) => self.inner.event(event),
                ChatEvent::Text(_)
                | ChatEvent::Reasoning(_)
                | ChatEvent::Image(_)
                | ChatEvent::VideoProgress(_)
                | ChatEvent::Video(_)
                | ChatEvent::ToolCall(_) => {}
            }
            return;
        }
        match event {
            ChatEvent::Text(piece) => self.text(piece),
            ChatEvent::Reasoning(_) | ChatEvent::Source(_) | ChatEvent::VideoProgress(_) => {
                self.inner.event(event);
            }
            ChatEvent::Image(_) | ChatEvent::Video(_) | ChatEvent::ToolCall(_) | ChatEvent::Finish(_) => {
                self.release(); // these stand after the text
                self.inner.event(event);
            }
        }
    }
}

#[cfg(test)]
mod tests;
