//! Random identifiers, as clients know them from the `OpenAI` API.

use rand::distr::{Alphanumeric, SampleString};

/// Letters and digits after the prefix: 24 × log2(62) ≈ 142 bits.
const RANDOM_CHARS: usize = 24;

/// A fresh `chatcmpl-…` id of a chat completion.
pub fn chat_completion_id() -> String {
    random("chatcmpl-")
}

/// A fresh `call_…` id of a tool call.
pub fn tool_call_id() -> String {
    random("call_")
}

/// A fresh `req_…` id of an HTTP request.
pub fn request_id() -> String {
    random("req_")
}

fn random(prefix: &str) -> String {
    let mut id = String::with_capacity(prefix.len() + RANDOM_CHARS);
    id.push_str(prefix);
    Alphanumeric.append_string(&mut rand::rng(), &mut id, RANDOM_CHARS); // a ChaCha12 generator seeded by the system
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_carry_their_prefix_and_url_safe_characters() {
        for (id, prefix) in [(chat_completion_id(), "chatcmpl-"), (tool_call_id(), "call_"), (request_id(), "req_")] {
            let random = id.strip_prefix(prefix).unwrap_or_default();
            assert_eq!(random.len(), RANDOM_CHARS, "{id}");
            assert!(random.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
        }
    }

    #[test]
    fn ids_do_not_repeat() {
        let ids: HashSet<String> = (0..10_000).map(|_| tool_call_id()).collect();
        assert_eq!(ids.len(), 10_000);
    }
}
