//! Search results as sources of the answer and as lines of the reasoning (rule R11).

use std::collections::HashSet;

use url::Url;
use xxhash_rust::xxh64::xxh64;

use super::record::{SearchHit, SearchHits};
use super::text::Texts;
use crate::event::{ChatEvent, EventSink, SearchSource, SourceKind};

/// Sources of one answer.
const MAX_SOURCES: usize = 4096;
/// Characters of a post that stand in its title.
const POST_TITLE_CHARS: usize = 50;

/// The addresses seen in this stream.
#[derive(Debug, Default)]
pub(super) struct Sources {
    seen: HashSet<u64>,
}

/// Where the results of a line go, besides to the sources.
pub(super) enum Listing<'a> {
    /// Nowhere.
    Silent,
    /// Into the reasoning.
    InReasoning(&'a mut Texts),
}

impl Sources {
    /// Takes all results of one line.
    pub(super) fn add(
        &mut self,
        web: [&SearchHits<'_>; 2],
        posts: &SearchHits<'_>,
        mut listing: Listing<'_>,
        sink: &mut dyn EventSink,
    ) {
        let pages = web.into_iter().flat_map(|hits| &hits.0).filter_map(Found::page);
        for found in pages.chain(posts.0.iter().filter_map(Found::post)) {
            if self.seen.len() == MAX_SOURCES || !self.seen.insert(xxh64(found.url.as_bytes(), 0)) {
                continue;
            }
            sink.event(ChatEvent::Source(SearchSource { kind: found.kind, title: &found.title, url: &found.url }));
            if let Listing::InReasoning(texts) = &mut listing {
                texts.reasoning_line(&found.line(), sink);
            }
        }
    }

    /// Bytes of memory that are held.
    pub(super) fn held_bytes(&self) -> usize {
        self.seen.capacity() * size_of::<u64>()
    }
}

/// A result that can be shown.
struct Found {
    kind: SourceKind,
    url: String,
    title: String,
    preview: String,
}

impl Found {
    fn page(hit: &SearchHit<'_>) -> Option<Self> {
        let url = safe_address(hit.url.as_str())?;
        let title = collapse(hit.title.as_str());
        let title = if title.is_empty() { url.clone() } else { title };
        Some(Self { kind: SourceKind::Web, url, title, preview: collapse(hit.preview.as_str()) })
    }

    fn post(hit: &SearchHit<'_>) -> Option<Self> {
        let (username, post_id) = (hit.username.non_empty()?, hit.post_id.non_empty()?);
        let url = safe_address(&format!("https://x.com/{username}/status/{post_id}"))?;
        let text = collapse(hit.text.as_str());
        let mut title = collapse(&format!("@{username}"));
        if !text.is_empty() {
            let cut = text.char_indices().nth(POST_TITLE_CHARS).map(|(at, _)| at);
            title.push_str(": ");
            title.push_str(&text[..cut.unwrap_or(text.len())]);
            title.push_str(if cut.is_some() { "…" } else { "" });
        }
        Some(Self { kind: SourceKind::XPost, url, title, preview: String::new() })
    }

    /// The result as an entry of a Markdown list.
    fn line(&self) -> String {
        let mut line = String::from("- [");
        escape_into(&mut line, &self.title, &['\\', '[', ']']);
        line.push_str("](");
        line.push_str(&self.url);
        if !self.preview.is_empty() {
            line.push_str(" \"");
            escape_into(&mut line, &self.preview, &['\\', '"']);
            line.push('"');
        }
        line.push_str(")\n");
        line
    }
}

/// The address as it may stand in Markdown, if it is one of the web without user name or password.
fn safe_address(address: &str) -> Option<String> {
    // The parser drops line ends and tabs, so a look at the raw text comes first.
    let address = address.trim();
    if address.chars().any(char::is_control) {
        return None;
    }
    let (_, after_scheme) = address.split_once("://")?;
    let authority = after_scheme.split(['/', '?', '#']).next()?;
    let scheme_is_web = matches!(Url::parse(address).ok()?.scheme(), "http" | "https");
    if !scheme_is_web || authority.is_empty() || authority.contains('@') {
        return None;
    }
    let mut safe = String::with_capacity(address.len());
    for character in address.chars() {
        match character {
            ' ' => safe.push_str("%20"),
            '(' => safe.push_str("%28"),
            ')' => safe.push_str("%29"),
            '<' => safe.push_str("%3C"),
            '>' => safe.push_str("%3E"),
            '"' => safe.push_str("%22"),
            other => safe.push(other),
        }
    }
    Some(safe)
}

fn collapse(text: &str) -> String {
    let mut collapsed = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !collapsed.is_empty() {
            collapsed.push(' ');
        }
        collapsed.push_str(word);
    }
    collapsed
}

fn escape_into(line: &mut String, text: &str, special: &[char]) {
    for character in text.chars() {
        if special.contains(&character) {
            line.push('\\');
        }
        line.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r11_only_plain_web_addresses_are_taken() {
        for refused in [
            "",
            "javascript:alert(1)",
            "data:text/html,x",
            "ftp://files.example/a",
            "https:pages.example",
            "https://",
            "//pages.example/a",
            "https://user@pages.example/",
            "https://user:secret@pages.example/",
            "https://@pages.example/",
            "https://pages.example\\@other.example/",
            "https:///pages.example",
            "https://pages.example/a\nb",
            "java\nscript://pages.example",
        ] {
            assert_eq!(safe_address(refused), None, "{refused:?}");
        }
        for kept in ["http://pages.example", "HTTPS://Pages.Example/@user?q=a@b#c", "https://页面.example/路"] {
            assert_eq!(safe_address(kept).as_deref(), Some(kept));
        }
    }

    #[test]
    fn r11_what_would_end_a_markdown_link_is_encoded() {
        let safe = safe_address(" https://pages.example/a b(c)<d>\"e\" ");
        assert_eq!(safe.as_deref(), Some("https://pages.example/a%20b%28c%29%3Cd%3E%22e%22"));
    }

    #[test]
    fn r11_titles_and_previews_are_escaped() {
        let found = Found {
            kind: SourceKind::Web,
            url: "https://pages.example/".to_owned(),
            title: r"a [b] \ (c)".to_owned(),
            preview: r#"d "e" \ [f]"#.to_owned(),
        };
        assert_eq!(found.line(), "- [a \\[b\\] \\\\ (c)](https://pages.example/ \"d \\\"e\\\" \\\\ [f]\")\n");
    }

    #[test]
    fn white_space_is_collapsed() {
        assert_eq!(collapse(" a\n\t b\u{a0}\u{3000}c "), "a b c");
    }
}
