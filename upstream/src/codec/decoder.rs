//! The decoder of one stream: bytes in, events out (rules R1, R2 and R15).

use std::sync::Arc;

use super::answer::Answer;
use super::framing::{Line, LineBuffer};
use super::hidden::HiddenElements;
use super::lenient::Object;
use super::record::Record;
use crate::asset::TRUSTED_HOSTS;
use crate::classify::NOT_A_STREAM;
use crate::error::{ErrorKind, UpstreamError};
use crate::event::{ChatEvent, EventSink};

/// What all streams of a configuration have in common.
#[derive(Debug, Clone)]
pub struct DecoderOptions {
    /// Longest line, in bytes without its end. Default 8 MiB.
    pub max_line_bytes: usize,
    /// Elements of the model's markup that a reader must not see.
    pub hidden: Arc<HiddenElements>,
    /// Hosts whose addresses name a file of the upstream, as `name` or `name:port`. Default: the upstream's own.
    pub asset_hosts: Arc<[Box<str>]>,
}

impl Default for DecoderOptions {
    fn default() -> Self {
        Self {
            max_line_bytes: 8 * 1024 * 1024,
            hidden: Arc::default(),
            asset_hosts: TRUSTED_HOSTS.into_iter().map(Box::from).collect(),
        }
    }
}

/// Where a stream stands after some input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own, and any may hold with any other")]
pub struct Progress {
    /// Lines of any kind that ended in this input: a sign of life.
    pub lines: u32,
    /// A JSON object has been read, now or before.
    pub good_record: bool,
    /// Part of the answer itself has been read, now or before: more than a header, an echo or a status (R5).
    pub committed: bool,
    /// The answer is complete; something may still follow for a moment (R15).
    pub end_marker: bool,
    /// Nothing that follows counts: call [`Decoder::finish`].
    pub done: bool,
}

/// What is known about a stream besides its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary<'a> {
    /// JSON objects read, with that of an error.
    pub records: u64,
    /// Lines that could not be read.
    pub skipped_lines: u64,
    /// The upstream's name of the model, as seen last.
    pub model: Option<&'a str>,
    /// The title that the upstream gave the conversation.
    pub title: Option<&'a str>,
    /// The upstream's name of the conversation, for logs.
    pub conversation_id: Option<&'a str>,
    /// The upstream's name of the video it makes.
    pub video_id: Option<&'a str>,
    /// Distinct pictures that the upstream withholds.
    pub moderated_images: usize,
}

/// Decodes one answer of the chat call, whatever the pieces in which its bytes come.
pub struct Decoder {
    lines: LineBuffer,
    answer: Answer,
    records: u64,
    skipped_lines: u64,
    state: State,
}

enum State {
    Reading,
    /// After `[DONE]`.
    Done,
    Finished,
    Failed(Box<UpstreamError>),
}

impl Decoder {
    /// A decoder for one stream. It takes no memory of its own before bytes come.
    pub fn new(options: DecoderOptions) -> Self {
        Self {
            lines: LineBuffer::new(options.max_line_bytes),
            answer: Answer::new(options.hidden, options.asset_hosts),
            records: 0,
            skipped_lines: 0,
            state: State::Reading,
        }
    }

    /// Decodes the next bytes and hands what they say to `sink`.
    ///
    /// # Errors
    ///
    /// What the upstream reports, or a line over the cap. All that came before it has been handed on by then, and any
    /// further call returns the same error.
    pub fn feed(&mut self, input: &[u8], sink: &mut dyn EventSink) -> Result<Progress, UpstreamError> {
        let mut lines = 0;
        match &self.state {
            State::Failed(error) => return Err((**error).clone()),
            State::Done | State::Finished => {}
            State::Reading => {
                let read = self.read(input, &mut lines, sink);
                self.or_fail(read)?;
            }
        }
        Ok(Progress {
            lines,
            good_record: self.records > 0,
            committed: self.answer.is_committed(),
            end_marker: self.answer.has_ended(),
            done: matches!(self.state, State::Done | State::Finished),
        })
    }

    /// The body has ended: decodes a last line without an end, gives out what was held back, then
    /// [`ChatEvent::Finish`].
    ///
    /// # Errors
    ///
    /// When the answer is not complete: [`ErrorKind::Empty`], [`ErrorKind::NotStream`], [`ErrorKind::Interrupted`], or
    /// the error of an earlier call. What was held back is then dropped, as nobody can say what it would have become.
    pub fn finish(&mut self, sink: &mut dyn EventSink) -> Result<(), UpstreamError> {
        match &self.state {
            State::Failed(error) => return Err((**error).clone()),
            State::Finished => return Ok(()),
            State::Done | State::Reading => {}
        }
        let ended = self.end(sink);
        self.or_fail(ended)?;
        let reason = self.answer.finish(sink);
        sink.event(ChatEvent::Finish(reason));
        self.state = State::Finished;
        Ok(())
    }

    /// What is known besides the events.
    pub fn summary(&self) -> Summary<'_> {
        Summary {
            records: self.records,
            skipped_lines: self.skipped_lines,
            model: self.answer.model(),
            title: self.answer.title(),
            conversation_id: self.answer.conversation_id(),
            video_id: self.answer.video_id(),
            moderated_images: self.answer.withheld_images(),
        }
    }

    /// What the upstream calls its work, as soon as it has said so: the conversation, or else the video.
    pub fn upstream_id(&self) -> Option<&str> {
        self.answer.conversation_id().or_else(|| self.answer.video_id())
    }

    /// [`Decoder::upstream_id`], moved out of a decoder that is done with.
    pub fn take_upstream_id(&mut self) -> Option<Box<str>> {
        self.answer.take_upstream_id()
    }

    /// Bytes of memory this stream occupies besides the decoder itself.
    pub fn held_bytes(&self) -> usize {
        self.lines.held_bytes() + self.answer.held_bytes()
    }

    fn read(&mut self, mut input: &[u8], lines: &mut u32, sink: &mut dyn EventSink) -> Result<(), UpstreamError> {
        loop {
            let line = match self.lines.next_line(&mut input) {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(()),
                Err(too_long) => return Err(UpstreamError::new(ErrorKind::Error, too_long.to_string())),
            };
            *lines = lines.saturating_add(1);
            let mut counts = Counts { records: &mut self.records, skipped_lines: &mut self.skipped_lines };
            if take_line(line, &mut self.answer, &mut counts, sink)? == LineWas::Last {
                self.state = State::Done;
                self.lines.clear();
                return Ok(());
            }
        }
    }

    /// Takes the last line; whether the answer is complete then.
    fn end(&mut self, sink: &mut dyn EventSink) -> Result<(), UpstreamError> {
        if let Some(line) = self.lines.last_line() {
            let mut counts = Counts { records: &mut self.records, skipped_lines: &mut self.skipped_lines };
            take_line(line, &mut self.answer, &mut counts, sink)?;
        }
        if self.records == 0 && self.skipped_lines == 0 {
            Err(UpstreamError::new(ErrorKind::Empty, "upstream returned no data"))
        } else if self.records == 0 {
            Err(UpstreamError::new(ErrorKind::NotStream, NOT_A_STREAM))
        } else if !self.answer.has_ended() {
            Err(UpstreamError::new(ErrorKind::Interrupted, "upstream stream ended before the answer was complete"))
        } else {
            Ok(())
        }
    }

    fn or_fail(&mut self, result: Result<(), UpstreamError>) -> Result<(), UpstreamError> {
        if let Err(error) = &result {
            self.lines.clear();
            self.state = State::Failed(Box::new(error.clone()));
        }
        result
    }
}

struct Counts<'a> {
    records: &'a mut u64,
    skipped_lines: &'a mut u64,
}

impl Counts<'_> {
    fn skip(&mut self, line: &[u8]) {
        *self.skipped_lines += 1;
        if *self.skipped_lines == 1 {
            tracing::warn!(line_bytes = line.len(), "upstream sent a line that is no JSON object, skipped it");
        }
    }
}

#[derive(PartialEq, Eq)]
enum LineWas {
    OneOfMany,
    Last,
}

fn take_line(
    line: &[u8],
    answer: &mut Answer,
    counts: &mut Counts<'_>,
    sink: &mut dyn EventSink,
) -> Result<LineWas, UpstreamError> {
    let json = match Line::read(line) {
        Line::Json(json) => json,
        Line::Blank => return Ok(LineWas::OneOfMany),
        Line::Done => {
            answer.end();
            return Ok(LineWas::Last);
        }
        Line::NotUtf8 => {
            counts.skip(line);
            return Ok(LineWas::OneOfMany);
        }
    };
    for record in serde_json::Deserializer::from_str(json).into_iter::<Object<Record<'_>>>() {
        let Ok(Object(Some(record))) = record else {
            counts.skip(line);
            break;
        };
        *counts.records += 1;
        answer.take(record, sink)?;
    }
    Ok(LineWas::OneOfMany)
}
