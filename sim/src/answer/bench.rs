//! Which text does an answer of an exact shape have? One that everybody can predict, to the last byte.

use super::draft::{Draft, Extras};
use super::rendered::Rendered;
use crate::directive::Directive;
use crate::identity::seed;
use crate::turn::ChatBody;

/// So many token lines of so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AnswerShape {
    /// Token lines.
    pub chunks: usize,
    /// Bytes of text in each.
    pub chunk_bytes: usize,
}

/// The whole text of an answer with that many token lines of that many bytes.
///
/// Plain ASCII: small letters, and a space before each token but the first. Neighbours differ, so that a token that is
/// lost, doubled or out of place is noticed.
pub fn bench_text(chunks: usize, chunk_bytes: usize) -> String {
    let mut text = String::with_capacity(chunks * chunk_bytes);
    for chunk in 0..chunks {
        for at in 0..chunk_bytes {
            let space = at == 0 && chunk > 0 && chunk_bytes > 1;
            text.push(if space { ' ' } else { letter(chunk, at) });
        }
    }
    text
}

fn letter(chunk: usize, at: usize) -> char {
    let number = (chunk * 7 + chunk / 26 + chunk / 676 + at * 3) % 26;
    char::from(b"abcdefghijklmnopqrstuvwxyz"[number])
}

/// The bytes that the simulator answers to a chat body whose prompt orders a `bench:` answer; else `None`.
pub fn expected_bench_body(chat_body: &[u8]) -> Option<bytes::Bytes> {
    let turn = ChatBody::parse(chat_body).ok()?;
    match Directive::find(turn.prompt())? {
        Directive::Bench(order) => Some(render(&turn, order.shape).whole().clone()),
        Directive::Fixture(_) | Directive::Say(_) => None,
    }
}

/// An answer of that shape.
pub(crate) fn render(turn: &ChatBody, shape: AnswerShape) -> Rendered {
    let text = bench_text(shape.chunks, shape.chunk_bytes);
    let mut draft = Draft::new(turn, seed(&(&turn.message, "bench")));
    for chunk in text.as_bytes().chunks(shape.chunk_bytes.max(1)) {
        draft.token(std::str::from_utf8(chunk).unwrap_or_default());
    }
    draft.finish(&Extras::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_the_ordered_length_and_survives_trimming() {
        for (chunks, bytes) in [(1, 1), (200, 5), (50, 1), (3, 4_000)] {
            let text = bench_text(chunks, bytes);
            assert_eq!(text.len(), chunks * bytes);
            assert_eq!(text.trim(), text);
        }
    }

    #[test]
    fn neighbouring_tokens_differ() {
        let text = bench_text(2_000, 5);
        let tokens: Vec<_> = text.as_bytes().chunks(5).collect();
        assert!(tokens.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn an_answer_has_exactly_the_ordered_token_lines() {
        let turn = ChatBody {
            message: "bench:chunks=50,bytes=7".to_owned(),
            model_name: "grok-3".to_owned(),
            ..ChatBody::default()
        };
        let rendered = render(&turn, AnswerShape { chunks: 50, chunk_bytes: 7 });
        assert_eq!(rendered.paced(), &(4..54));
        assert_eq!(rendered.lines().len(), 4 + 50 + 3);
        let body = br#"{"message":"bench:chunks=50,bytes=7","modelName":"grok-3"}"#;
        assert_eq!(expected_bench_body(body).as_ref(), Some(rendered.whole()));
        assert_eq!(expected_bench_body(br#"{"message":"hello","modelName":"grok-3"}"#), None);
    }
}
