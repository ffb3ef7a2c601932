//! The conformance fixtures and what each must give.

use serde_json::Value;

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

    /// `message.content` as a client must get it, with addresses below `base`; `None` when only its digest is known.
    pub fn rendered(&self, base: &str) -> Option<String> {
        let mut rendered = self.value["rendered_content"].as_str()?.to_owned();
        for (kind, mark) in [("images", "IMAGE"), ("videos", "VIDEO")] {
            for (at, path) in self.value[kind].as_array().into_iter().flatten().enumerate() {
                let name = path.as_str().unwrap_or_default().replace('/', "-");
                rendered = rendered.replace(&format!("{{{mark}_{at}}}"), &format!("{base}/images/{name}"));
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
