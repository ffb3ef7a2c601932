//! Is the answer the expected one, byte for byte, and which token has arrived?

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use memchr::memmem::Finder;

static CONTENT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"content\":\""));
static FINISH: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"finish_reason\":\"stop\""));
static TOKEN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"token\":\""));

/// What an answer must be.
#[derive(Debug, Clone)]
pub(crate) enum Expected {
    /// Exactly these bytes; a token has arrived when its line has.
    Raw { body: Bytes, token_ends: Arc<[usize]> },
    /// Events whose content makes up this text.
    Events { text: Arc<[u8]>, chunk_bytes: usize },
    /// One JSON object with this content.
    Whole { text: Arc<[u8]> },
}

/// A check in progress.
#[derive(Debug)]
pub(crate) struct Check<'a> {
    expected: &'a Expected,
    /// Bytes of the body, or of the text, that were right so far.
    right: usize,
    /// Tokens that have arrived.
    pub(crate) tokens: usize,
    /// A line that has not ended, or a whole body.
    held: Vec<u8>,
    finished: bool,
    done: bool,
}

impl Expected {
    /// Exactly this body of the upstream's lines.
    pub(crate) fn raw(body: Bytes, chunks: usize) -> Self {
        let mut begin = 0;
        let mut token_ends = Vec::with_capacity(chunks);
        for end in memchr::memchr_iter(b'\n', &body) {
            let line = &body[begin..=end];
            if token_ends.len() < chunks && TOKEN.find(line).is_some() {
                token_ends.push(end + 1);
            }
            begin = end + 1;
        }
        Self::Raw { body, token_ends: token_ends.into() }
    }

    pub(crate) fn check(&self) -> Check<'_> {
        Check { expected: self, right: 0, tokens: 0, held: Vec::new(), finished: false, done: false }
    }
}

impl Check<'_> {
    /// Takes the next bytes of the body.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self.expected {
            Expected::Raw { body, token_ends } => {
                let end = self.right + bytes.len();
                ensure!(body.get(self.right..end) == Some(bytes), "the body differs after byte {}", self.right);
                self.right = end;
                while token_ends.get(self.tokens).is_some_and(|token| *token <= end) {
                    self.tokens += 1;
                }
                Ok(())
            }
            Expected::Events { text, chunk_bytes } => self.take_events(bytes, text, *chunk_bytes),
            Expected::Whole { .. } => {
                self.held.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// The body has ended: was it all?
    pub(crate) fn end(&self) -> anyhow::Result<()> {
        match self.expected {
            Expected::Raw { body, .. } => ensure!(self.right == body.len(), "the body ends after byte {}", self.right),
            Expected::Events { text, .. } => {
                ensure!(self.right == text.len(), "the text ends after byte {}", self.right);
                ensure!(self.finished && self.done, "the stream has no proper end");
            }
            Expected::Whole { text } => {
                let content = value(&self.held).context("no content")?;
                ensure!(self.held[content] == **text, "the content differs");
                ensure!(FINISH.find(&self.held).is_some(), "no finish reason");
            }
        }
        Ok(())
    }

    fn take_events(&mut self, mut bytes: &[u8], text: &[u8], chunk_bytes: usize) -> anyhow::Result<()> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end + 1);
            if self.held.is_empty() {
                self.event(line, text)?;
            } else {
                let mut held = std::mem::take(&mut self.held);
                held.extend_from_slice(line);
                self.event(&held, text)?;
                held.clear();
                self.held = held;
            }
            bytes = rest;
        }
        self.held.extend_from_slice(bytes);
        self.tokens = self.right / chunk_bytes.max(1);
        Ok(())
    }

    fn event(&mut self, line: &[u8], text: &[u8]) -> anyhow::Result<()> {
        let Some(data) = line.strip_prefix(b"data:").map(<[u8]>::trim_ascii) else {
            return Ok(()); // an empty line, a comment, or the name of an event
        };
        ensure!(!self.done, "an event after the end");
        if data == b"[DONE]" {
            self.done = true;
            return Ok(());
        }
        if let Some(content) = value(data) {
            let content = &data[content];
            let end = self.right + content.len();
            ensure!(text.get(self.right..end) == Some(content), "the text differs after byte {}", self.right);
            self.right = end;
        } else if memchr::memmem::find(data, b"\"error\"").is_some() {
            bail!("an error event: {}", String::from_utf8_lossy(data));
        }
        if self.right == text.len() && FINISH.find(data).is_some() {
            self.finished = true;
        }
        Ok(())
    }
}

/// Where the value of `content` is. The expected text has nothing in it that would be escaped.
fn value(json: &[u8]) -> Option<Range<usize>> {
    let begin = CONTENT.find(json)? + CONTENT.needle().len();
    let length = memchr::memchr(b'"', &json[begin..])?;
    Some(begin..begin + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(wire: &str) -> anyhow::Result<usize> {
        let expected = Expected::Events { text: Arc::from(&b"abc def"[..]), chunk_bytes: 3 };
        let mut check = expected.check();
        for part in wire.as_bytes().chunks(5) {
            check.take(part)?;
        }
        check.end()?;
        Ok(check.tokens)
    }

    const HELLO: &str = "data: {\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}\n\n";
    const TEXT: &str =
        "data: {\"delta\":{\"content\":\"abc\"}}\n\n: ping\n\ndata: {\"delta\":{\"content\":\" def\"}}\n\n";
    const STOP: &str = "data: {\"delta\":{},\"finish_reason\":\"stop\"}\n\n";
    const DONE: &str = "data: [DONE]\n\n";

    #[test]
    fn a_stream_counts_only_when_text_finish_and_done_are_there() {
        assert_eq!(events(&[HELLO, TEXT, STOP, DONE].concat()).ok(), Some(2));
        for wrong in [
            [HELLO, TEXT, STOP].concat(),
            [HELLO, TEXT, DONE].concat(),
            [HELLO, STOP, DONE].concat(),
            [HELLO, TEXT, TEXT, STOP, DONE].concat(),
            [HELLO, TEXT, STOP, DONE, TEXT].concat(),
            [HELLO, TEXT, "data: {\"error\":{\"message\":\"no\"}}\n\n", STOP, DONE].concat(),
        ] {
            assert!(events(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_raw_body_is_compared_byte_for_byte() -> anyhow::Result<()> {
        let body = Bytes::from_static(b"{\"x\":1}\n{\"token\":\"a\"}\n{\"token\":\"b\"}\n{\"token\":\"\"}\n");
        let expected = Expected::raw(body.clone(), 2);
        let mut check = expected.check();
        check.take(&body[..22])?;
        assert_eq!(check.tokens, 1);
        assert!(check.end().is_err());
        check.take(&body[22..])?;
        assert_eq!(check.tokens, 2);
        check.end()?;
        assert!(expected.check().take(b"{\"x\":2}").is_err());
        Ok(())
    }

    #[test]
    fn a_whole_answer_needs_its_content_and_finish_reason() -> anyhow::Result<()> {
        let expected = Expected::Whole { text: Arc::from(&b"abc"[..]) };
        let mut check = expected.check();
        check.take(b"{\"message\":{\"content\":\"abc\"},")?;
        assert!(check.end().is_err());
        check.take(b"\"finish_reason\":\"stop\"}")?;
        check.end()
    }
}
