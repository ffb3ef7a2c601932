//! In which language does the prompt speak, and what does it ask for?

/// Languages of the simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Chinese,
}

impl Language {
    /// Chinese as soon as there is a Chinese character.
    pub(crate) fn of(prompt: &str) -> Self {
        let chinese =
            prompt.chars().any(|character| matches!(character, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}'));
        if chinese { Self::Chinese } else { Self::English }
    }

    /// One of two texts.
    pub(crate) fn pick<T>(self, english: T, chinese: T) -> T {
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }
}

/// Whether one of the words stands in the prompt: a word of its own in English, anywhere in Chinese.
pub(crate) fn mentions(prompt: &str, words: &[&str]) -> bool {
    let lower = prompt.to_lowercase();
    let spoken = lower.split(|character: char| !character.is_alphanumeric());
    words
        .iter()
        .any(|word| if word.is_ascii() { spoken.clone().any(|said| said == *word) } else { lower.contains(word) })
}

/// The prompt shortened to fit into a sentence.
pub(crate) fn topic(prompt: &str) -> String {
    let line = prompt.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let mut characters = line.chars();
    let mut topic: String =
        characters.by_ref().take(72).filter(|character| !matches!(character, '<' | '>' | '`')).collect();
    if characters.next().is_some() {
        topic.push('…');
    }
    topic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_whole_in_english_and_anywhere_in_chinese() {
        assert!(mentions("Please DRAW a cat!", &["draw", "画"]));
        assert!(!mentions("the drawbridge", &["draw"]));
        assert!(mentions("帮我画一只猫", &["draw", "画"]));
    }

    #[test]
    fn the_language_is_that_of_the_prompt() {
        assert_eq!(Language::of("what is 道?"), Language::Chinese);
        assert_eq!(Language::of("¿qué tal?"), Language::English);
    }
}
