//! Which recordings of the wire format are there, and how are they cut into pieces?

use bytes::Bytes;

/// Recordings by name, embedded from the test suite.
macro_rules! recordings {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../../tests/fixtures/", $name, ".ndjson")))),+]
    };
}

const RECORDINGS: &[(&str, &[u8])] = recordings![
    "01-plain-answer",
    "02-thinking-then-answer",
    "03-web-search-cards",
    "04-image-generation",
    "05-image-moderated-partial",
    "06-image-moderated-all",
    "07-video-progress",
    "08-video-moderated",
    "09-error-mid-stream",
    "10-error-first-line",
    "11-list-token",
    "12-filtered-tags",
    "13-cjk-emoji",
    "14-very-long-line",
    "15-split-utf8",
    "16-cut-stream",
    "17-empty-stream",
    "18-heavy-mode",
    "19-malformed-line",
    "20-later-framing",
    "21-side-by-side",
    "22-model-response-error",
    "23-image-edit",
    "24-model-response-only",
    "25-stream-error-object",
    "26-thinking-only",
];

/// There is no recording whose name begins so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the simulator has no recording \"{0}\"")]
pub struct UnknownFixture(
    /// The name asked for.
    pub String,
);

/// The bytes of a recording. The beginning of its name is enough.
///
/// # Errors
/// There is no recording whose name begins so.
pub fn fixture(name: &str) -> Result<&'static [u8], UnknownFixture> {
    let found = RECORDINGS.iter().find(|(known, _)| !name.is_empty() && known.starts_with(name));
    found.map(|(_, bytes)| *bytes).ok_or_else(|| UnknownFixture(name.to_owned()))
}

/// The names of all recordings.
pub fn fixture_names() -> impl Iterator<Item = &'static str> {
    RECORDINGS.iter().map(|(name, _)| *name)
}

/// A recording line by line, with the line ends.
pub(crate) fn lines(bytes: &'static [u8]) -> Vec<Bytes> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(Bytes::from_static).collect()
}

/// A body in pieces of so many bytes, the last one shorter.
pub(crate) fn pieces(whole: &Bytes, bytes: usize) -> Vec<Bytes> {
    let bytes = bytes.max(1);
    (0..whole.len()).step_by(bytes).map(|at| whole.slice(at..whole.len().min(at + bytes))).collect()
}

/// A body cut at these offsets; what is no offset inside it is ignored.
pub(crate) fn splits(whole: &Bytes, at: &[usize]) -> Vec<Bytes> {
    let mut cuts: Vec<usize> = at.iter().copied().filter(|cut| (1..whole.len()).contains(cut)).collect();
    cuts.sort_unstable();
    cuts.dedup();
    cuts.push(whole.len());
    let mut begin = 0;
    let parts = cuts.iter().map(|cut| whole.slice(std::mem::replace(&mut begin, *cut)..*cut));
    parts.filter(|part| !part.is_empty()).collect()
}

/// Keeps only the first bytes.
pub(crate) fn truncate(pieces: &mut Vec<Bytes>, bytes: usize) {
    let mut left = bytes;
    for piece in &mut *pieces {
        piece.truncate(left);
        left -= piece.len();
    }
    pieces.retain(|piece| !piece.is_empty());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_name_finds_a_recording() {
        assert_eq!(fixture("03"), fixture("03-web-search-cards"));
        assert!(fixture("99").is_err() && fixture("").is_err());
        assert_eq!(fixture_names().count(), 26);
    }

    #[test]
    fn pieces_splits_and_lines_make_up_the_whole() {
        let bytes = fixture("15").unwrap_or_default();
        let whole = Bytes::from_static(bytes);
        for parts in [pieces(&whole, 7), splits(&whole, &[394, 396, 394, 0, 1_000_000]), lines(bytes)] {
            assert_eq!(parts.concat(), bytes);
        }
        assert_eq!(splits(&whole, &[394, 396])[1].len(), 2);
        let mut cut = pieces(&whole, 100);
        truncate(&mut cut, 250);
        assert_eq!(cut.concat(), bytes[..250]);
    }
}
