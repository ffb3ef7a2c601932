//! Small pictures for tests, put together by hand; structure and sizes are real, the pixels are not.

use bytes::Bytes;

fn png_chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], kind, data, &[0; 4]].concat()
}

fn ihdr(width: u32, height: u32) -> Vec<u8> {
    png_chunk(b"IHDR", &[&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 6, 0, 0, 0]].concat())
}

/// A PNG with this many `fcTL` chunks: none makes it a plain one.
pub(crate) fn png_with_frames(width: u32, height: u32, frames: usize) -> Bytes {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    file.extend(ihdr(width, height));
    for _ in 0..frames {
        let control = [&[0; 4][..], &width.to_be_bytes(), &height.to_be_bytes(), &[0; 14]].concat();
        file.extend(png_chunk(b"fcTL", &control));
    }
    file.extend(png_chunk(b"IDAT", &[0x78, 0x9c, 1, 2, 3]));
    file.extend(png_chunk(b"IEND", b""));
    file.into()
}

pub(crate) fn png(width: u32, height: u32) -> Bytes {
    png_with_frames(width, height, 0)
}

/// A PNG of at least this many bytes.
pub(crate) fn png_of_bytes(size: usize) -> Bytes {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    file.extend(ihdr(64, 64));
    file.extend(png_chunk(b"IDAT", &vec![7; size]));
    file.extend(png_chunk(b"IEND", b""));
    file.into()
}

pub(crate) fn jpeg(width: u16, height: u16) -> Bytes {
    let (w, h) = (width.to_be_bytes(), height.to_be_bytes());
    let mut file = vec![0xff, 0xd8, 0xff, 0xe0, 0, 6, b'J', b'F', b'I', b'F'];
    file.extend([0xff, 0xc0, 0, 11, 8, h[0], h[1], w[0], w[1], 1, 1, 0x11, 0]);
    file.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
    file.extend([0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56, 0xff, 0xff, 0xd9]);
    file.into()
}

pub(crate) fn gif(width: u16, height: u16, frames: usize) -> Bytes {
    let (w, h) = (width.to_le_bytes(), height.to_le_bytes());
    let mut file = b"GIF89a".to_vec();
    file.extend([w[0], w[1], h[0], h[1], 0x80, 0, 0, 0, 0, 0, 255, 255, 255]);
    file.extend(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00");
    for _ in 0..frames {
        file.extend([0x21, 0xf9, 4, 0, 10, 0, 0, 0]);
        file.extend([0x2c, 0, 0, 0, 0, w[0], w[1], h[0], h[1], 0, 2, 2, 0x4c, 1, 0]);
    }
    file.push(0x3b);
    file.into()
}

fn riff_chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let padding = if data.len() % 2 == 1 { &[0][..] } else { &[] };
    [kind, &length.to_le_bytes(), data, padding].concat()
}

fn riff(body: &[u8]) -> Bytes {
    riff_chunk(b"RIFF", &[b"WEBP", body].concat()).into()
}

fn vp8l(width: u32, height: u32) -> Vec<u8> {
    let bits = (width - 1) | ((height - 1) << 14);
    riff_chunk(b"VP8L", &[&[0x2f][..], &bits.to_le_bytes()].concat())
}

pub(crate) fn webp_lossless(width: u32, height: u32) -> Bytes {
    riff(&vp8l(width, height))
}

pub(crate) fn webp_lossy(width: u16, height: u16) -> Bytes {
    let data = [&[0x30, 1, 0, 0x9d, 0x01, 0x2a][..], &width.to_le_bytes(), &height.to_le_bytes(), &[0; 4]].concat();
    riff(&riff_chunk(b"VP8 ", &data))
}

pub(crate) fn webp_animated(width: u32, height: u32, frames: usize) -> Bytes {
    let (w, h) = ((width - 1).to_le_bytes(), (height - 1).to_le_bytes());
    let mut body = riff_chunk(b"VP8X", &[&[2, 0, 0, 0][..], &w[..3], &h[..3]].concat());
    body.extend(riff_chunk(b"ANIM", &[0; 6]));
    for _ in 0..frames {
        let head = [&[0; 6][..], &w[..3], &h[..3], &[100, 0, 0, 0]].concat();
        body.extend(riff_chunk(b"ANMF", &[head, vp8l(width, height)].concat()));
    }
    riff(&body)
}
