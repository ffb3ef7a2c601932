//! Does the prompt say how the pictures or the video are to come?
//!
//! `media:steps=5,gap_ms=50,head_ms=100,mib=3,files=2,withheld=1,stall`, each part optional and in any order:
//!
//! * `steps`: lines of progress before a video, 1 to 90 (7);
//! * `gap_ms`: pause between lines of progress, frames and pieces of text;
//! * `head_ms`: the call is accepted at once, but its head comes late;
//! * `mib`: size of each file, 1 to 4095;
//! * `files`: pictures (0 to 4) or videos (0 or 1) that there will be;
//! * `withheld`: how many of them are moderated;
//! * `stall`: after the last line of progress there comes nothing more.

use std::time::Duration;

/// Largest file, in MiB: what the length of a box in a video can say.
const MAX_MIB: u16 = 4095;
const MAX_STEPS: usize = 90;

/// An order for pictures or a video.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MediaOrder {
    pub(crate) steps: Option<usize>,
    pub(crate) gap: Option<Duration>,
    pub(crate) head_delay: Duration,
    pub(crate) mib: Option<u16>,
    pub(crate) files: Option<usize>,
    pub(crate) withheld: usize,
    pub(crate) stall: bool,
}

impl MediaOrder {
    /// The order in a prompt; without one, or when a part of it is none, everything is as usual.
    pub(crate) fn of(prompt: &str) -> Self {
        let order = prompt.split_once("media:").and_then(|(_, order)| order.split_whitespace().next());
        order.and_then(Self::parse).unwrap_or_default()
    }

    fn parse(order: &str) -> Option<Self> {
        let mut parsed = Self::default();
        for part in order.split(',') {
            match part.split_once('=') {
                Some(("steps", value)) => {
                    parsed.steps = Some(value.parse().ok().filter(|steps| (1..=MAX_STEPS).contains(steps))?);
                }
                Some(("gap_ms", value)) => parsed.gap = Some(Duration::from_millis(value.parse().ok()?)),
                Some(("head_ms", value)) => parsed.head_delay = Duration::from_millis(value.parse().ok()?),
                Some(("mib", value)) => {
                    parsed.mib = Some(value.parse().ok().filter(|mib| (1..=MAX_MIB).contains(mib))?);
                }
                Some(("files", value)) => parsed.files = Some(value.parse().ok().filter(|files| *files <= 4)?),
                Some(("withheld", value)) => parsed.withheld = value.parse().ok()?,
                None if part == "stall" => parsed.stall = true,
                Some(_) | None => return None,
            }
        }
        Some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_stands_anywhere_in_the_prompt() {
        let order =
            MediaOrder::of("Generate an image: a kite media:steps=5,gap_ms=50,head_ms=9,mib=3,files=2 [[id=7]]");
        assert_eq!((order.steps, order.gap, order.mib), (Some(5), Some(Duration::from_millis(50)), Some(3)));
        assert_eq!((order.head_delay, order.files, order.stall), (Duration::from_millis(9), Some(2), false));
        let order = MediaOrder::of("media:withheld=1,stall");
        assert_eq!((order.withheld, order.stall), (1, true));
    }

    #[test]
    fn what_is_no_order_changes_nothing() {
        for prompt in ["a kite", "media: none", "media:steps=0", "media:mib=4096", "media:files=5", "media:fast"] {
            assert_eq!(MediaOrder::of(prompt), MediaOrder::default(), "{prompt}");
        }
    }
}
