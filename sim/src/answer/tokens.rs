//! How is a text cut into tokens? Words with the space before them; one or two characters of Chinese.

/// Longest token of text with spaces, in bytes.
const MAX_WORD_BYTES: usize = 12;

/// The tokens of a text, none of them empty. Joined they are the text.
pub(crate) fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (token, tail) = rest.split_at(first_token(rest));
        rest = tail;
        (!token.is_empty()).then_some(token)
    })
}

fn first_token(text: &str) -> usize {
    let mut wide = 0;
    let mut in_word = false;
    for (at, character) in text.char_indices() {
        let space = character.is_whitespace();
        if (space && in_word) || wide == 2 || at >= MAX_WORD_BYTES {
            return at;
        }
        in_word |= !space;
        wide += usize::from(character.len_utf8() > 2);
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_small_and_make_up_the_text() {
        for text in
            ["Hello there, dear  reader.\n\n- one\n- two\n", "模拟器回答:你好,世界。", "a-word-without-any-space-in-it"]
        {
            let tokens: Vec<_> = split(text).collect();
            assert_eq!(tokens.concat(), text);
            assert!(
                tokens.len() > 2 && tokens.iter().all(|token| !token.is_empty() && token.len() <= 16),
                "{tokens:?}"
            );
        }
        assert_eq!(split("Water boils at").collect::<Vec<_>>(), ["Water", " boils", " at"]);
        assert_eq!(split("").count(), 0);
    }
}
