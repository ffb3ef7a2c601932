//! PNG and APNG: chunks of length, type, data and checksum (PNG third edition, §5 and §11).

use super::reader::{Reader, index};
use super::{ImageFault, check_sides, count_frame};

/// Longest chunk that the format allows.
const MAX_CHUNK_BYTES: u32 = 0x7fff_ffff;

/// Returns where the picture ends.
pub(super) fn walk(bytes: &[u8]) -> Result<usize, ImageFault> {
    let mut reader = Reader::new(bytes);
    reader.take(8)?;
    let (mut frames, mut first, mut has_data) = (0, true, false);
    loop {
        let length = reader.u32_be()?;
        let kind: [u8; 4] = reader.array()?;
        if length > MAX_CHUNK_BYTES || !kind.iter().all(u8::is_ascii_alphabetic) || first != (&kind == b"IHDR") {
            return Err(ImageFault::Damaged);
        }
        first = false;
        let mut data = Reader::new(reader.take(index(length)?)?);
        reader.take(4)?;
        match &kind {
            b"IHDR" => check_sides(data.u32_be()?, data.u32_be()?)?,
            b"fcTL" => {
                data.take(4)?;
                check_sides(data.u32_be()?, data.u32_be()?)?;
                count_frame(&mut frames)?;
            }
            b"IDAT" => has_data = true,
            b"IEND" if has_data => return Ok(reader.position()),
            b"IEND" => return Err(ImageFault::Damaged),
            _ => {}
        }
    }
}
