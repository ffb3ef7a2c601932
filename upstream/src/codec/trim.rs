//! The white space of a finished answer (rule R16).

/// The answer without leading line ends and without trailing white space.
pub fn trim_content(content: &str) -> &str {
    content.trim_start_matches(['\r', '\n']).trim_end()
}

/// The reasoning without white space at both ends.
pub fn trim_reasoning(reasoning: &str) -> &str {
    reasoning.trim()
}
