//! What a picture says about itself, read from its structure alone: nothing is ever decoded (M10, M11).

mod gif;
mod jpeg;
mod png;
mod reader;
mod webp;

use bytes::Bytes;
use memchr::{memchr_iter, memmem};

/// Longest side of a picture or of one of its frames, in pixels.
const MAX_SIDE: u32 = 8192;

/// Largest picture, in pixels.
const MAX_PIXELS: u64 = 40_000_000;

/// Most frames of an animation.
const MAX_FRAMES: u32 = 100;

/// Markup that turns a picture into a page or a program for whoever reads it so. Compared without regard to case.
const ACTIVE_CONTENT: [&[u8]; 7] = [b"<script", b"<html", b"<svg", b"<!doctype", b"<iframe", b"<?php", b"<body"];

/// Beginnings of other file formats that are known to be hung onto pictures.
const FOREIGN_FORMATS: [&[u8]; 6] =
    [b"PK\x03\x04", b"PK\x05\x06", b"%PDF-", b"Rar!\x1a", b"7z\xbc\xaf\x27\x1c", b"\x7fELF"];

/// A picture format that we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageFormat {
    /// PNG, animated or not.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP, animated or not.
    Webp,
    /// GIF.
    Gif,
}

/// Why bytes are not taken as a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImageFault {
    /// The signature of none of the four formats.
    #[error("not a PNG, JPEG, WebP or GIF picture")]
    UnknownFormat,
    /// The declared type and the signature disagree.
    #[error("its content is not of the declared type")]
    WrongType,
    /// The declared type is not one of the four.
    #[error("its type is not image/png, image/jpeg, image/webp or image/gif")]
    TypeNotTaken,
    /// The base64 text is not canonical.
    #[error("its base64 text is not valid")]
    Base64,
    /// The structure is broken or ends early.
    #[error("the picture is damaged or incomplete")]
    Damaged,
    /// It can be read as something else too.
    #[error("the picture carries a document, a program or an archive")]
    Mixed,
    /// A side, the area or the number of frames is beyond the limits.
    #[error(
        "the picture is larger than {MAX_SIDE} pixels a side or 40 megapixels, or has more than {MAX_FRAMES} frames"
    )]
    TooLarge,
}

/// A picture that has passed every check, with anything behind its end cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckedImage {
    pub(crate) format: ImageFormat,
    pub(crate) bytes: Bytes,
}

impl ImageFormat {
    /// The MIME type.
    pub fn mime_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Gif => "image/gif",
        }
    }

    /// The name under which such a picture goes upstream.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Png => "image.png",
            Self::Jpeg => "image.jpeg",
            Self::Webp => "image.webp",
            Self::Gif => "image.gif",
        }
    }

    /// The format with this MIME type, in any case; `image/jpg` is a common slip.
    pub fn from_mime_type(text: &str) -> Option<Self> {
        let known = [Self::Png, Self::Jpeg, Self::Webp, Self::Gif];
        let found = known.into_iter().find(|format| format.mime_type().eq_ignore_ascii_case(text));
        found.or_else(|| text.eq_ignore_ascii_case("image/jpg").then_some(Self::Jpeg))
    }

    /// The format whose signature the bytes begin with.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::Webp),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            _ => None,
        }
    }
}

/// Walks through the picture's structure and checks sizes, frames and what hangs behind it.
///
/// Linear in the length; a picture of many megabytes belongs on a blocking thread.
pub(crate) fn check(bytes: &Bytes) -> Result<CheckedImage, ImageFault> {
    let format = ImageFormat::sniff(bytes).ok_or(ImageFault::UnknownFormat)?;
    let end = match format {
        ImageFormat::Png => png::walk(bytes),
        ImageFormat::Jpeg => jpeg::walk(bytes),
        ImageFormat::Webp => webp::walk(bytes),
        ImageFormat::Gif => gif::walk(bytes),
    }?;
    // Phones append videos and second pictures: harmless once cut off. Archives and documents are no accident.
    let (_, behind) = bytes.split_at_checked(end).ok_or(ImageFault::Damaged)?;
    if FOREIGN_FORMATS.iter().any(|sign| memmem::find(behind, sign).is_some()) || has_active_content(bytes) {
        return Err(ImageFault::Mixed);
    }
    Ok(CheckedImage { format, bytes: bytes.slice(..end) })
}

/// Whether markup that browsers or servers would run stands anywhere, also in the picture's own comments.
fn has_active_content(bytes: &[u8]) -> bool {
    memchr_iter(b'<', bytes).any(|at| {
        let rest = &bytes[at..];
        ACTIVE_CONTENT.iter().any(|mark| rest.get(..mark.len()).is_some_and(|text| text.eq_ignore_ascii_case(mark)))
    })
}

/// Checks one pair of sides.
fn check_sides(width: u32, height: u32) -> Result<(), ImageFault> {
    if width == 0 || height == 0 {
        return Err(ImageFault::Damaged);
    }
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(ImageFault::TooLarge);
    }
    Ok(())
}

/// Counts one more frame.
fn count_frame(frames: &mut u32) -> Result<(), ImageFault> {
    *frames += 1;
    if *frames > MAX_FRAMES { Err(ImageFault::TooLarge) } else { Ok(()) }
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
