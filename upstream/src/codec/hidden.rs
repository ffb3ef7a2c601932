//! Elements of the model's markup that a reader must not see (rule R10).

use memchr::memchr;

/// Names a filter can tell apart.
const MAX_NAMES: usize = 64;
/// Bytes of one element that are held back; a longer one is given out as text.
const MAX_HELD_BYTES: usize = 64 * 1024;

/// The one element whose body stays.
const UNWRAPPED: &str = "xaiartifact";
/// Elements that are hidden whatever the setting says.
const ALWAYS_REMOVED: [&str; 2] = ["xai:tool_usage_card", "grok:render"];

/// Names of the elements to hide. Made once and shared by all streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiddenElements {
    /// In lower case; the first is [`UNWRAPPED`], all others are removed with their body.
    names: Vec<Box<str>>,
}

impl HiddenElements {
    /// Reads the setting `filtered_tags`: names separated by commas, added to the three that are always hidden.
    ///
    /// Case and the space around a name do not matter. Names that can stand in no tag are passed over, as are those after the 64th.
    pub fn parse(setting: &str) -> Self {
        let mut names: Vec<Box<str>> = vec![UNWRAPPED.into()];
        let added = setting.split(',').map(|name| name.trim().to_ascii_lowercase());
        for name in ALWAYS_REMOVED.iter().map(|&name| name.to_owned()).chain(added) {
            let usable = !name.is_empty() && !name.bytes().any(|byte| byte == b'<' || ends_name(byte));
            if usable && names.len() < MAX_NAMES && names.iter().all(|known| **known != *name) {
                names.push(name.into());
            }
        }
        Self { names }
    }

    /// Every name, as a set of bits.
    fn all(&self) -> u64 {
        u64::MAX >> (MAX_NAMES - self.names.len())
    }

    /// Those of `among` that go on with `byte` after their first `matched` bytes.
    fn narrow(&self, among: u64, matched: usize, byte: u8) -> u64 {
        let byte = byte.to_ascii_lowercase();
        bits(among).filter(|&name| self.names[name].as_bytes().get(matched) == Some(&byte)).map(|name| 1 << name).sum()
    }

    /// The one of `among` that ends after `matched` bytes.
    fn complete(&self, among: u64, matched: usize) -> Option<usize> {
        bits(among).find(|&name| self.names[name].len() == matched)
    }
}

impl Default for HiddenElements {
    fn default() -> Self {
        Self::parse("")
    }
}

fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (set != 0).then_some(set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(lowest)
    })
}

fn ends_name(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b'/' || byte == b'>'
}

/// Takes hidden elements out of one channel's text, whatever the pieces in which it comes.
#[derive(Debug, Default)]
pub(super) struct Filter {
    state: State,
    /// The element being removed.
    inside: Option<Inside>,
    /// Earlier pieces of what is undecided or being removed.
    held: String,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    /// In ordinary text.
    #[default]
    Text,
    /// After a `<` that could begin a tag we know.
    Name { closing: bool, matched: usize, fitting: u64 },
    /// In a tag that we know, up to its `>`.
    Tag { tag: Tag, last: u8, quote: Option<u8> },
    /// In the body of an element that is being removed.
    Body,
}

#[derive(Debug, Clone, Copy)]
enum Tag {
    /// Goes alone; what follows is text.
    Unwrapped,
    /// Begins an element to remove, or one of the same name within it.
    Opening { name: usize },
    /// Ends such an element.
    Closing,
}

#[derive(Debug, Clone, Copy)]
struct Inside {
    name: usize,
    depth: u32,
}

/// What one byte means for the undecided run it stands in.
enum Verdict {
    /// The byte belongs to it.
    GoesOn,
    /// Look at the byte again: the state has changed before it.
    Again,
    /// All before this byte is text.
    WasText,
    /// All up to and with this byte is removed.
    Gone,
}

impl Filter {
    /// Passes on what of `input` is known to be text.
    pub(super) fn push(&mut self, elements: &HiddenElements, input: &str, mut emit: impl FnMut(&str)) {
        if matches!(self.state, State::Text) && memchr(b'<', input.as_bytes()).is_none() {
            if !input.is_empty() {
                emit(input);
            }
            return;
        }
        let bytes = input.as_bytes();
        let (mut text_from, mut run_from, mut at) = (0, 0, 0);
        while at < bytes.len() {
            if matches!(self.state, State::Text) {
                let Some(found) = memchr(b'<', &bytes[at..]) else { break };
                run_from = at + found;
                at = run_from + 1;
                self.state = State::Name { closing: false, matched: 0, fitting: elements.all() };
                continue;
            }
            let room = run_from + MAX_HELD_BYTES - self.held.len();
            if matches!(self.state, State::Body) {
                let end = bytes.len().min(room);
                at = memchr(b'<', &bytes[at..end]).map_or(end, |found| at + found);
                if at == bytes.len() {
                    break;
                }
            }
            let verdict = if at >= room { Verdict::WasText } else { self.read(elements, bytes[at]) };
            match verdict {
                Verdict::GoesOn => at += 1,
                Verdict::Again => {}
                Verdict::WasText => self.give_out(&mut emit),
                Verdict::Gone => {
                    at += 1;
                    if text_from < run_from {
                        emit(&input[text_from..run_from]);
                    }
                    text_from = at;
                    self.forget();
                }
            }
        }
        let undecided_from = if matches!(self.state, State::Text) { input.len() } else { run_from };
        if text_from < undecided_from {
            emit(&input[text_from..undecided_from]);
        }
        self.held.push_str(&input[undecided_from..]);
    }

    /// Gives out what could still have become a tag: the channel changes.
    pub(super) fn settle(&mut self, emit: impl FnMut(&str)) {
        if matches!(self.state, State::Name { .. }) && self.inside.is_none() {
            self.give_out(emit);
        }
    }

    /// The text has ended well: what could still have become a tag was none, and an element still open is dropped.
    pub(super) fn finish(&mut self, emit: impl FnMut(&str)) {
        self.settle(emit);
        self.forget();
    }

    /// Bytes of memory that are held.
    pub(super) fn held_bytes(&self) -> usize {
        self.held.capacity()
    }

    fn give_out(&mut self, mut emit: impl FnMut(&str)) {
        if !self.held.is_empty() {
            emit(&self.held);
        }
        self.forget();
    }

    fn forget(&mut self) {
        self.state = State::Text;
        self.inside = None;
        self.held = String::new();
    }

    fn read(&mut self, elements: &HiddenElements, byte: u8) -> Verdict {
        match self.state {
            State::Text => Verdict::WasText,
            State::Name { closing, matched, fitting } => self.read_name(elements, byte, closing, matched, fitting),
            State::Tag { tag, last, quote } => self.read_tag(byte, tag, last, quote),
            State::Body => {
                let fitting = self.inside.map_or(0, |inside| 1 << inside.name);
                self.state = State::Name { closing: false, matched: 0, fitting };
                Verdict::GoesOn
            }
        }
    }

    fn read_name(
        &mut self,
        elements: &HiddenElements,
        byte: u8,
        closing: bool,
        matched: usize,
        fitting: u64,
    ) -> Verdict {
        if byte == b'/' && matched == 0 && !closing {
            // Outside of an element only the one that is unwrapped has a closing tag to hide.
            let fitting = if self.inside.is_some() { fitting } else { 1 };
            self.state = State::Name { closing: true, matched, fitting };
            return Verdict::GoesOn;
        }
        if ends_name(byte)
            && let Some(name) = elements.complete(fitting, matched)
        {
            let tag = match (name, closing) {
                (0, _) => Tag::Unwrapped,
                (_, false) => Tag::Opening { name },
                (_, true) => Tag::Closing,
            };
            return self.read_tag(byte, tag, b' ', None);
        }
        let fitting = elements.narrow(fitting, matched, byte);
        if fitting != 0 {
            self.state = State::Name { closing, matched: matched + 1, fitting };
            return Verdict::GoesOn;
        }
        if self.inside.is_some() {
            self.state = State::Body;
            return Verdict::Again;
        }
        Verdict::WasText
    }

    fn read_tag(&mut self, byte: u8, tag: Tag, last: u8, quote: Option<u8>) -> Verdict {
        if byte == b'>' && quote.is_none() {
            return self.end_tag(tag, last == b'/');
        }
        let quote = match quote {
            Some(open) if open == byte => None,
            // A quote opens a value only right after `=`: a stray one in a badly written tag must not swallow the answer.
            None if last == b'=' && (byte == b'"' || byte == b'\'') => Some(byte),
            open => open,
        };
        self.state = State::Tag { tag, last: byte, quote };
        Verdict::GoesOn
    }

    fn end_tag(&mut self, tag: Tag, self_closing: bool) -> Verdict {
        let depth = self.inside.map_or(0, |inside| inside.depth);
        let (name, depth) = match (tag, self.inside) {
            (Tag::Unwrapped, _) | (Tag::Closing, None) => return Verdict::Gone,
            (Tag::Opening { name }, _) => (name, depth.saturating_add(u32::from(!self_closing))),
            (Tag::Closing, Some(inside)) => (inside.name, depth - 1),
        };
        if depth == 0 {
            return Verdict::Gone;
        }
        self.inside = Some(Inside { name, depth });
        self.state = State::Body;
        Verdict::GoesOn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED_DEFAULT: &str = "xaiartifact,xai:tool_usage_card,grok:render";

    /// What is shown of a text that comes in these pieces and ends well.
    fn shown(setting: &str, pieces: &[&str]) -> String {
        let elements = HiddenElements::parse(setting);
        let (mut filter, mut shown) = (Filter::default(), String::new());
        for piece in pieces {
            filter.push(&elements, piece, |text| shown.push_str(text));
            assert!(filter.held.len() <= MAX_HELD_BYTES);
        }
        filter.finish(|text| shown.push_str(text));
        shown
    }

    #[test]
    fn r10_the_result_does_not_depend_on_where_the_text_is_cut() {
        for (text, expected) in [
            ("plain text", "plain text"),
            ("a<grok:render card_id=\"a1\"><argument name=\"x\">0</argument></grok:render>b", "ab"),
            ("a<grok:render id=\"b2\"/>b<grok:render />c", "abc"),
            ("a<GROK:Render x>n</gROK:rENDER >b", "ab"),
            ("a<xai:tool_usage_card><![CDATA[print(1 < 2)]]></xai:tool_usage_card>b", "ab"),
            ("a<xai:tool_usage_card><grok:render></xai:tool_usage_card>b", "ab"),
            ("<xaiArtifact id=\"1\" title=\"a > b\">\nbody<grok:render/>\n</xaiartifact>end", "\nbody\nend"),
            ("a<grok:render>1<grok:render>2</grok:render>3</grok:render>b", "ab"),
            ("a<grok:render>1<grok:render/>2</grok:render>b", "ab"),
            ("a<grok:render title=\"5\" disk\" x='>'>n</grok:render>b", "ab"),
            ("a<grok:render>never closed", "a"),
            ("a<grok:render never=\"ended", "a"),
            ("a<xaiArtifact never ended", "a"),
            ("a</grok:render>b</xaiArtifact>c", "a</grok:render>bc"),
            ("if 1 < 2 then <b>bold</b> and <grok:renderer> stay, as does `a<b`, <>, </> and <<", "same"),
            ("x<grok:rend<grok:render/>y", "x<grok:rendy"),
            ("held to the end <grok:render", "same"),
            ("é<xaiArtifact>漢字</xaiArtifact>🧮<gr🧮", "é漢字🧮<gr🧮"),
        ] {
            let expected = if expected == "same" { text } else { expected };
            assert_eq!(shown(SEED_DEFAULT, &[text]), expected, "whole");
            for (cut, _) in text.char_indices() {
                let (left, right) = text.split_at(cut);
                assert_eq!(shown(SEED_DEFAULT, &[left, right]), expected, "cut into {left:?} and {right:?}");
            }
            let characters: Vec<&str> = text.split_inclusive(|_: char| true).collect();
            assert_eq!(shown(SEED_DEFAULT, &characters), expected, "one character at a time");
        }
    }

    #[test]
    fn r10_an_empty_setting_hides_the_known_elements_and_no_other_text() {
        let text = "text <b>stays</b><grok:render/><xaiArtifact>body</xaiArtifact>";
        for setting in ["", " , ,", "<b>", SEED_DEFAULT] {
            assert_eq!(shown(setting, &[text]), "text <b>stays</b>body", "{setting:?}");
        }
        assert_eq!(HiddenElements::default(), HiddenElements::parse(SEED_DEFAULT));
    }

    #[test]
    fn r10_the_operator_adds_names() {
        assert_eq!(shown(" Secret ,sec", &["a<secret>x</secret>b<SEC/>c<secr>d"]), "abc<secr>d");
        let many: Vec<String> = (0..100).map(|count| format!("name{count}x")).collect();
        assert_eq!(shown(&many.join(","), &["a<name60x/>b<name61x/>c"]), "ab<name61x/>c");
    }

    #[test]
    fn r10_a_piece_is_passed_on_in_one_part() {
        let elements = HiddenElements::default();
        let mut parts = Vec::new();
        Filter::default().push(&elements, "if 1 < 2 then <b>", |text| parts.push(text.to_owned()));
        assert_eq!(parts, ["if 1 < 2 then <b>"]);
    }

    #[test]
    fn r10_a_change_of_channel_gives_out_what_was_no_tag_yet() {
        let elements = HiddenElements::default();
        let (mut filter, mut shown) = (Filter::default(), String::new());
        for piece in ["a<gro", "b<grok:render>x<gro", "k:render>y</grok:render></grok:render>c"] {
            filter.push(&elements, piece, |text| shown.push_str(text));
            filter.settle(|text| shown.push_str(text));
        }
        assert_eq!(shown, "a<grobc");
    }

    #[test]
    fn r10_an_element_over_the_cap_is_given_out_as_text() {
        let open = format!("<grok:render>{}", "é".repeat(MAX_HELD_BYTES / 2));
        let text = format!("a{open}<grok:render/>b");
        let shown_text = format!("a{open}b");
        assert_eq!(shown("", &[&text]), shown_text);
        for size in [1, 7, 4096] {
            let mut pieces = Vec::new();
            let mut rest = &text[..];
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.ceil_char_boundary(size));
                pieces.push(piece);
                rest = after;
            }
            assert_eq!(shown("", &pieces), shown_text, "pieces of {size}");
        }
    }

    #[test]
    fn r10_an_element_just_under_the_cap_is_removed() {
        let body = "x".repeat(MAX_HELD_BYTES - "<grok:render></grok:render>".len());
        let text = format!("a<grok:render>{body}</grok:render>b");
        let (left, right) = text.split_at(text.len() / 2);
        assert_eq!(shown("", &[&text]), "ab");
        assert_eq!(shown("", &[left, right]), "ab");
        let longer = text.replacen("xx", "xxx", 1);
        assert_eq!(shown("", &[&longer]), longer);
    }
}
