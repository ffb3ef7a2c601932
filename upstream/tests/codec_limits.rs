//! Any bytes at all, and streams that want more than their share (I7, F48, F49).

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fs;
use std::path::PathBuf;

use grok2api_upstream::codec::{Decoder, DecoderOptions, fuzz};
use grok2api_upstream::collect::Collector;
use grok2api_upstream::error::{AccountEffect, ErrorKind};
use proptest::prelude::*;

fn corpus() -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/codec");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 26);
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

/// A small stream with something of everything, for mutations to start from.
fn seeds() -> impl Strategy<Value = Vec<u8>> {
    let small: Vec<Vec<u8>> = corpus().into_iter().filter(|body| body.len() < 20_000).collect();
    proptest::sample::select(small)
}

#[test]
fn f48_the_corpus_holds_under_the_fuzzed_function() {
    for body in corpus() {
        fuzz::check(&body);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn f48_flipped_bytes_do_no_harm(mut body in seeds(), flips in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..20)) {
        prop_assume!(!body.is_empty());
        for (place, byte) in flips {
            let place = place.index(body.len());
            body[place] = byte;
        }
        fuzz::check(&body);
    }

    #[test]
    fn f48_cut_and_joined_streams_do_no_harm(left in seeds(), right in seeds(), at in any::<prop::sample::Index>(), from in any::<prop::sample::Index>()) {
        let mut body = left[..at.index(left.len() + 1)].to_vec();
        body.extend_from_slice(&right[from.index(right.len() + 1)..]);
        fuzz::check(&body);
    }

    #[test]
    fn f48_any_bytes_do_no_harm(body in prop::collection::vec(any::<u8>(), 0..600)) {
        fuzz::check(&body);
    }

    #[test]
    fn f48_any_small_json_does_no_harm(lines in prop::collection::vec("[{}\\[\\]:,\"0-9a-z<>/\\\\\n ]{0,80}", 0..8)) {
        fuzz::check(lines.join("\n").as_bytes());
    }
}

#[test]
fn f49_ten_mebibytes_without_a_newline_end_at_the_cap() {
    let mut decoder = Decoder::new(DecoderOptions::default());
    let mut answer = Collector::default();
    let piece = vec![b'x'; 64 * 1024];
    let mut most_held = 0;
    let mut fed = 0;
    let error = loop {
        fed += piece.len();
        assert!(fed <= 10 * 1024 * 1024, "no cap");
        match decoder.feed(&piece, &mut answer) {
            Ok(progress) => assert_eq!(progress.lines, 0),
            Err(error) => break error,
        }
        most_held = most_held.max(decoder.held_bytes());
    };
    assert_eq!((error.kind, error.account), (ErrorKind::Error, AccountEffect::None));
    assert!(error.message.contains("8388608"), "{}", error.message);
    assert_eq!(most_held, 8 * 1024 * 1024);
    assert_eq!(decoder.held_bytes(), 0);
}

#[test]
fn w5_a_stream_that_waits_is_small() {
    assert!(size_of::<Decoder>() < 1024, "{}", size_of::<Decoder>());
    let mut decoder = Decoder::new(DecoderOptions::default());
    assert_eq!(decoder.held_bytes(), 0);
    let mut answer = Collector::default();
    let long_echo =
        format!(r#"{{"result":{{"response":{{"userResponse":{{"message":"{}"}}}}}}}}"#, "x".repeat(400_000));
    for piece in long_echo.as_bytes().chunks(16 * 1024) {
        decoder.feed(piece, &mut answer).unwrap();
    }
    decoder.feed(b"\n{\"result\":{\"response\":{\"token\":\"a\"}}}\n", &mut answer).unwrap();
    assert_eq!(decoder.held_bytes(), 0);
}

#[test]
fn i7_sources_pictures_and_lists_are_capped() {
    let mut decoder = Decoder::new(DecoderOptions::default());
    let mut answer = Collector::default();
    for page in 0..8 {
        let hits: Vec<String> =
            (0..1_000).map(|hit| format!(r#"{{"url":"https://a.example/{page}/{hit}"}}"#)).collect();
        let line = format!(r#"{{"result":{{"response":{{"webSearchResults":[{}]}}}}}}"#, hits.join(","));
        decoder.feed(format!("{line}\n").as_bytes(), &mut answer).unwrap();
    }
    assert_eq!(answer.sources.len(), 4096);
    let empty_hits = format!(r#"{{"result":{{"response":{{"webSearchResults":[{}{{}}]}}}}}}"#, "{},".repeat(1_000_000));
    decoder.feed(format!("{empty_hits}\n").as_bytes(), &mut answer).unwrap();
    for image in 0..400 {
        let frame = format!(r#"{{"imageUrl":"i/{image}.jpg"}}"#);
        let line =
            format!(r#"{{"result":{{"response":{{"streamingImageGenerationResponse":{frame},"isSoftStop":true}}}}}}"#);
        decoder.feed(format!("{line}\n").as_bytes(), &mut answer).unwrap();
    }
    assert!(decoder.held_bytes() < 1024 * 1024, "{}", decoder.held_bytes());
    decoder.finish(&mut answer).unwrap();
    assert_eq!(answer.images.len(), 256);
}

#[test]
fn i7_more_withheld_pictures_than_can_be_remembered_withhold_all() {
    let mut decoder = Decoder::new(DecoderOptions::default());
    let mut answer = Collector::default();
    let mut frame = |members: &str| {
        let line = format!(
            r#"{{"result":{{"response":{{"streamingImageGenerationResponse":{{{members}}},"isSoftStop":true}}}}}}"#
        );
        decoder.feed(format!("{line}\n").as_bytes(), &mut answer).unwrap();
    };
    frame(r#""imageUrl":"good.jpg""#);
    for image in 0..=4096 {
        frame(&format!(r#""imageUrl":"i/{image}.jpg","moderated":true"#));
    }
    decoder.finish(&mut answer).unwrap();
    assert!(answer.images.is_empty());
}
