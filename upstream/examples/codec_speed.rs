//! Time the codec takes for a line of a typical answer: `cargo run --release -p grok2api-upstream --example codec_speed`.

#![expect(clippy::print_stdout, reason = "the result is for a person to read")]

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use grok2api_upstream::codec::{Decoder, DecoderOptions};
use grok2api_upstream::event::{ChatEvent, EventSink};

const TOKENS: usize = 200;
const ROUNDS: u32 = 2_000;
const REPEATS: usize = 7;

/// Counts the text, as the cheapest thing one can do with it.
#[derive(Default)]
struct Count(usize);

impl EventSink for Count {
    fn event(&mut self, event: ChatEvent<'_>) {
        if let ChatEvent::Text(text) = black_box(event) {
            self.0 += text.len();
        }
    }
}

/// The token lines of an answer: words, some of them with escapes or characters beyond ASCII.
fn answer() -> Vec<u8> {
    let words = ["Water", " boils", " at", " 100", " °C", ",", " so", "\\n\\n", " \\\"it\\\"", " seems"];
    let mut body = String::new();
    for word in words.iter().cycle().take(TOKENS) {
        body.push_str(r#"{"result":{"response":{"token":""#);
        body.push_str(word);
        body.push_str(
            r#"","isThinking":false,"isSoftStop":false,"responseId":"830691d5-5f5a-448d-9259-9f8d38bd9335","#,
        );
        body.push_str("\"messageTag\":\"final\",\"messageStepId\":0}}}\n");
    }
    body.into_bytes()
}

/// Time for one answer handed over in pieces of this size.
fn time(body: &[u8], piece_bytes: usize) -> Result<Duration, Box<dyn Error>> {
    let options = DecoderOptions::default();
    let mut count = Count::default();
    let start = Instant::now();
    for _ in 0..ROUNDS {
        let mut decoder = Decoder::new(options.clone());
        for piece in body.chunks(piece_bytes) {
            decoder.feed(black_box(piece), &mut count)?;
        }
    }
    let passed = start.elapsed();
    black_box(count.0);
    Ok(passed / ROUNDS)
}

fn main() -> Result<(), Box<dyn Error>> {
    let body = answer();
    let line_bytes = body.len() / TOKENS;
    for (name, piece_bytes) in
        [("whole answer", body.len()), ("16 KiB pieces", 16 * 1024), ("one line a piece", line_bytes)]
    {
        let mut times = Vec::with_capacity(REPEATS);
        for _ in 0..REPEATS {
            times.push(time(&body, piece_bytes)?);
        }
        times.sort_unstable();
        let per_line = times[REPEATS / 2].as_nanos() / TOKENS as u128;
        println!("{name:>18}: {per_line} ns per token line of {line_bytes} bytes");
    }
    let start = Instant::now();
    let options = DecoderOptions::default();
    for _ in 0..ROUNDS {
        black_box(Decoder::new(black_box(options.clone())));
    }
    println!("{:>18}: {} ns, {} bytes", "a new decoder", (start.elapsed() / ROUNDS).as_nanos(), size_of::<Decoder>());
    Ok(())
}
