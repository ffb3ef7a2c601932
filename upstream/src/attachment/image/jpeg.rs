//! JPEG: segments between markers, then entropy-coded scans (ITU-T T.81, annex B).

use memchr::memchr;

use super::reader::Reader;
use super::{ImageFault, check_sides};

/// Returns where the picture ends.
pub(super) fn walk(bytes: &[u8]) -> Result<usize, ImageFault> {
    let mut reader = Reader::new(bytes);
    reader.take(2)?;
    let (mut has_frame, mut has_scan) = (false, false);
    loop {
        match next_marker(&mut reader)? {
            // End of image.
            0xd9 if has_scan => return Ok(reader.position()),
            // Start of frame, in all its kinds; 0xc4, 0xc8 and 0xcc are tables and an extension.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let mut segment = Reader::new(segment(&mut reader)?);
                segment.byte()?;
                let height = u32::from(segment.u16_be()?);
                check_sides(u32::from(segment.u16_be()?), height)?;
                has_frame = true;
            }
            // Start of scan.
            0xda if has_frame => {
                segment(&mut reader)?;
                skip_scan(&mut reader)?;
                has_scan = true;
            }
            // Stand-alone markers where none may be, a second beginning, a scan without a frame.
            0x00..=0x01 | 0xd0..=0xda => return Err(ImageFault::Damaged),
            _ => {
                segment(&mut reader)?;
            }
        }
    }
}

/// Reads `0xff`, as many fill bytes as there are, and the marker's code.
fn next_marker(reader: &mut Reader<'_>) -> Result<u8, ImageFault> {
    if reader.byte()? != 0xff {
        return Err(ImageFault::Damaged);
    }
    loop {
        match reader.byte()? {
            0xff => {}
            code => return Ok(code),
        }
    }
}

/// Reads a segment whose length counts its own two bytes.
fn segment<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], ImageFault> {
    let length = usize::from(reader.u16_be()?);
    reader.take(length.checked_sub(2).ok_or(ImageFault::Damaged)?)
}

/// Goes to the next marker that ends the scan: stuffed zeros and restart marks belong to it.
fn skip_scan(reader: &mut Reader<'_>) -> Result<(), ImageFault> {
    loop {
        let rest = reader.rest();
        let at = memchr(0xff, rest).ok_or(ImageFault::Damaged)?;
        match rest.get(at + 1) {
            Some(0x00 | 0xd0..=0xd7) => reader.take(at + 2)?,
            Some(0xff) => reader.take(at + 1)?,
            Some(_) => {
                reader.take(at)?;
                return Ok(());
            }
            None => return Err(ImageFault::Damaged),
        };
    }
}
