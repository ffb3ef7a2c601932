//! Takes the framing off a body and hands its bytes on, without a copy.

use anyhow::{Context as _, ensure};

use super::connection::Length;

/// Longest line that gives a chunk's size.
const MAX_SIZE_LINE: usize = 32;

/// Where in the framing we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes are left of a body of known length.
    Known(usize),
    /// A chunk's size comes next.
    Size,
    /// So many bytes are left of a chunk.
    Chunk(usize),
    /// The line end after a chunk's bytes comes next.
    ChunkEnd,
    /// The line end after the last chunk comes next.
    LastEnd,
    /// The body is complete.
    Done,
}

impl Framing {
    pub(crate) fn new(length: Length) -> Self {
        match length {
            Length::Known(0) => Self::Done,
            Length::Known(bytes) => Self::Known(bytes),
            Length::Chunked => Self::Size,
        }
    }

    /// Takes what it can from the front of `buffer`, hands the body's bytes to `sink`, and says how much was used.
    pub(crate) fn take(
        &mut self,
        buffer: &[u8],
        mut sink: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<usize> {
        let mut used = 0;
        loop {
            let rest = &buffer[used..];
            match *self {
                Self::Done => return Ok(used),
                _ if rest.is_empty() => return Ok(used),
                Self::Known(left) => {
                    let taken = left.min(rest.len());
                    sink(&rest[..taken])?;
                    used += taken;
                    *self = if taken == left { Self::Done } else { Self::Known(left - taken) };
                }
                Self::Size => {
                    let Some(end) = memchr::memchr(b'\n', rest) else {
                        ensure!(rest.len() < MAX_SIZE_LINE, "a chunk's size does not end");
                        return Ok(used);
                    };
                    let size = size(&rest[..end])?;
                    used += end + 1;
                    *self = if size == 0 { Self::LastEnd } else { Self::Chunk(size) };
                }
                Self::Chunk(left) => {
                    let taken = left.min(rest.len());
                    sink(&rest[..taken])?;
                    used += taken;
                    *self = if taken == left { Self::ChunkEnd } else { Self::Chunk(left - taken) };
                }
                Self::ChunkEnd | Self::LastEnd => {
                    if rest.len() < 2 {
                        return Ok(used);
                    }
                    ensure!(rest.starts_with(b"\r\n"), "no line end after a chunk");
                    used += 2;
                    *self = if *self == Self::LastEnd { Self::Done } else { Self::Size };
                }
            }
        }
    }
}

fn size(line: &[u8]) -> anyhow::Result<usize> {
    let text = std::str::from_utf8(line).ok().map(str::trim_end).context("a chunk's size is no text")?;
    usize::from_str_radix(text, 16).context("a chunk's size is no number")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIRE: &[u8] = b"5\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\n\r\nHTTP/1.1";

    #[test]
    fn chunks_are_unpacked_however_they_are_cut() -> anyhow::Result<()> {
        for step in 1..WIRE.len() {
            let (mut framing, mut text, mut buffer) = (Framing::new(Length::Chunked), Vec::new(), Vec::new());
            for part in WIRE.chunks(step) {
                buffer.extend_from_slice(part);
                let used = framing.take(&buffer, |bytes| {
                    text.extend_from_slice(bytes);
                    Ok(())
                })?;
                buffer.drain(..used);
            }
            assert_eq!((framing, &text[..], &buffer[..]), (Framing::Done, &b"hello 0123456789"[..], &b"HTTP/1.1"[..]));
        }
        Ok(())
    }

    #[test]
    fn wrong_framing_is_an_error() {
        assert!(Framing::Size.take(b"zz\r\n", |_| Ok(())).is_err());
        assert!(Framing::ChunkEnd.take(b"xx", |_| Ok(())).is_err());
    }
}
