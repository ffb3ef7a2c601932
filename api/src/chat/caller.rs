//! Who asks, as the pool tells callers apart: by client key, and by conversation.

use grok2api_gateway::pool::{Caller, Class};
use poem::Request;
use poem::http::HeaderMap;
use sha2::{Digest, Sha256};

use super::request::CreateChatCompletion;

/// Headers in which clients name their conversation, those that mean nothing else first.
const HEADERS: [&str; 5] =
    ["x-session-affinity", "x-conversation-id", "x-session-id", "session-id", "x-claude-code-session-id"];
/// Longest name of a conversation that counts, in bytes.
const LONGEST: usize = 256;

/// What a request says about who asks. `owner` is what the client key's work is filed under.
pub(super) fn caller(request: &Request, body: &CreateChatCompletion, owner: &str) -> Caller {
    let text = |text: &Option<super::request::Text>| text.as_ref().and_then(|text| text.0.clone());
    let name = header(request.headers()).or_else(|| text(&body.prompt_cache_key)).or_else(|| text(&body.user));
    let name = name.filter(|name| !name.is_empty() && name.len() <= LONGEST);
    Caller {
        class: Class::Live,
        key: number(&[owner]),
        // Names are the clients' own: the same one of another key is another conversation.
        conversation: name.map(|name| number(&[owner, &name])),
    }
}

fn header(headers: &HeaderMap) -> Option<String> {
    HEADERS.iter().find_map(|name| headers.get(*name)?.to_str().ok().map(str::to_owned))
}

/// The same number for the same words, on every replica.
fn number(words: &[&str]) -> u64 {
    let mut hash = Sha256::new();
    for word in words {
        hash.update(word.as_bytes());
        hash.update([0]);
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn asked(headers: &[(&'static str, &str)], members: &str, owner: &str) -> Caller {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = format!(r#"{{"model":"grok-4","messages":[]{members}}}"#);
        caller(&request.finish(), &serde_json::from_str(&body).unwrap(), owner)
    }

    #[test]
    fn a_conversation_is_named_by_header_cache_key_or_user() {
        let by_header = asked(&[("x-session-affinity", "a")], r#","user":"b""#, "k");
        assert_eq!(by_header, asked(&[], r#","prompt_cache_key":"a","user":"b""#, "k"));
        assert_eq!(by_header, asked(&[], r#","user":"a""#, "k"));
        assert_ne!(by_header.conversation, asked(&[], r#","user":"b""#, "k").conversation);
        assert_eq!(asked(&[], "", "k").conversation, None);
        assert_eq!(asked(&[], r#","user":{"id":1}"#, "k").conversation, None);
    }

    #[test]
    fn k7_the_same_name_of_another_key_is_another_conversation() {
        let (one, other) = (asked(&[], r#","user":"a""#, "k"), asked(&[], r#","user":"a""#, "l"));
        assert!(one.conversation != other.conversation && one.key != other.key);
    }
}
