//! Pictures as base64 text, encoded while they are read: a piece at a time, never a whole picture.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use grok2api_media::ByteStream;

/// A piece of an answer.
pub(super) enum Segment {
    /// As it is.
    Text(Bytes),
    /// A picture's bytes, to be written as base64.
    Picture(ByteStream),
}

/// Segments one after another. A picture that cannot be read to its end breaks the answer off: half a one is none.
pub(super) fn pieces(segments: Vec<Segment>) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::iter(segments).flat_map(|segment| match segment {
        Segment::Text(text) => stream::iter([Ok(text)]).boxed(),
        Segment::Picture(bytes) => encoded(bytes).boxed(),
    })
}

/// The base64 of a stream. Bytes that do not fill a group of three wait for the next piece.
pub(super) fn encoded(bytes: ByteStream) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::unfold(Some((bytes, BytesMut::new())), |going| async move {
        let (mut bytes, mut rest) = going?;
        loop {
            match bytes.next().await {
                Some(Ok(piece)) => {
                    rest.extend_from_slice(&piece);
                    let whole = rest.split_to(rest.len() / 3 * 3);
                    if !whole.is_empty() {
                        return Some((Ok(STANDARD.encode(&whole).into()), Some((bytes, rest))));
                    }
                }
                Some(Err(error)) => {
                    tracing::warn!(error = %error, "a picture could not be read to its end");
                    return Some((Err(io::Error::other(error)), None));
                }
                None if rest.is_empty() => return None,
                None => return Some((Ok(STANDARD.encode(&rest).into()), None)),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use futures_util::TryStreamExt;
    use grok2api_media::StoreError;

    fn source(bytes: &[u8], piece: usize) -> ByteStream {
        let pieces: Vec<_> = bytes.chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        stream::iter(pieces).boxed()
    }

    async fn text(bytes: &[u8], piece: usize) -> String {
        let pieces: Vec<Bytes> = encoded(source(bytes, piece)).try_collect().await.unwrap();
        String::from_utf8(pieces.concat()).unwrap()
    }

    #[tokio::test]
    async fn the_text_is_the_same_however_the_picture_is_cut() {
        let bytes: Vec<u8> = (0..=255).collect();
        for length in [0, 1, 2, 3, 4, 5, 255, 256] {
            for piece in [1, 2, 3, 4, 7, 256] {
                let expected = STANDARD.encode(&bytes[..length]);
                assert_eq!(text(&bytes[..length], piece).await, expected, "{length} bytes in pieces of {piece}");
            }
        }
    }

    #[tokio::test]
    async fn a_picture_that_breaks_off_breaks_the_answer_off() {
        let broken: ByteStream = stream::iter([Ok(Bytes::from_static(b"abcd")), Err(StoreError::Short)]).boxed();
        let segments = vec![Segment::Picture(broken), Segment::Text(Bytes::from_static(b"end"))];
        let mut pieces = std::pin::pin!(pieces(segments));
        assert_eq!(pieces.next().await.unwrap().unwrap(), "YWJj");
        assert!(pieces.next().await.unwrap().is_err());
    }
}
