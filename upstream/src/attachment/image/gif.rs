//! GIF: a screen, then blocks of sub-blocks (the 1989 specification, §17–§27).

use super::reader::Reader;
use super::{ImageFault, check_sides, count_frame};

/// Returns where the picture ends.
pub(super) fn walk(bytes: &[u8]) -> Result<usize, ImageFault> {
    let mut reader = Reader::new(bytes);
    reader.take(6)?;
    check_sides(u32::from(reader.u16_le()?), u32::from(reader.u16_le()?))?;
    let flags = reader.byte()?;
    reader.take(2)?;
    skip_color_table(&mut reader, flags)?;
    let mut frames = 0;
    loop {
        match reader.byte()? {
            // Extension: a label, then data.
            0x21 => {
                reader.byte()?;
                skip_sub_blocks(&mut reader)?;
            }
            // Image: place, size, flags, colours, code size, data.
            0x2c => {
                count_frame(&mut frames)?;
                let (left, top) = (u32::from(reader.u16_le()?), u32::from(reader.u16_le()?));
                let (width, height) = (u32::from(reader.u16_le()?), u32::from(reader.u16_le()?));
                check_sides(width, height)?;
                check_sides(left + width, top + height)?;
                let flags = reader.byte()?;
                skip_color_table(&mut reader, flags)?;
                reader.byte()?;
                skip_sub_blocks(&mut reader)?;
            }
            // Trailer.
            0x3b if frames > 0 => return Ok(reader.position()),
            _ => return Err(ImageFault::Damaged),
        }
    }
}

fn skip_color_table(reader: &mut Reader<'_>, flags: u8) -> Result<(), ImageFault> {
    if flags & 0x80 != 0 {
        reader.take(3 << ((flags & 0x07) + 1))?;
    }
    Ok(())
}

fn skip_sub_blocks(reader: &mut Reader<'_>) -> Result<(), ImageFault> {
    loop {
        match reader.byte()? {
            0 => return Ok(()),
            length => reader.take(usize::from(length))?,
        };
    }
}
