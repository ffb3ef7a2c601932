//! The recorded streams, handed over in different pieces and broken off at any place.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be read is a failed test")]

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use grok2api_upstream::codec::{Decoder, DecoderOptions, trim_content, trim_reasoning};
use grok2api_upstream::collect::{Collector, image_markdown, video_markup};
use grok2api_upstream::error::UpstreamError;
use grok2api_upstream::event::{FinishReason, SourceKind};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// A stream with what must come of it.
struct Fixture {
    name: String,
    body: Vec<u8>,
    expected: Expected,
}

#[derive(Debug, Clone, Deserialize)]
struct Expected {
    #[serde(default)]
    byte_splits: Vec<usize>,
    records: u64,
    skipped_lines: u64,
    model: Option<String>,
    title: Option<String>,
    reasoning: String,
    content: Option<String>,
    content_sha256: Option<String>,
    content_bytes: Option<usize>,
    images: Vec<String>,
    moderated_images: usize,
    videos: Vec<String>,
    video_progress: Vec<u8>,
    search_sources: Vec<ExpectedSource>,
    rendered_content: Option<String>,
    finish_reason: Option<String>,
    error: Option<ExpectedError>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct ExpectedSource {
    r#type: String,
    title: String,
    url: String,
}

#[derive(Debug, Clone, Deserialize)]
struct ExpectedError {
    kind: String,
    http_status: u16,
    r#type: String,
    code: String,
    upstream_code: Option<i64>,
    message: String,
}

fn fixtures() -> Vec<Fixture> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    let mut streams: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    streams.retain(|path| path.extension().is_some_and(|extension| extension == "ndjson"));
    streams.sort();
    assert_eq!(streams.len(), 26);
    let read = |path: PathBuf| Fixture {
        name: path.file_stem().unwrap().to_string_lossy().into_owned(),
        body: fs::read(&path).unwrap(),
        expected: serde_json::from_slice(&fs::read(path.with_extension("expected.json")).unwrap()).unwrap(),
    };
    streams.into_iter().map(read).collect()
}

/// A decoder after all pieces, what it gave out, and how it ended.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Decoder, Collector, Result<(), UpstreamError>) {
    let mut decoder = Decoder::new(DecoderOptions::default());
    let mut answer = Collector::default();
    for piece in pieces {
        if let Err(error) = decoder.feed(piece, &mut answer) {
            assert_eq!(decoder.feed(b"{}", &mut answer), Err(error.clone()), "an error stays");
            return (decoder, answer, Err(error));
        }
    }
    let result = decoder.finish(&mut answer);
    (decoder, answer, result)
}

fn assert_decodes_to_expected<'a>(fixture: &Fixture, pieces: impl IntoIterator<Item = &'a [u8]>) {
    let (name, expected) = (&fixture.name, &fixture.expected);
    let (decoder, answer, result) = decode(pieces);
    let summary = decoder.summary();
    assert_eq!(summary.records, expected.records, "{name}: records");
    assert_eq!(summary.skipped_lines, expected.skipped_lines, "{name}: skipped lines");
    assert_eq!(summary.model, expected.model.as_deref(), "{name}: model");
    assert_eq!(summary.title, expected.title.as_deref(), "{name}: title");
    assert_eq!(summary.moderated_images, expected.moderated_images, "{name}: moderated images");
    assert_eq!(answer.reasoning(), expected.reasoning, "{name}: reasoning");
    assert_content(fixture, &answer);
    let images = if result.is_ok() { &expected.images[..] } else { &[] };
    assert_eq!(answer.images, images, "{name}: images");
    assert_eq!(answer.videos, expected.videos, "{name}: videos");
    assert_eq!(answer.video_progress, expected.video_progress, "{name}: video progress");
    assert_eq!(sources(&answer), expected.search_sources, "{name}: sources");
    let finish = answer.finish.map(|reason| match reason {
        FinishReason::Stop => "stop",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::ToolCalls => "tool_calls",
    });
    assert_eq!(finish, expected.finish_reason.as_deref(), "{name}: finish reason");
    match (&result, &expected.error) {
        (Ok(()), None) => {}
        (Err(error), Some(expected)) => assert_error(name, error, expected),
        (result, expected) => panic!("{name}: {result:?} where {expected:?} was expected"),
    }
}

fn assert_content(fixture: &Fixture, answer: &Collector) {
    let (name, expected) = (&fixture.name, &fixture.expected);
    if let Some(content) = &expected.content {
        assert_eq!(answer.content(), content, "{name}: content");
    } else {
        assert_eq!(Some(answer.content().len()), expected.content_bytes, "{name}: content length");
        let digest = Sha256::digest(answer.content().as_bytes()).iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        assert_eq!(Some(digest), expected.content_sha256, "{name}: content digest");
    }
    if let Some(rendered) = &expected.rendered_content {
        let line = |path: &String| {
            let among = |list: &[String]| list.iter().position(|listed| listed == path);
            Some(match among(&expected.images) {
                Some(index) => image_markdown(&format!("{{IMAGE_{index}}}")),
                None => video_markup(&format!("{{VIDEO_{}}}", among(&expected.videos).unwrap())),
            })
        };
        assert_eq!(&answer.with_media(line), rendered, "{name}: rendered content");
    }
}

fn assert_error(name: &str, error: &UpstreamError, expected: &ExpectedError) {
    assert_eq!(error.kind.as_str(), expected.kind, "{name}: kind");
    assert_eq!(error.kind.client_status(), expected.http_status, "{name}: status");
    assert_eq!(error.kind.client_type(), expected.r#type, "{name}: type");
    assert_eq!(error.kind.client_code(), expected.code, "{name}: code");
    assert_eq!(error.upstream_code, expected.upstream_code, "{name}: upstream code");
    assert_eq!(error.message, expected.message, "{name}: message");
}

fn sources(answer: &Collector) -> Vec<ExpectedSource> {
    let named = |kind| match kind {
        SourceKind::Web => "web".to_owned(),
        SourceKind::XPost => "x_post".to_owned(),
    };
    let source = answer.sources.iter();
    source.map(|s| ExpectedSource { r#type: named(s.kind), title: s.title.clone(), url: s.url.clone() }).collect()
}

#[test]
fn fixtures_in_one_piece() {
    for fixture in fixtures() {
        assert_decodes_to_expected(&fixture, [&fixture.body[..]]);
    }
}

#[test]
fn fixtures_one_byte_at_a_time() {
    for fixture in fixtures() {
        assert_decodes_to_expected(&fixture, fixture.body.chunks(1));
    }
}

#[test]
fn fixtures_seven_bytes_at_a_time() {
    for fixture in fixtures() {
        assert_decodes_to_expected(&fixture, fixture.body.chunks(7));
    }
}

#[test]
fn r1_characters_escapes_and_line_ends_may_be_cut() {
    let mut seen = 0;
    for fixture in fixtures().iter().filter(|fixture| !fixture.expected.byte_splits.is_empty()) {
        let mut pieces = Vec::new();
        let mut from = 0;
        for &to in fixture.expected.byte_splits.iter().chain([&fixture.body.len()]) {
            pieces.push(&fixture.body[from..to]);
            from = to;
        }
        assert_decodes_to_expected(fixture, pieces);
        seen += 1;
    }
    assert_eq!(seen, 1);
}

/// What a whole line of a fixture looks like when it ends the answer.
const END_MARKERS: [&str; 6] = [
    "\"isSoftStop\":true",
    "\"finalMetadata\":{",
    "\"partial\":false,\"shared\"",
    "\"videoUrl\":\"u",
    "\"moderated\":true",
    "[DONE]",
];

fn ends_the_answer(line: &str) -> bool {
    let echo = line.contains("\"userResponse\":{");
    let picture = line.contains("\"streamingImageGenerationResponse\":{");
    !echo && !picture && END_MARKERS.iter().any(|marker| line.contains(marker))
}

/// The outcome of a cut, after point 4 of the notes on the fixtures.
fn assert_cut_is_fair(fixture: &Fixture, whole: &Collector, cut: usize) {
    let at = format!("{} cut at {cut}", fixture.name);
    let (_, answer, result) = decode([&fixture.body[..cut]]);
    assert!(trim_content(whole.content()).starts_with(answer.content()), "{at}: content");
    assert!(trim_reasoning(whole.reasoning()).starts_with(answer.reasoning()), "{at}: reasoning");
    let text = String::from_utf8_lossy(&fixture.body[..cut]);
    let (lines, last) = text.rsplit_once('\n').unwrap_or(("", &text));
    let ended = lines.lines().any(ends_the_answer);
    match result {
        Ok(()) => {
            let last = last.trim_start_matches("data:").trim();
            let last_is_whole = serde_json::from_str::<serde::de::IgnoredAny>(last).is_ok() || last == "[DONE]";
            assert!(ended || (last_is_whole && ends_the_answer(last)), "{at}: passes as complete");
            assert!(answer.finish.is_some(), "{at}: no end");
        }
        Err(error) => {
            let expected = fixture.expected.error.as_ref().is_some_and(|expected| expected.kind == error.kind.as_str());
            let cut_off =
                ["upstream_interrupted", "upstream_empty", "upstream_not_stream"].contains(&error.kind.as_str());
            assert!(expected || (cut_off && !ended), "{at}: {error:?}");
            assert_eq!(answer.finish, None, "{at}: an end");
            assert!(answer.images.is_empty() && answer.videos.is_empty(), "{at}: media");
        }
    }
}

#[test]
fn f47_a_cut_stream_never_passes_as_a_complete_answer() {
    for fixture in fixtures() {
        let (_, whole, _) = decode([&fixture.body[..]]);
        // The long one is cut at every 997th place: decoding it for each byte would take minutes.
        let step = if fixture.body.len() > 20_000 { 997 } else { 1 };
        for cut in (0..fixture.body.len()).step_by(step) {
            assert_cut_is_fair(&fixture, &whole, cut);
        }
    }
}
