//! A cursor over untrusted bytes: every step is checked, running out is [`ImageFault::Damaged`].

use super::ImageFault;

pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes have been read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], ImageFault> {
        let end = self.at.checked_add(count).ok_or(ImageFault::Damaged)?;
        let taken = self.bytes.get(self.at..end).ok_or(ImageFault::Damaged)?;
        self.at = end;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ImageFault> {
        self.take(N)?.try_into().map_err(|_| ImageFault::Damaged)
    }

    pub(super) fn byte(&mut self) -> Result<u8, ImageFault> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16_be(&mut self) -> Result<u16, ImageFault> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32_be(&mut self) -> Result<u32, ImageFault> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u16_le(&mut self) -> Result<u16, ImageFault> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u24_le(&mut self) -> Result<u32, ImageFault> {
        self.array().map(|[a, b, c]: [u8; 3]| u32::from_le_bytes([a, b, c, 0]))
    }

    pub(super) fn u32_le(&mut self) -> Result<u32, ImageFault> {
        self.array().map(u32::from_le_bytes)
    }
}

/// A length from a file as an index; on a 32-bit host it may not fit.
pub(super) fn index(length: u32) -> Result<usize, ImageFault> {
    usize::try_from(length).map_err(|_| ImageFault::Damaged)
}
