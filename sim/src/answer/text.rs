//! What does the simulator say when nothing special is asked for? Friendly, varied by the prompt, honest about who speaks.

use serde_json::json;

use super::draft::{Draft, Extras};
use super::language::{Language, mentions, topic};
use super::rendered::Rendered;
use super::{chinese, english};
use crate::identity::seed;
use crate::turn::ChatBody;

/// The texts of one language. `{topic}` stands for the prompt.
pub(crate) struct Phrases {
    pub(crate) greetings: &'static [&'static str],
    pub(crate) openers: &'static [&'static str],
    pub(crate) bodies: &'static [&'static str],
    pub(crate) code: &'static [&'static str],
    pub(crate) lists: &'static [&'static str],
    pub(crate) tables: &'static [&'static str],
    pub(crate) poems: &'static [&'static str],
    pub(crate) closers: &'static [&'static str],
    /// Steps of thinking: title and lines.
    pub(crate) thinking: &'static [(&'static str, &'static [&'static str])],
    pub(crate) searching: &'static str,
    pub(crate) found: &'static str,
    /// Web pages: address, title, preview.
    pub(crate) results: &'static [(&'static str, &'static str, &'static str)],
    pub(crate) post: &'static str,
    pub(crate) reported: &'static str,
    pub(crate) sources: &'static str,
    pub(crate) pictures: &'static str,
    pub(crate) edited: &'static str,
    pub(crate) video: &'static str,
}

/// The texts for a prompt's language.
pub(crate) fn phrases(prompt: &str) -> &'static Phrases {
    Language::of(prompt).pick(&english::PHRASES, &chinese::PHRASES)
}

/// Puts the prompt into a phrase.
pub(crate) fn about(phrase: &str, prompt: &str) -> String {
    phrase.replace("{topic}", &topic(prompt))
}

/// A plain answer to the prompt.
pub(crate) fn answer(turn: &ChatBody) -> Rendered {
    say(turn, &compose(turn))
}

/// A plain answer with this text.
pub(crate) fn say(turn: &ChatBody, text: &str) -> Rendered {
    let mut draft = Draft::new(turn, seed(&turn.message));
    draft.say(text);
    draft.finish(&Extras::default())
}

/// The text of a plain answer.
pub(crate) fn compose(turn: &ChatBody) -> String {
    let prompt = turn.prompt();
    // Drawing is switched off for answers that a program reads.
    if turn.pictures() == 0 && turn.message.to_ascii_lowercase().contains("json") {
        return json!({"from": "simulator", "about": topic(prompt), "helpful": true}).to_string();
    }
    let phrases = phrases(prompt);
    let number = seed(prompt);
    if mentions(prompt, &["hi", "hello", "hey", "你好", "您好", "嗨"]) && prompt.chars().count() < 40 {
        return format!("{}\n\n{}", pick(phrases.greetings, number), pick(phrases.closers, number / 7));
    }
    let opener = about(pick(phrases.openers, number), prompt);
    let body = in_language(phrases.code, prompt).unwrap_or_else(|| pick(bodies(phrases, prompt), number / 5));
    format!("{opener}\n\n{body}\n\n{}", pick(phrases.closers, number / 7))
}

fn bodies(phrases: &Phrases, prompt: &str) -> &'static [&'static str] {
    let wishes: [(&[&str], &'static [&'static str]); 4] = [
        (
            &["code", "function", "program", "script", "rust", "python", "javascript", "代码", "函数", "程序", "编程"],
            phrases.code,
        ),
        (&["compare", "versus", "vs", "table", "difference", "比较", "对比", "区别", "表格"], phrases.tables),
        (&["poem", "haiku", "limerick", "song", "诗"], phrases.poems),
        (
            &["how", "list", "steps", "plan", "ways", "tips", "如何", "怎么", "怎样", "步骤", "列出", "计划"],
            phrases.lists,
        ),
    ];
    wishes.iter().find(|(words, _)| mentions(prompt, words)).map_or(phrases.bodies, |(_, bodies)| bodies)
}

/// The program in the programming language that the prompt names.
fn in_language(code: &'static [&'static str], prompt: &str) -> Option<&'static str> {
    let language = |text: &str| text.split("```").nth(1).and_then(|block| block.lines().next()).map(str::to_owned);
    code.iter().find(|text| language(text).is_some_and(|name| mentions(prompt, &[&name]))).copied()
}

fn pick(texts: &'static [&'static str], number: u64) -> &'static str {
    let index = usize::try_from(number % texts.len().max(1) as u64).unwrap_or(0);
    texts.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(prompt: &str) -> ChatBody {
        ChatBody { message: prompt.to_owned(), model_name: "grok-3".to_owned(), ..ChatBody::default() }
    }

    #[test]
    fn every_text_says_that_it_comes_from_the_simulator() {
        for number in 0..200 {
            for prompt in ["Hello", "tell me about", "write code", "how do I", "compare", "a poem"] {
                let text = compose(&asked(&format!("{prompt} {number}")));
                assert!(text.to_lowercase().contains("simulator"), "{text}");
            }
            for prompt in ["你好", "讲讲", "写代码", "如何做", "比较", "写诗"] {
                let text = compose(&asked(&format!("{prompt}{number}")));
                assert!(text.contains("模拟器"), "{text}");
            }
        }
    }

    #[test]
    fn answers_vary_with_the_prompt_and_are_stable_for_one() {
        let texts: std::collections::BTreeSet<_> =
            (0..50).map(|n| compose(&asked(&format!("Tell me about number {n}")))).collect();
        assert_eq!(texts.len(), 50);
        let kinds: std::collections::BTreeSet<_> =
            texts.iter().map(|text| text.lines().skip(2).collect::<String>()).collect();
        assert!(kinds.len() > 6, "only {} different bodies and closers", kinds.len());
        assert_eq!(compose(&asked("again")), compose(&asked("again")));
    }

    #[test]
    fn a_question_about_a_programming_language_gets_that_one() {
        assert!(compose(&asked("Write a Rust function")).contains("```rust"));
        assert!(compose(&asked("写一段 python 代码")).contains("```python"));
    }

    #[test]
    fn a_program_that_wants_json_gets_json() {
        let mut turn = asked("[system]: Answer with a JSON object.\n\n[user]: Who are you?");
        turn.enable_image_generation = Some(false);
        let value: serde_json::Value = serde_json::from_str(&compose(&turn)).unwrap_or_default();
        assert_eq!(value["about"], "Who are you?");
    }
}
