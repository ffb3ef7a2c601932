//! `multipart/form-data` bodies, read part by part as they come: whatever is sent, only a few KiB are held.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use memchr::memmem;
use poem::Body;
use poem::http::{HeaderMap, StatusCode, header};
use tokio::time::Instant;

use crate::error::ApiError;
use crate::pace::{Pace, TooSlow};
use crate::state::BodyLimits;

/// Most bytes between a boundary and the part's first byte.
const MAX_HEAD: usize = 8 * 1024;
/// Most parts of a body.
const MAX_PARTS: usize = 64;
/// So long the rest of a refused body is read.
const DRAIN: Duration = Duration::from_secs(10);
/// Longest boundary (RFC 2046 §5.1.1).
const MAX_BOUNDARY: usize = 70;

type Source = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// Reads the parts of a body. A part that is not read to its end is skipped.
pub(crate) struct Parts {
    source: Source,
    /// The boundary with the line end and the dashes before it.
    delimiter: Vec<u8>,
    buffer: BytesMut,
    place: Place,
    begun: usize,
    received: usize,
    max_bytes: usize,
    pace: Pace,
    /// The rest of a refused body is read until then.
    deadline: Option<Instant>,
}

/// Where the beginning of the buffer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before a boundary, in what nobody wants.
    Between,
    /// In a part's content.
    Content,
    /// Behind the last boundary.
    Over,
}

/// What stands above a part's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// Name of the form's field.
    pub(crate) name: String,
}

impl Parts {
    /// Reads `body`, of at most `max_bytes` that must come at the pace of the limits.
    ///
    /// # Errors
    /// The boundary is missing or of no use.
    pub(crate) fn new(headers: &HeaderMap, body: Body, max_bytes: usize, limits: BodyLimits) -> Result<Self, ApiError> {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let boundary = boundary(content_type).ok_or_else(|| malformed("its boundary is missing"))?;
        Ok(Self::reading(Box::pin(body.into_bytes_stream()), &boundary, max_bytes, limits))
    }

    fn reading(source: Source, boundary: &str, max_bytes: usize, limits: BodyLimits) -> Self {
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        Self {
            source,
            delimiter,
            // The first boundary may be the first thing in the body; with a line end before it, it is like all others.
            buffer: BytesMut::from(&b"\r\n"[..]),
            place: Place::Between,
            begun: 0,
            received: 0,
            max_bytes,
            pace: Pace::new(limits),
            deadline: None,
        }
    }

    /// The next part; `None` behind the last one.
    ///
    /// # Errors
    /// The body breaks off, is too large or too slow, or is no multipart body.
    pub(crate) async fn next(&mut self) -> Result<Option<Part>, ApiError> {
        while self.place == Place::Content {
            self.chunk().await?;
        }
        if self.place == Place::Over {
            return Ok(None);
        }
        self.skip_to_boundary().await?;
        self.want(2).await?;
        if self.buffer.starts_with(b"--") {
            self.place = Place::Over;
            return Ok(None);
        }
        self.begun += 1;
        if self.begun > MAX_PARTS {
            return Err(malformed("it has too many parts"));
        }
        let head = self.head().await?;
        self.place = Place::Content;
        Ok(Some(head))
    }

    /// The next piece of the part's content; `None` at its end.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, ApiError> {
        if self.place != Place::Content {
            return Ok(None);
        }
        loop {
            let safe = match memmem::find(&self.buffer, &self.delimiter) {
                Some(0) => {
                    self.place = Place::Between;
                    return Ok(None);
                }
                Some(at) => at,
                // What could be the beginning of a boundary stays.
                None => self.buffer.len().saturating_sub(self.delimiter.len() - 1),
            };
            if safe > 0 {
                return Ok(Some(self.buffer.split_to(safe).freeze()));
            }
            self.fill().await?;
        }
    }

    /// The part's content as text of at most `max_bytes`.
    ///
    /// # Errors
    /// As [`Self::next`]; and when it is longer, or not UTF-8.
    pub(crate) async fn text(&mut self, name: &str, max_bytes: usize) -> Result<String, ApiError> {
        let mut text = Vec::new();
        while let Some(piece) = self.chunk().await? {
            if text.len() + piece.len() > max_bytes {
                let message = format!("The field is longer than {max_bytes} bytes.");
                return Err(ApiError::invalid(name, "invalid_value", message));
            }
            text.extend_from_slice(&piece);
        }
        String::from_utf8(text).map_err(|_| ApiError::invalid(name, "invalid_value", "The field is not valid UTF-8."))
    }

    /// Reads what is left of a body that is refused, as far as that is reasonable: a client that is still sending when the
    /// connection closes never sees why.
    pub(crate) async fn drain(&mut self) {
        self.buffer.clear();
        self.deadline = Some(Instant::now() + DRAIN);
        while self.fill().await.is_ok() {
            self.buffer.clear();
        }
    }

    async fn skip_to_boundary(&mut self) -> Result<(), ApiError> {
        loop {
            if let Some(at) = memmem::find(&self.buffer, &self.delimiter) {
                self.buffer.advance(at + self.delimiter.len());
                return Ok(());
            }
            let useless = self.buffer.len().saturating_sub(self.delimiter.len() - 1);
            self.buffer.advance(useless);
            self.fill().await?;
        }
    }

    /// Reads the header lines behind a boundary.
    async fn head(&mut self) -> Result<Part, ApiError> {
        loop {
            let padding = self.buffer.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            let lines = &self.buffer[padding..];
            if !b"\r\n".starts_with(&lines[..lines.len().min(2)]) {
                return Err(malformed("something stands behind a boundary"));
            }
            if let Some(end) = memmem::find(lines, b"\r\n\r\n") {
                if padding + end > MAX_HEAD {
                    return Err(malformed("a part has too long headers"));
                }
                let head = self.buffer.split_to(padding + end + 4);
                return part(&head[padding..]).ok_or_else(|| malformed("a part does not say the name of its field"));
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(malformed("a part has too long headers"));
            }
            self.fill().await?;
        }
    }

    /// Waits until the buffer holds so many bytes.
    async fn want(&mut self, bytes: usize) -> Result<(), ApiError> {
        while self.buffer.len() < bytes {
            self.fill().await?;
        }
        Ok(())
    }

    /// Takes one more piece from the body, counting what arrives and not what was announced.
    async fn fill(&mut self) -> Result<(), ApiError> {
        let next = self.pace.wait(self.source.next());
        let next = match self.deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, next).await.unwrap_or(Err(TooSlow)),
            None => next.await,
        };
        let piece = match next {
            Err(TooSlow) => return Err(too_slow()),
            Ok(None | Some(Err(_))) => return Err(broken()),
            Ok(Some(Ok(piece))) => piece,
        };
        self.pace.count(piece.len());
        self.received += piece.len();
        if self.received > self.max_bytes {
            return Err(too_large(self.max_bytes));
        }
        self.buffer.extend_from_slice(&piece);
        Ok(())
    }
}

/// Whether a content type names a form with parts.
pub(crate) fn is_form(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case("multipart/form-data")
}

/// The boundary that a content type names.
fn boundary(content_type: &str) -> Option<String> {
    let found = parameter(content_type, "boundary")?;
    let fits = (1..=MAX_BOUNDARY).contains(&found.len()) && found.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    fits.then_some(found)
}

/// The value of a parameter behind the semicolons of a header, with or without quotes.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let mut rest = header.split_once(';')?.1;
    loop {
        let (name, behind) = rest.split_once('=')?;
        let name = name.trim_matches([';', ' ', '\t']);
        let (value, left) = value(behind.trim_start())?;
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = left;
    }
}

/// One value of a parameter, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return Some((text[..end].trim().to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &quoted[at + 1..])),
            // Only a quote is escaped: some browsers send the backslashes of a path as they are.
            '\\' if quoted[at + 1..].starts_with('"') => {
                letters.next();
                value.push('"');
            }
            other => value.push(other),
        }
    }
    None
}

/// Reads the header lines of a part.
fn part(head: &[u8]) -> Option<Part> {
    let head = String::from_utf8_lossy(head);
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then(|| value.trim())
    })?;
    let is_form_data = disposition.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("form-data");
    let name = parameter(disposition, "name").filter(|name| is_form_data && name.len() <= 256)?;
    Some(Part { name })
}

fn malformed(why: &str) -> ApiError {
    let message = format!("The body is no valid multipart/form-data: {why}.");
    ApiError::new(StatusCode::BAD_REQUEST, "invalid_request_error", "invalid_multipart", message)
}

/// 400 for a body that ended too early.
pub(crate) fn broken() -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "invalid_request_error", "incomplete_body", "The request's body broke off.")
}

/// 413 for a body of too many bytes.
pub(crate) fn too_large(max_bytes: usize) -> ApiError {
    let message = format!("The request's body is larger than {max_bytes} bytes.");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request_error", "request_too_large", message)
}

/// 408 for a body that takes too long.
pub(crate) fn too_slow() -> ApiError {
    ApiError::new(
        StatusCode::REQUEST_TIMEOUT,
        "invalid_request_error",
        "request_timeout",
        "The request's body did not arrive in time.",
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\na red kite\r\n--b\r\n\
        content-disposition: form-data; name=\"image[]\"; filename=\"a \\\"b\\\".png\"\r\nContent-Type: image/png\r\n\r\n\
        \x01\r\n--\x02--b\r\n\r\n--b--\r\nbehind";

    fn parts(body: &str, piece: usize, max_bytes: usize) -> Parts {
        let pieces: Vec<_> = body.as_bytes().chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        Parts::reading(Box::pin(futures_util::stream::iter(pieces)), "b", max_bytes, BodyLimits::default())
    }

    async fn all(mut parts: Parts) -> Result<Vec<(Part, Vec<u8>)>, ApiError> {
        let mut found = Vec::new();
        while let Some(part) = parts.next().await? {
            let mut content = Vec::new();
            while let Some(piece) = parts.chunk().await? {
                content.extend_from_slice(&piece);
            }
            found.push((part, content));
        }
        Ok(found)
    }

    async fn code(parts: Parts) -> String {
        all(parts).await.unwrap_err().body.code.unwrap()
    }

    #[tokio::test]
    async fn parts_are_the_same_however_the_body_is_cut() {
        for piece in 1..=FORM.len() {
            let found = all(parts(FORM, piece, 1 << 20)).await.unwrap();
            let shown: Vec<_> = found.iter().map(|(part, content)| (&*part.name, &content[..])).collect();
            let expected: Vec<(&str, &[u8])> = vec![("prompt", b"a red kite"), ("image[]", b"\x01\r\n--\x02--b\r\n")];
            assert_eq!(shown, expected, "in pieces of {piece}");
        }
    }

    #[tokio::test]
    async fn parts_that_nobody_reads_are_skipped() {
        let mut parts = parts(FORM, 7, 1 << 20);
        assert_eq!(parts.next().await.unwrap().unwrap().name, "prompt");
        assert_eq!(parts.next().await.unwrap().unwrap().name, "image[]");
        assert_eq!(parts.next().await.unwrap(), None);
        assert_eq!(parts.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_body_that_is_cut_anywhere_is_refused() {
        let end = FORM.find("--b--").unwrap() + 5;
        for cut in 0..end {
            assert_eq!(code(parts(&FORM[..cut], 16, 1 << 20)).await, "incomplete_body", "cut at {cut}");
        }
        assert!(all(parts(&FORM[..end], 16, 1 << 20)).await.is_ok());
    }

    #[tokio::test]
    async fn h2_bytes_are_counted_as_they_come() {
        let body = format!("--b\r\nContent-Disposition: form-data; name=a\r\n\r\n{}\r\n--b--", "x".repeat(5000));
        assert!(all(parts(&body, 100, body.len())).await.is_ok());
        assert_eq!(code(parts(&body, 100, body.len() - 1)).await, "request_too_large");
    }

    #[tokio::test]
    async fn i7_little_is_held_whatever_is_sent() {
        let head = format!("--b\r\nContent-Disposition: form-data; name=a\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
        assert_eq!(code(parts(&head, 1000, 1 << 24)).await, "invalid_multipart");
        let mut preamble = parts(&"x".repeat(1 << 20), 1000, 1 << 24);
        assert!(preamble.next().await.is_err());
        assert!(preamble.buffer.len() < 16, "what is skipped is not kept");
        let many = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n".repeat(MAX_PARTS + 1);
        assert_eq!(code(parts(&many, 100, 1 << 24)).await, "invalid_multipart");
    }

    #[tokio::test]
    async fn parts_without_a_name_or_with_something_behind_the_boundary_are_refused() {
        for body in [
            "--b\r\n\r\nx\r\n--b--",
            "--b\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--b--",
            "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--",
            "--b x\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--",
            "--b-\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--",
        ] {
            assert_eq!(code(parts(body, 5, 1 << 20)).await, "invalid_multipart", "{body:?}");
        }
        let padded = "--b \t\r\nContent-Disposition: form-data; filename=f; name=a\r\n\r\nx\r\n--b--";
        let found = all(parts(padded, 5, 1 << 20)).await.unwrap();
        assert_eq!(found, [(Part { name: "a".to_owned() }, b"x".to_vec())]);
    }

    #[tokio::test]
    async fn what_is_left_of_a_refused_body_is_read_but_not_kept() {
        let mut parts = parts(FORM, 7, 1 << 20);
        parts.next().await.unwrap();
        parts.drain().await;
        assert_eq!((parts.received, parts.buffer.len()), (FORM.len(), 0));
    }

    #[tokio::test]
    async fn texts_have_a_limit_and_are_utf8() {
        let mut parts = parts(FORM, 7, 1 << 20);
        parts.next().await.unwrap();
        let error = parts.text("prompt", 9).await.unwrap_err();
        assert_eq!((error.body.param.as_deref(), error.status), (Some("prompt"), StatusCode::BAD_REQUEST));
    }

    #[test]
    fn boundaries_are_found_in_all_spellings() {
        for (header, expected) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            ("multipart/form-data; charset=utf-8; Boundary=\"a;b c\"", Some("a;b c")),
            ("Multipart/Form-Data;boundary=abc ; x=y", Some("abc")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data; boundary=\"", None),
        ] {
            assert_eq!(boundary(header).as_deref(), expected, "{header}");
        }
        assert!(is_form("Multipart/Form-Data; boundary=x") && !is_form("application/json"));
    }

    #[tokio::test]
    async fn f20_a_body_that_drips_is_given_up() {
        let limits = BodyLimits { timeout: Duration::ZERO, ..BodyLimits::default() };
        let mut waiting = Parts::reading(Box::pin(futures_util::stream::pending()), "b", 1 << 20, limits);
        assert_eq!(waiting.next().await.unwrap_err().status, StatusCode::REQUEST_TIMEOUT);
    }
}
