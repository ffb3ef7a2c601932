//! A whole answer in the wire format, made once and shared by every stream that sends it.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

/// Lines that are slices of one buffer.
#[derive(Debug, Clone)]
pub(crate) struct Rendered {
    whole: Bytes,
    lines: Arc<[Bytes]>,
    paced: Range<usize>,
    stretch: u32,
}

impl Rendered {
    /// `ends`: where each line ends in the buffer. `paced`: the lines that come one interval apart.
    pub(crate) fn new(buffer: Vec<u8>, ends: &[usize], paced: Range<usize>, stretch: u32) -> Self {
        let whole = Bytes::from(buffer);
        let mut begin = 0;
        let lines = ends
            .iter()
            .map(|end| {
                let line = whole.slice(begin..*end);
                begin = *end;
                line
            })
            .collect();
        Self { whole, lines, paced, stretch }
    }

    pub(crate) fn lines(&self) -> &Arc<[Bytes]> {
        &self.lines
    }

    /// All lines in one piece.
    pub(crate) fn whole(&self) -> &Bytes {
        &self.whole
    }

    pub(crate) fn paced(&self) -> &Range<usize> {
        &self.paced
    }

    /// How many intervals lie between two paced lines.
    pub(crate) fn stretch(&self) -> u32 {
        self.stretch
    }
}
