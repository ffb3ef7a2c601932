//! From pieces of bytes to lines, and from a line to what it carries (rules R1 and R2).

use memchr::memchr;

/// A buffer larger than this is given back once its line has been read.
const KEEP_CAPACITY: usize = 4 * 1024;

/// A line grew beyond the cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("upstream sent a line longer than {max_line_bytes} bytes")]
pub(super) struct LineTooLong {
    max_line_bytes: usize,
}

/// Splits pieces of bytes into lines. Whole lines are handed out in place; only an unfinished last line is copied.
#[derive(Debug)]
pub(super) struct LineBuffer {
    partial: Vec<u8>,
    /// The line in `partial` has been handed out.
    consumed: bool,
    max_line_bytes: usize,
}

impl LineBuffer {
    pub(super) fn new(max_line_bytes: usize) -> Self {
        Self { partial: Vec::new(), consumed: false, max_line_bytes }
    }

    /// The next finished line of `input`, without its newline; `input` moves past it.
    ///
    /// `None` when the input is used up; an unfinished last line has then been kept.
    ///
    /// # Errors
    ///
    /// [`LineTooLong`] when the line is longer than the cap, finished or not.
    pub(super) fn next_line<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Result<Option<&'a [u8]>, LineTooLong> {
        self.forget_consumed();
        let Some(end) = memchr(b'\n', input) else {
            let rest = std::mem::take(input);
            self.keep(rest)?;
            return Ok(None);
        };
        let (line, rest) = (&input[..end], &input[end + 1..]);
        *input = rest;
        if self.partial.is_empty() {
            return if line.len() > self.max_line_bytes { Err(self.too_long()) } else { Ok(Some(line)) };
        }
        self.keep(line)?;
        self.consumed = true;
        Ok(Some(&self.partial))
    }

    /// The last line, when the input ended without a newline.
    pub(super) fn last_line(&mut self) -> Option<&[u8]> {
        self.forget_consumed();
        self.consumed = true;
        (!self.partial.is_empty()).then_some(&self.partial)
    }

    /// Throws away what is kept.
    pub(super) fn clear(&mut self) {
        self.partial = Vec::new();
        self.consumed = false;
    }

    /// Bytes of memory this buffer occupies.
    pub(super) fn held_bytes(&self) -> usize {
        self.partial.capacity()
    }

    fn too_long(&self) -> LineTooLong {
        LineTooLong { max_line_bytes: self.max_line_bytes }
    }

    fn forget_consumed(&mut self) {
        if std::mem::take(&mut self.consumed) {
            if self.partial.capacity() > KEEP_CAPACITY {
                self.partial = Vec::new();
            } else {
                self.partial.clear();
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), LineTooLong> {
        let wanted = self.partial.len() + bytes.len();
        if wanted > self.max_line_bytes {
            self.clear();
            return Err(self.too_long());
        }
        if wanted > self.partial.capacity() {
            // Doubling, but never past the cap: the buffer's own growth is part of what a long line may cost.
            let capacity = (self.partial.capacity() * 2).clamp(wanted, self.max_line_bytes);
            self.partial.reserve_exact(capacity - self.partial.len());
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }
}

/// What a line carries.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Nothing: an empty line, a comment or another field of an event stream.
    Blank,
    /// The end of the stream.
    Done,
    /// Something that should be JSON.
    Json(&'a str),
    /// Bytes that are no UTF-8.
    NotUtf8,
}

impl<'a> Line<'a> {
    pub(super) fn read(line: &'a [u8]) -> Self {
        let Ok(text) = std::str::from_utf8(line) else { return Self::NotUtf8 };
        let text = text.trim_ascii();
        if text.starts_with('{') {
            return Self::Json(text);
        }
        if let Some(data) = text.strip_prefix("data:") {
            return match data.trim_ascii() {
                "" => Self::Blank,
                "[DONE]" => Self::Done,
                json => Self::Json(json),
            };
        }
        if text.is_empty() || ["event:", "id:", "retry:", ":"].iter().any(|field| text.starts_with(field)) {
            return Self::Blank;
        }
        Self::Json(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(buffer: &mut LineBuffer, pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, LineTooLong> {
        let mut found = Vec::new();
        for &piece in pieces {
            let mut input = piece;
            while let Some(line) = buffer.next_line(&mut input)? {
                found.push(line.to_vec());
            }
        }
        found.extend(buffer.last_line().map(<[u8]>::to_vec));
        Ok(found)
    }

    #[test]
    fn r1_lines_are_the_same_however_the_bytes_are_cut() {
        let text = b"one\n\ntwo\r\n\nthree";
        for cut in 0..=text.len() {
            let mut buffer = LineBuffer::new(5);
            let found = lines(&mut buffer, &[&text[..cut], &text[cut..]]);
            let expected = [&b"one"[..], b"", b"two\r", b"", b"three"].map(<[u8]>::to_vec).to_vec();
            assert_eq!(found, Ok(expected), "cut at {cut}");
        }
    }

    #[test]
    fn f49_a_line_over_the_cap_is_refused_whole_or_in_pieces() {
        for pieces in [&[&b"123456\n"[..]][..], &[b"123456"], &[b"1234", b"56\n"], &[b"12345", b"6"]] {
            let mut buffer = LineBuffer::new(5);
            assert_eq!(lines(&mut buffer, pieces), Err(LineTooLong { max_line_bytes: 5 }), "{pieces:?}");
        }
    }

    #[test]
    fn f49_ten_mebibytes_without_a_newline_stop_at_the_cap() {
        const MAX: usize = 8 * 1024 * 1024;
        let mut buffer = LineBuffer::new(MAX);
        let piece = vec![b'x'; 16 * 1024];
        let mut refused_after = None;
        for count in 1..=640 {
            let result = buffer.next_line(&mut &piece[..]);
            assert!(matches!(result, Ok(None) | Err(_)));
            if result.is_err() {
                refused_after = Some(count * piece.len());
                break;
            }
            assert!(buffer.held_bytes() <= MAX);
        }
        assert_eq!(refused_after, Some(MAX + piece.len()));
        assert_eq!(buffer.held_bytes(), 0);
    }

    #[test]
    fn i7_the_buffer_of_a_long_line_is_given_back() {
        let mut buffer = LineBuffer::new(1024 * 1024);
        let long = vec![b'x'; 512 * 1024];
        assert_eq!(buffer.next_line(&mut &long[..]), Ok(None));
        let mut input = &b"\n"[..];
        assert!(matches!(buffer.next_line(&mut input), Ok(Some(line)) if line.len() == long.len()));
        assert_eq!(buffer.next_line(&mut input), Ok(None));
        assert_eq!(buffer.held_bytes(), 0);
    }

    #[test]
    fn r1_event_stream_fields_are_no_records() {
        for blank in ["", "  \r", "event: message", "id: 7", "retry: 5", ": keep-alive", "data:", "data: "] {
            assert_eq!(Line::read(blank.as_bytes()), Line::Blank, "{blank:?}");
        }
        assert_eq!(Line::read(b"data: [DONE]\r"), Line::Done);
        assert_eq!(Line::read(b"data:[DONE]"), Line::Done);
        assert_eq!(Line::read(b"data: {}\r"), Line::Json("{}"));
        assert_eq!(Line::read(b"[DONE]"), Line::Json("[DONE]"));
        assert_eq!(Line::read(b"{\"a\":\"\xff\"}"), Line::NotUtf8);
    }
}
