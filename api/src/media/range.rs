//! Which bytes a request asks for (RFC 9110 §14).

use std::ops::Range;

/// What a `Range` header means for a file of a certain length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it: no range, one that is no valid range of bytes, or several (M16).
    All,
    /// These bytes, at least one, all within the file.
    Part(Range<u64>),
    /// None of the bytes asked for exist.
    Nothing,
}

/// Reads a `Range` header.
pub(super) fn wanted(header: Option<&str>, length: u64) -> Wanted {
    let Some(spec) = header.and_then(|header| header.trim().split_once('=')) else { return Wanted::All };
    if !spec.0.trim().eq_ignore_ascii_case("bytes") {
        return Wanted::All;
    }
    let Some((first, last)) = spec.1.trim().split_once('-') else { return Wanted::All };
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(length),
        (Some(first), None) if last.trim().is_empty() => first..length,
        (None, Some(suffix)) if first.trim().is_empty() => length.saturating_sub(suffix)..length,
        _ => return Wanted::All,
    };
    if range.is_empty() { Wanted::Nothing } else { Wanted::Part(range) }
}

/// Decimal digits alone; numbers too large to count mean the largest one.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        for (header, expected) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=0-99", Wanted::Part(0..100)),
            ("bytes=10-19", Wanted::Part(10..20)),
            ("bytes=90-1000", Wanted::Part(90..100)),
            ("bytes=90-99999999999999999999999", Wanted::Part(90..100)),
            ("bytes=99-", Wanted::Part(99..100)),
            ("bytes=-1", Wanted::Part(99..100)),
            ("bytes=-1000", Wanted::Part(0..100)),
            ("Bytes = 5 - 6 ", Wanted::Part(5..7)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=100-200", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=0-1,5-6", Wanted::All),
            ("bytes=6-5", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=+1-2", Wanted::All),
            ("bytes", Wanted::All),
            ("lines=0-1", Wanted::All),
            ("", Wanted::All),
        ] {
            assert_eq!(wanted(Some(header), 100), expected, "{header:?}");
        }
        assert_eq!(wanted(None, 100), Wanted::All);
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Nothing);
    }

    proptest! {
        #[test]
        fn a_part_is_never_empty_and_never_reaches_beyond_the_file(header in "bytes ?= ?[0-9]{0,21}-[0-9]{0,21}", length: u64) {
            if let Wanted::Part(range) = wanted(Some(&header), length) {
                prop_assert!(range.start < range.end && range.end <= length);
            }
        }

        #[test]
        fn a_range_within_the_file_is_taken_as_it_is(first in 0_u64..5000, more in 0_u64..5000, length in 10_000_u64..1 << 60) {
            let header = format!("bytes={first}-{}", first + more);
            prop_assert_eq!(wanted(Some(&header), length), Wanted::Part(first..first + more + 1));
        }

        #[test]
        fn no_text_confuses_it(header in ".{0,60}", length: u64) {
            if let Wanted::Part(range) = wanted(Some(&header), length) {
                prop_assert!(range.start < range.end && range.end <= length);
            }
        }
    }
}
