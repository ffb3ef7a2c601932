//! Recognizes, perhaps from its first bytes only, what may turn out to be tool calls.

/// Opens a single call; with an `s`, a block of them.
const ONE_CALL: &str = "<tool_call";

const FENCE: &str = "```";

/// White space between a code fence or a bracket and what is inside; more makes it ordinary text.
const MAX_SPACE: usize = 16;

/// Letters of a code fence's language.
const MAX_LANGUAGE: usize = 12;

/// First keys of a JSON answer that is worth waiting for.
const OBJECT_KEYS: [&str; 3] = ["tool_calls", "content", "role"];
const CALL_KEYS: [&str; 8] = ["name", "tool_name", "tool", "function", "type", "id", "arguments", "parameters"];

/// How a text begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// As ordinary text.
    Text,
    /// It is too short to tell.
    Undecided,
    /// With an opening tag.
    Block(BlockStart),
    /// With JSON that may be calls.
    Json,
}

/// An opening tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockStart {
    /// Where the tag's name ends: its attributes and `>` follow.
    pub(super) name_end: usize,
    /// The tag that closes the block.
    pub(super) close: &'static str,
}

/// Looks for `<tool_calls` or a lone `<tool_call`; at the start of a line also within a code fence.
pub(super) fn block(text: &str, at_line_start: bool) -> Opening {
    let start = if at_line_start { fence(text) } else { Scan::At(0) };
    let start = match start {
        Scan::At(start) => start,
        Scan::No => return Opening::Text,
        Scan::Short => return Opening::Undecided,
    };
    let tag = &text[start..];
    if !tag.starts_with(ONE_CALL) {
        return if ONE_CALL.starts_with(tag) { Opening::Undecided } else { Opening::Text };
    }
    let plural = tag[ONE_CALL.len()..].starts_with('s');
    let name_end = start + ONE_CALL.len() + usize::from(plural);
    match text[name_end..].chars().next() {
        None => Opening::Undecided,
        Some(c) if c == '>' || c.is_ascii_whitespace() => {
            Opening::Block(BlockStart { name_end, close: if plural { "</tool_calls>" } else { "</tool_call>" } })
        }
        Some(_) => Opening::Text,
    }
}

/// Looks for JSON at the very beginning of an answer, perhaps within a code fence.
pub(super) fn json(text: &str) -> Opening {
    let keys = |text: &str| match space(text) {
        Scan::At(start) => match text.as_bytes()[start] {
            b'{' => key(&text[start + 1..], &OBJECT_KEYS),
            b'[' => match space(&text[start + 1..]) {
                Scan::At(item) if text.as_bytes()[start + 1 + item] == b'{' => {
                    key(&text[start + item + 2..], &CALL_KEYS)
                }
                Scan::At(_) | Scan::No => Opening::Text,
                Scan::Short => Opening::Undecided,
            },
            _ => Opening::Text,
        },
        Scan::No => Opening::Text,
        Scan::Short => Opening::Undecided,
    };
    match fence(text) {
        Scan::At(start) if start == text.len() => Opening::Undecided,
        Scan::At(start) => keys(&text[start..]),
        Scan::No => Opening::Text,
        Scan::Short => Opening::Undecided,
    }
}

/// Where something was found, relative to the text looked at.
enum Scan {
    At(usize),
    No,
    Short,
}

/// The place after an opening code fence and its line, or 0 without one.
fn fence(text: &str) -> Scan {
    let Some(rest) = text.strip_prefix(FENCE) else {
        let begun = !text.is_empty() && FENCE.starts_with(text);
        return if begun { Scan::Short } else { Scan::At(0) };
    };
    let language = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
    if language > MAX_LANGUAGE {
        return Scan::No;
    }
    match space(&rest[language..]) {
        Scan::At(length) if rest[language..][..length].contains('\n') => Scan::At(FENCE.len() + language + length),
        Scan::At(_) | Scan::No => Scan::No,
        Scan::Short => Scan::Short,
    }
}

/// The place of the first character that is no white space.
fn space(text: &str) -> Scan {
    match text.bytes().position(|byte| !byte.is_ascii_whitespace()) {
        Some(length) if length <= MAX_SPACE => Scan::At(length),
        None if text.len() <= MAX_SPACE => Scan::Short,
        Some(_) | None => Scan::No,
    }
}

/// Whether an object, entered by its bracket, begins with one of the keys.
fn key(text: &str, keys: &[&str]) -> Opening {
    let quoted = match space(text) {
        Scan::At(start) => &text[start..],
        Scan::No => return Opening::Text,
        Scan::Short => return Opening::Undecided,
    };
    let Some(name) = quoted.strip_prefix(['"', '\'']) else {
        return Opening::Text;
    };
    if keys.iter().any(|key| name.strip_prefix(key).is_some_and(|rest| rest.starts_with(['"', '\'']))) {
        return Opening::Json;
    }
    let begun = |key: &&str| key.starts_with(name);
    if keys.iter().any(begun) { Opening::Undecided } else { Opening::Text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: BlockStart = BlockStart { name_end: 11, close: "</tool_calls>" };

    #[test]
    fn tags_are_known_by_their_whole_name() {
        assert_eq!(block("<tool_calls>", false), Opening::Block(MANY));
        assert_eq!(block("<tool_calls id=\"a\">", false), Opening::Block(MANY));
        assert_eq!(block("<tool_call>", false), Opening::Block(BlockStart { name_end: 10, close: "</tool_call>" }));
        for text in ["<", "<tool", "<tool_call", "<tool_calls"] {
            assert_eq!(block(text, false), Opening::Undecided, "{text}");
        }
        for text in ["<tool_caller>", "<tool_callsx", "<Tool_calls>", "<b>", "</tool_calls>"] {
            assert_eq!(block(text, false), Opening::Text, "{text}");
        }
    }

    #[test]
    fn a_fence_counts_at_the_start_of_a_line() {
        let fenced = "```xml\n<tool_calls>";
        assert_eq!(block(fenced, true), Opening::Block(BlockStart { name_end: 18, close: "</tool_calls>" }));
        for length in 1..fenced.len() {
            assert_eq!(block(&fenced[..length], true), Opening::Undecided, "{length}");
        }
        assert_eq!(block(fenced, false), Opening::Text);
        for text in ["``x", "```rust\nfn", "```xml <tool_calls>", "```averylonglanguage\n<tool_calls>"] {
            assert_eq!(block(text, true), Opening::Text, "{text}");
        }
    }

    #[test]
    fn json_is_known_by_its_first_key() {
        for text in [
            "{\"tool_calls\":",
            "{ 'role':",
            "[{\"name\":",
            "[ {\"function\":",
            "```json\n{\"tool_calls\":",
            "```\n[{\"id\":",
        ] {
            assert_eq!(json(text), Opening::Json, "{text}");
            for length in 1..text.len() - 1 {
                assert_eq!(json(&text[..length]), Opening::Undecided, "{}", &text[..length]);
            }
        }
        for text in ["{\"tool\":", "{a", "[1", "[link](x)", "[[", "[]", "[{\"city\":", "```json\n{\"x", "Hello", "``"] {
            let wanted = if text == "``" { Opening::Undecided } else { Opening::Text };
            assert_eq!(json(text), wanted, "{text}");
        }
    }
}
