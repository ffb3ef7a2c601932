//! Upstream error texts made fit for a client: short, in one line, without credentials, account ids or markup.

/// Longest text a client gets, in characters.
const MAX_CHARS: usize = 500;
/// What stands in place of a word that is nobody's business.
const REDACTED: &str = "[redacted]";

/// The text as a client may see it; `None` when nothing is left to say.
pub(crate) fn client_message(raw: &str) -> Option<String> {
    if raw.trim().is_empty() || is_markup(raw) {
        return None;
    }
    let mut message = String::new();
    let mut room = MAX_CHARS;
    for word in raw.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !message.is_empty() {
            message.push(' ');
            room = room.saturating_sub(1);
        }
        let word = if is_private(word) { REDACTED } else { word };
        message.extend(word.chars().take(room));
        room = room.saturating_sub(word.chars().count());
        if room == 0 {
            break;
        }
    }
    Some(message)
}

fn is_markup(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["<!doctype", "<html", "<head", "<body", "<script"].iter().any(|tag| text.contains(tag))
}

/// Cookies, tokens (a JSON web token begins with `eyJ`), mail addresses and ids of users.
fn is_private(word: &str) -> bool {
    word.contains("sso=")
        || word.contains("sso-rw=")
        || word.contains("cf_clearance")
        || word.contains("eyJ")
        || word.split_once('@').is_some_and(|(_, host)| host.contains('.'))
        || word.split(|c: char| !c.is_ascii_hexdigit() && c != '-').any(is_uuid)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l1_credentials_and_ids_do_not_get_through() {
        for (raw, expected) in [
            ("User is blocked [WKE=unauthorized:blocked-user]", "User is blocked [WKE=unauthorized:blocked-user]"),
            ("bad token eyJhbGciOi.x.y here", "bad token [redacted] here"),
            ("cookie \"sso=abc;sso-rw=abc\"", "cookie [redacted]"),
            ("cf_clearance=xyz is stale", "[redacted] is stale"),
            ("mail someone@mail.example refused", "mail [redacted] refused"),
            ("user 9a64187a-f0fb-4349-a8ac-bb0d203d0028, gone", "user [redacted] gone"),
            ("  two\n lines\t\u{7} ", "two lines"),
        ] {
            assert_eq!(client_message(raw).as_deref(), Some(expected));
        }
    }

    #[test]
    fn markup_and_emptiness_are_no_messages() {
        for raw in ["", " \n", "<HTML><body>challenge</body>", "error: <!DOCTYPE html>"] {
            assert_eq!(client_message(raw), None, "{raw:?}");
        }
    }

    #[test]
    fn a_message_has_at_most_five_hundred_characters() {
        for raw in ["é".repeat(2_000), "é é ".repeat(500)] {
            let message = client_message(&raw).unwrap_or_default();
            assert!((499..=500).contains(&message.chars().count()), "{message}");
        }
    }
}
