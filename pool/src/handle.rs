//! Handles: what accounts are called where their tokens must not be shown.

use uuid::Uuid;

const PREFIX: &str = "acct-";
/// Characters of an id, written with dashes.
const ID_CHARS: usize = 36;
/// Characters of a hint, with the dash before it.
const END_CHARS: usize = 5;

/// The handle of an account: its id, and the last four characters of its token if that is long enough.
pub fn handle(id: Uuid, hint: &str) -> String {
    if hint.is_empty() { format!("{PREFIX}{id}") } else { format!("{PREFIX}{id}-{hint}") }
}

/// The account that a text names, if it is a handle; blanks around it do not matter.
pub fn account_of(text: &str) -> Option<Uuid> {
    let rest = text.trim().strip_prefix(PREFIX)?;
    let (id, end) = rest.split_at_checked(ID_CHARS)?;
    let ends = end.is_empty() || (end.starts_with('-') && end.chars().count() <= END_CHARS);
    Uuid::try_parse(id).ok().filter(|_| ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_names_its_account_and_nothing_else_does() {
        let id = Uuid::from_u128(7);
        for hint in ["abcd", "", "x-;é"] {
            assert_eq!(account_of(&format!(" {}\n", handle(id, hint))), Some(id), "{hint}");
        }
        for token in
            ["eyJ0.abc", "acct-7", "acct-00000000-0000-0000-0000-000000000007x", &format!("{}e", handle(id, "abcd"))]
        {
            assert_eq!(account_of(token), None, "{token}");
        }
    }
}
