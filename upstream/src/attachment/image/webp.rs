//! WebP: chunks in a RIFF container (RFC 9649, §2).

use super::reader::{Reader, index};
use super::{ImageFault, check_sides, count_frame};

/// Returns where the picture ends.
pub(super) fn walk(bytes: &[u8]) -> Result<usize, ImageFault> {
    let mut reader = Reader::new(bytes);
    reader.take(4)?;
    let size = index(reader.u32_le()?)?;
    let mut body = Reader::new(reader.take(size)?);
    body.take(4)?;
    let (mut frames, mut has_picture, mut extended) = (0, false, false);
    while !body.rest().is_empty() {
        let (kind, mut data) = chunk(&mut body)?;
        match &kind {
            b"VP8X" if !extended && !has_picture => {
                data.take(4)?;
                check_sides(data.u24_le()? + 1, data.u24_le()? + 1)?;
                extended = true;
            }
            b"VP8 " | b"VP8L" if !has_picture => {
                check_bitstream(kind, &mut data)?;
                has_picture = true;
            }
            b"ANMF" if extended => {
                count_frame(&mut frames)?;
                check_frame(&mut data)?;
                has_picture = true;
            }
            b"VP8X" | b"VP8 " | b"VP8L" | b"ANMF" => return Err(ImageFault::Damaged),
            // Without the extended header a single bitstream is all there may be.
            _ if !extended => return Err(ImageFault::Damaged),
            _ => {}
        }
    }
    if has_picture { Ok(reader.position()) } else { Err(ImageFault::Damaged) }
}

/// Type and data of the next chunk; data of odd length are padded.
fn chunk<'a>(reader: &mut Reader<'a>) -> Result<([u8; 4], Reader<'a>), ImageFault> {
    let kind = reader.array()?;
    let length = index(reader.u32_le()?)?;
    let data = reader.take(length)?;
    if length % 2 == 1 {
        reader.take(1)?;
    }
    Ok((kind, Reader::new(data)))
}

/// One frame of an animation: place, size, time, flags, then chunks of its own.
fn check_frame(data: &mut Reader<'_>) -> Result<(), ImageFault> {
    let (left, top) = (data.u24_le()? * 2, data.u24_le()? * 2);
    let (width, height) = (data.u24_le()? + 1, data.u24_le()? + 1);
    check_sides(left + width, top + height)?;
    data.take(4)?;
    let mut has_picture = false;
    while !data.rest().is_empty() {
        let (kind, mut inner) = chunk(data)?;
        if matches!(&kind, b"VP8 " | b"VP8L") {
            check_bitstream(kind, &mut inner)?;
            has_picture = true;
        }
    }
    if has_picture { Ok(()) } else { Err(ImageFault::Damaged) }
}

/// Sides as the lossy (RFC 6386, §9.1) or the lossless (RFC 9649, §3.4) bitstream gives them.
fn check_bitstream(kind: [u8; 4], data: &mut Reader<'_>) -> Result<(), ImageFault> {
    if &kind == b"VP8L" {
        if data.byte()? != 0x2f {
            return Err(ImageFault::Damaged);
        }
        let bits = data.u32_le()?;
        return check_sides((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1);
    }
    data.take(3)?;
    if data.array()? != [0x9d, 0x01, 0x2a] {
        return Err(ImageFault::Damaged);
    }
    let (width, height) = (data.u16_le()?, data.u16_le()?);
    check_sides(u32::from(width & 0x3fff), u32::from(height & 0x3fff))
}
