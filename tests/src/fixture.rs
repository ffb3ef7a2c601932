//! The conformance fixtures and what each must give.

use serde_json::Value;

/// Stands for a link to a picture or video: their names cannot be foreseen.
const LINK: &str = "LINK";

/// A text with its links to pictures and videos below `base` masked.
///
/// # Panics
/// When a link's name could be guessed: shorter than 22 characters before its ending.
pub fn masked(text: &str, base: &str) -> String {
    let start = format!("{base}/images/");
    let mut parts = text.split(&start);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let (name, rest) = part.split_at(part.find(|c| !is_name(c)).unwrap_or(part.len()));
        let (stem, ending) = name.split_once('.').unwrap_or((name, ""));
        // A stream that was cut may end within a name.
        assert!(rest.is_empty() || (stem.len() >= 22 && !ending.is_empty()), "{name} can be guessed");
        masked.push_str(LINK);
        masked.push_str(rest);
    }
    masked
}

/// What one recorded upstream stream must become.
pub struct Expected {
    /// Name without ending, such as `01-plain-answer`.
    pub name: &'static str,
    value: Value,
}

/// All fixtures, in order.
///
/// # Panics
/// When an expected file is missing or no JSON.
pub fn all() -> Vec<Expected> {
    grok2api_sim::fixture_names().map(Expected::load).collect()
}

impl Expected {
    fn load(name: &'static str) -> Self {
        let path = format!("{}/fixtures/{name}.expected.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { name, value }
    }

    /// A member of the expected result.
    pub fn get(&self, member: &str) -> &Value {
        &self.value[member]
    }

    /// A text member; empty when it is null.
    pub fn text(&self, member: &str) -> &str {
        self.value[member].as_str().unwrap_or_default()
    }

    /// `message.content` as a client must get it once its links are [masked]; `None` when only its digest is known.
    pub fn rendered(&self) -> Option<String> {
        let mut rendered = self.value["rendered_content"].as_str()?.to_owned();
        for (kind, mark) in [("images", "IMAGE"), ("videos", "VIDEO")] {
            for at in 0..self.value[kind].as_array().map_or(0, Vec::len) {
                rendered = rendered.replace(&format!("{{{mark}_{at}}}"), LINK);
            }
        }
        Some(rendered)
    }

    /// The error a client must get, if any.
    pub fn error(&self) -> Option<&Value> {
        self.value.get("error").filter(|error| !error.is_null())
    }

    /// Whether anything of an answer comes before the error.
    pub fn has_text(&self) -> bool {
        !self.text("content").is_empty() || !self.text("reasoning").is_empty()
    }
}
