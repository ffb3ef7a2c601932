//! What bytes are, by their first ones: neither an ending nor a declared type is believed (M10).

use grok2api_entity::asset::Kind;

/// So many bytes are enough to tell.
pub(crate) const ENOUGH: usize = 64;

/// Types that may be kept and served: no HTML, no SVG, nothing that a browser would run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// `image/png`
    Png,
    /// `image/jpeg`
    Jpeg,
    /// `image/webp`
    Webp,
    /// `image/gif`
    Gif,
    /// `video/mp4`
    Mp4,
    /// `video/webm`
    Webm,
}

impl MediaType {
    /// The type of a file that begins with these bytes.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::Webp),
            [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => is_mp4_brand(brand).then_some(Self::Mp4),
            [0x1a, 0x45, 0xdf, 0xa3, rest @ ..] => {
                // The document type stands within the first elements of the head: 0x4282, its length 4, `webm`.
                let rest = &rest[..rest.len().min(ENOUGH)];
                rest.windows(7).any(|window| window == b"\x42\x82\x84webm").then_some(Self::Webm)
            }
            _ => None,
        }
    }

    /// Whether it may be an asset of that kind.
    pub fn fits(self, kind: Kind) -> bool {
        let is_video = matches!(self, Self::Mp4 | Self::Webm);
        is_video == (kind == Kind::Video)
    }

    /// The value of a `Content-Type` header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Gif => "image/gif",
            Self::Mp4 => "video/mp4",
            Self::Webm => "video/webm",
        }
    }
}

/// Brands of files that are MP4 videos; still pictures (`avif`, `heic`, `mif1`) use the same box.
fn is_mp4_brand(brand: &[u8]) -> bool {
    let Some(brand) = brand.get(..4) else { return false };
    matches!(brand, [b'i', b's', b'o', b'm' | b'2'..=b'9'])
        || [b"mp41", b"mp42", b"avc1", b"M4V ", b"M4VH", b"M4VP", b"MSNV", b"dash", b"mp71", b"hvc1", b"av01"]
            .iter()
            .any(|known| known.as_slice() == brand)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m10_types_are_told_by_their_first_bytes() {
        let known: [(&[u8], MediaType); 8] = [
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", MediaType::Png),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", MediaType::Jpeg),
            (b"GIF89a\x01\0", MediaType::Gif),
            (b"GIF87a\x01\0", MediaType::Gif),
            (b"RIFF\x24\0\0\0WEBPVP8 ", MediaType::Webp),
            (b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41", MediaType::Mp4),
            (b"\0\0\0\x18ftypmp42\0\0\0\0", MediaType::Mp4),
            (
                b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08\x42\x82\x84webm",
                MediaType::Webm,
            ),
        ];
        for (head, expected) in known {
            assert_eq!(MediaType::of(head), Some(expected), "{head:?}");
        }
    }

    #[test]
    fn m10_everything_else_is_refused() {
        let refused: [&[u8]; 11] = [
            b"",
            b"\xff\xd8",
            b"<!doctype html><script>",
            b"<svg xmlns='http://www.w3.org/2000/svg'>",
            b"%PDF-1.7",
            b"\0\0\0\x18ftypavif\0\0\0\0",
            b"\0\0\0\x18ftypheic\0\0\0\0",
            b"\0\0\0\x18ftyp",
            b"RIFF\x04\0\0\0WAVE",
            b"\x1a\x45\xdf\xa3\x9f\x42\x82\x88matroska",
            b" GIF89a",
        ];
        for head in refused {
            assert_eq!(MediaType::of(head), None, "{head:?}");
        }
        assert!(MediaType::Mp4.fits(Kind::Video) && !MediaType::Mp4.fits(Kind::Image));
        assert!(MediaType::Png.fits(Kind::Preview) && MediaType::Gif.fits(Kind::Input));
    }
}
