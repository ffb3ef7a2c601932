//! Does the prompt itself say what is to be answered?
//!
//! * `fixture:03` (the beginning of a name is enough): the bytes of that recording; then, in any order, `pieces=7`
//!   (pieces of so many bytes), `splits=394,396` (cut at these offsets), `cut=100` (connection cut after so many bytes),
//!   `end=100` (body ended after so many bytes), `gap_ms=5` (one piece per interval);
//! * `bench:chunks=200,bytes=5,gap_ms=20`: exactly that many token lines of that many bytes, with the text of
//!   [`bench_text`](crate::bench_text); `bench:wait` sends the first token and then nothing more (`chunks=` before it: so
//!   many);
//! * `say:` at the beginning of a line, and a text: that text and nothing else.

use std::time::Duration;

use crate::answer::bench::AnswerShape;

/// Most token lines and bytes of one answer that a prompt may ask for.
const MAX_CHUNKS: usize = 100_000;
const MAX_CHUNK_BYTES: usize = 65_536;
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// An order in the prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Directive<'a> {
    Fixture(FixtureOrder<'a>),
    Bench(BenchOrder),
    Say(&'a str),
}

/// Which recording, and how it is cut.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FixtureOrder<'a> {
    pub(crate) name: &'a str,
    pub(crate) pieces: Option<usize>,
    pub(crate) splits: Vec<usize>,
    pub(crate) cut: Option<usize>,
    pub(crate) end: Option<usize>,
    pub(crate) gap: Option<Duration>,
}

/// An answer of an exact shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BenchOrder {
    pub(crate) shape: AnswerShape,
    pub(crate) gap: Option<Duration>,
    pub(crate) wait: bool,
}

impl<'a> Directive<'a> {
    /// The first order in a prompt.
    pub(crate) fn find(prompt: &'a str) -> Option<Self> {
        if let Some(text) = prompt.strip_prefix("say:").or_else(|| Some(prompt.split_once("\nsay:")?.1)) {
            return Some(Self::Say(text.trim()));
        }
        if let Some((_, order)) = prompt.split_once("fixture:") {
            return Some(Self::Fixture(FixtureOrder::parse(order)));
        }
        let (_, order) = prompt.split_once("bench:")?;
        BenchOrder::parse(order).map(Self::Bench)
    }
}

impl<'a> FixtureOrder<'a> {
    fn parse(order: &'a str) -> Self {
        let mut words = order.split_whitespace();
        let mut parsed = Self { name: words.next().unwrap_or_default(), ..Self::default() };
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            let number = value.parse().ok();
            match name {
                "pieces" => parsed.pieces = number.filter(|bytes| *bytes > 0),
                "splits" => parsed.splits = value.split(',').filter_map(|at| at.parse().ok()).collect(),
                "cut" => parsed.cut = number,
                "end" => parsed.end = number,
                "gap_ms" => parsed.gap = value.parse().ok().map(Duration::from_millis),
                _ => {}
            }
        }
        parsed
    }
}

impl BenchOrder {
    /// `None` when this is no order, so that a sentence with the word "bench:" is answered like any other.
    fn parse(order: &str) -> Option<Self> {
        let order = order.split_whitespace().next()?;
        let mut parsed = Self { shape: AnswerShape { chunks: 0, chunk_bytes: 5 }, gap: None, wait: false };
        let mut chunks = None;
        for part in order.split(',') {
            match part.split_once('=') {
                Some(("chunks", value)) => chunks = Some(value.parse().ok()?),
                Some(("bytes", value)) => parsed.shape.chunk_bytes = value.parse().ok()?,
                Some(("gap_ms", value)) => parsed.gap = Some(Duration::from_millis(value.parse().ok()?)),
                None if part == "wait" => parsed.wait = true,
                Some(_) | None => return None,
            }
        }
        parsed.shape.chunks = chunks.unwrap_or(1);
        let AnswerShape { chunks, chunk_bytes } = parsed.shape;
        let possible = (1..=MAX_CHUNKS).contains(&chunks)
            && (1..=MAX_CHUNK_BYTES).contains(&chunk_bytes)
            && chunks * chunk_bytes <= MAX_ANSWER_BYTES;
        possible.then_some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bench_order_gives_shape_gap_and_waiting() {
        let Some(Directive::Bench(order)) = Directive::find("bench:chunks=200,bytes=5,gap_ms=20") else { panic!() };
        assert_eq!(order.shape, AnswerShape { chunks: 200, chunk_bytes: 5 });
        assert_eq!((order.gap, order.wait), (Some(Duration::from_millis(20)), false));
        let Some(Directive::Bench(order)) = Directive::find("please bench:wait now") else { panic!() };
        assert_eq!((order.shape.chunks, order.wait), (1, true));
    }

    #[test]
    fn orders_beyond_all_bounds_are_ordinary_text() {
        for prompt in ["bench:chunks=100000000", "bench:chunks=100000,bytes=65536", "bench:chunks=0", "a bench: sturdy"]
        {
            assert_eq!(Directive::find(prompt), None, "{prompt}");
        }
    }

    #[test]
    fn a_fixture_order_says_how_the_bytes_are_cut() {
        let Some(Directive::Fixture(order)) = Directive::find("fixture:15 splits=394,396 pieces=7 cut=9") else {
            panic!()
        };
        assert_eq!((order.name, order.pieces, order.cut, order.end), ("15", Some(7), Some(9), None));
        assert_eq!(order.splits, [394, 396]);
    }
}
