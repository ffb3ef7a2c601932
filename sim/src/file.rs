//! Which bytes has a file? A small one as it is; a large one grows behind its end, and always in the same way.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;

use crate::plan::End;

/// Pieces in which a file is sent, or in which a large one begins.
const PIECES: usize = 16;
/// One piece of a large file.
const PIECE_BYTES: usize = 64 * 1024;
/// Length and name of a box in a video.
const BOX_HEAD_BYTES: usize = 8;

/// A file, ready to be sent.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) bytes: u64,
    pub(crate) pieces: Vec<Bytes>,
    pub(crate) end: End,
}

/// A picture; a large one has filling behind its end mark, which nobody looks at who decodes it.
pub(crate) fn picture(bytes: &'static [u8], mib: Option<u16>) -> File {
    match mib {
        None => small(bytes),
        Some(mib) => large(bytes.to_vec(), mib),
    }
}

/// A video; a large one ends in a box that players skip, so that it plays whatever its size.
pub(crate) fn video(bytes: &'static [u8], mib: Option<u16>) -> File {
    let Some(mib) = mib else { return small(bytes) };
    let filling = (u64::from(mib) << 20) - bytes.len() as u64;
    let mut head = Vec::with_capacity(bytes.len() + BOX_HEAD_BYTES);
    head.extend_from_slice(bytes);
    head.extend_from_slice(&u32::try_from(filling).unwrap_or(u32::MAX).to_be_bytes());
    head.extend_from_slice(b"free");
    large(head, mib)
}

fn small(bytes: &'static [u8]) -> File {
    let pieces = bytes.chunks(bytes.len().div_ceil(PIECES).max(1)).map(Bytes::from_static).collect();
    File { bytes: bytes.len() as u64, pieces, end: End::Finish }
}

/// `head` and as much filling as makes a file of so many MiB.
fn large(head: Vec<u8>, mib: u16) -> File {
    let (bytes, filling) = (u64::from(mib) << 20, filling());
    let mut first = head;
    first.extend_from_slice(&filling[first.len()..]);
    let mut pieces = vec![Bytes::from(first)];
    pieces.resize(PIECES, filling.clone());
    let left = bytes / PIECE_BYTES as u64 - PIECES as u64;
    File { bytes, pieces, end: End::Repeat { piece: filling, left, gap: Duration::ZERO } }
}

/// Bytes without a pattern that a file format could mistake for its own, the same in every process.
fn filling() -> Bytes {
    static FILLING: OnceLock<Bytes> = OnceLock::new();
    let make = || (0..PIECE_BYTES).map(|at| u8::try_from((at * 31 + at / 251) % 251).unwrap_or(0)).collect();
    FILLING.get_or_init(make).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(file: &File) -> Vec<u8> {
        let mut bytes = file.pieces.concat();
        if let End::Repeat { piece, left, .. } = &file.end {
            for _ in 0..*left {
                bytes.extend_from_slice(piece);
            }
        }
        bytes
    }

    #[test]
    fn a_file_has_the_ordered_size_and_the_small_ones_beginning() {
        const CLIP: &[u8] = b"\0\0\0\x10ftypisom\0\0\0\0";
        for mib in [1, 2, 7] {
            let file = video(CLIP, Some(mib));
            let bytes = whole(&file);
            assert_eq!((bytes.len() as u64, file.bytes), (u64::from(mib) << 20, u64::from(mib) << 20));
            assert!(bytes.starts_with(CLIP) && bytes[20..24] == *b"free");
            let length = u32::from_be_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]) as usize;
            assert_eq!(length, bytes.len() - CLIP.len(), "the box reaches to the end");
            assert_eq!(bytes, whole(&video(CLIP, Some(mib))));
        }
        let file = picture(CLIP, None);
        assert_eq!((whole(&file), file.bytes), (CLIP.to_vec(), CLIP.len() as u64));
        assert_eq!(whole(&picture(CLIP, Some(3))).len(), 3 << 20);
    }
}
