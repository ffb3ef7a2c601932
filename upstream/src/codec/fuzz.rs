//! What must hold for any bytes at all, as one function: a fuzzer and the tests call it.

use super::decoder::{Decoder, DecoderOptions};
use crate::error::UpstreamError;
use crate::event::{ChatEvent, EventSink};

/// Line cap while fuzzing: small, so that it is met.
const MAX_LINE_BYTES: usize = 256 * 1024;
/// What one stream may hold: a line, an element and white space for each channel, sources and media up to their caps.
const MAX_HELD_BYTES: usize = MAX_LINE_BYTES + 2 * 1024 * 1024;

/// Decodes `data` whole, cut into pieces, and broken off at some place. Which pieces and place depends on the data.
///
/// # Panics
///
/// When the result depends on the pieces, more memory is held than may be, or a broken off answer passes as complete.
pub fn check(data: &[u8]) {
    let whole = Run::of([data]);
    let mut places = Places::of(data);
    match places.next(4) {
        0 => assert_eq!(Run::of(data.chunks(1)), whole, "pieces of one byte"),
        1 => assert_eq!(Run::of(data.chunks(7)), whole, "pieces of seven bytes"),
        _ => assert_eq!(Run::of(places.split(data)), whole, "pieces of any size"),
    }
    let cut = places.next(data.len() + 1);
    Run::of([&data[..cut]]);
}

/// All that can be seen of a decoded stream.
#[derive(Debug, PartialEq)]
struct Run {
    log: Log,
    result: Result<(), UpstreamError>,
    records: u64,
    skipped_lines: u64,
    model: Option<String>,
    title: Option<String>,
    moderated_images: usize,
}

impl Run {
    fn of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut decoder = Decoder::new(DecoderOptions { max_line_bytes: MAX_LINE_BYTES, ..DecoderOptions::default() });
        let mut log = Log::default();
        let mut fed = Ok(());
        for piece in pieces {
            match decoder.feed(piece, &mut log) {
                Ok(progress) => {
                    assert!(!progress.done || progress.end_marker, "the end of the stream is an end");
                    assert!(progress.lines == 0 || decoder.held_bytes() <= MAX_HELD_BYTES, "too much is held");
                }
                Err(error) => fed = Err(error),
            }
        }
        assert!(decoder.held_bytes() <= MAX_HELD_BYTES, "too much is held");
        let result = decoder.finish(&mut log);
        assert!(fed.is_ok() || fed == result, "an error stays what it is");
        let complete = decoder.feed(b"", &mut log).is_ok_and(|progress| progress.end_marker);
        assert_eq!(result.is_ok(), complete, "an answer is complete if, and only if, an end was read");
        assert_eq!(log.finished, u32::from(complete), "a complete answer, and no other, has one end");
        let summary = decoder.summary();
        Self {
            records: summary.records,
            skipped_lines: summary.skipped_lines,
            model: summary.model.map(str::to_owned),
            title: summary.title.map(str::to_owned),
            moderated_images: summary.moderated_images,
            result,
            log,
        }
    }
}

/// The events in their order; pieces of one text are joined, for they may fall anywhere.
#[derive(Debug, Default, PartialEq)]
struct Log {
    entries: Vec<(&'static str, String)>,
    finished: u32,
}

impl EventSink for Log {
    fn event(&mut self, event: ChatEvent<'_>) {
        assert_eq!(self.finished, 0, "nothing comes after the end");
        let (kind, text) = match event {
            ChatEvent::Text(text) => ("text", text),
            ChatEvent::Reasoning(text) => ("reasoning", text),
            ChatEvent::Source(source) => ("source", source.url),
            ChatEvent::Image(path) => ("image", path),
            ChatEvent::Video(path) => ("video", path),
            ChatEvent::VideoProgress(percent) => {
                assert!(percent <= 100);
                ("progress", "")
            }
            ChatEvent::ToolCall(call) => ("tool call", call.name),
            ChatEvent::Finish(_) => {
                self.finished += 1;
                ("finish", "")
            }
        };
        let is_text = matches!(kind, "text" | "reasoning");
        assert!(!is_text || !text.is_empty(), "a piece of text is never empty");
        match self.entries.last_mut() {
            Some((last, joined)) if is_text && *last == kind => joined.push_str(text),
            Some(_) | None => self.entries.push((kind, text.to_owned())),
        }
    }
}

/// Places in a text that look random, and are the same each time.
struct Places(u64);

impl Places {
    fn of(data: &[u8]) -> Self {
        Self(xxhash_rust::xxh64::xxh64(data, 1))
    }

    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    fn split<'a>(&mut self, mut data: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !data.is_empty() {
            let size = 1 + self.next(data.len().min(600));
            let (piece, rest) = data.split_at(size);
            pieces.push(piece);
            data = rest;
        }
        pieces
    }
}
