//! The rules R1–R16 where the recorded streams do not reach.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use grok2api_upstream::codec::{Decoder, DecoderOptions, Progress};
use grok2api_upstream::collect::Collector;
use grok2api_upstream::error::{AccountEffect, ErrorKind, UpstreamError};
use grok2api_upstream::event::{ChatEvent, EventSink, FinishReason};

/// Decodes lines; the answer and how it ended.
fn decode(lines: &[&str]) -> (Collector, Result<(), UpstreamError>) {
    let mut decoder = Decoder::new(DecoderOptions::default());
    let mut answer = Collector::default();
    let body = lines.join("\n");
    let result = decoder.feed(body.as_bytes(), &mut answer).and_then(|_| decoder.finish(&mut answer));
    (answer, result)
}

/// Decodes lines and an end marker.
fn complete(lines: &[&str]) -> Collector {
    let (answer, result) = decode(&[lines, &[END]].concat());
    assert_eq!(result, Ok(()));
    answer
}

/// A line with these members of `response`.
fn event(members: &str) -> String {
    format!(r#"{{"result":{{"response":{{{members}}}}}}}"#)
}

fn content(token: &str) -> String {
    event(&format!(r#""token":"{token}""#))
}

fn thought(token: &str) -> String {
    event(&format!(r#""token":"{token}","isThinking":true"#))
}

fn heading(token: &str) -> String {
    event(&format!(r#""token":"{token}","isThinking":true,"messageTag":"header""#))
}

fn message(text: &str) -> String {
    event(&format!(r#""modelResponse":{{"message":"{text}"}}"#))
}

/// Runs the lines made by these calls.
fn complete_all(lines: &[String]) -> Collector {
    complete(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

const END: &str = r#"{"result":{"response":{"isSoftStop":true}}}"#;

/// Remembers every event in words.
#[derive(Default)]
struct Words(Vec<String>);

impl EventSink for Words {
    fn event(&mut self, event: ChatEvent<'_>) {
        self.0.push(format!("{event:?}"));
    }
}

#[test]
fn r2_a_bad_line_is_skipped_and_what_stands_before_it_on_the_line_is_kept() {
    let mut decoder = Decoder::new(DecoderOptions::default());
    let mut answer = Collector::default();
    let body = [
        format!("{}{} garbage", content("a"), content("b")).into_bytes(),
        b"\xff{}".to_vec(),
        b"null".to_vec(),
        b"{\"result\":{\"response\":{\"token\":\"\\ud800\"}}}".to_vec(),
        format!("  {}  ", content("c")).into_bytes(),
        END.as_bytes().to_vec(),
    ]
    .join(&b'\n');
    decoder.feed(&body, &mut answer).unwrap();
    decoder.finish(&mut answer).unwrap();
    assert_eq!(answer.content(), "abc");
    assert_eq!((decoder.summary().records, decoder.summary().skipped_lines), (4, 4));
}

#[test]
fn r2_a_stream_without_a_record_is_empty_or_no_stream() {
    for (body, kind) in [
        ("", ErrorKind::Empty),
        ("\n\n: waiting\n", ErrorKind::Empty),
        ("data: [DONE]", ErrorKind::Empty),
        ("<html>", ErrorKind::NotStream),
        ("[1]", ErrorKind::NotStream),
    ] {
        let error = decode(&[body]).1.unwrap_err();
        assert_eq!((error.kind, error.account), (kind, AccountEffect::None), "{body:?}");
    }
}

#[test]
fn r2_members_twice_or_of_another_type_do_not_lose_the_line() {
    let odd = r#"{"error":null,"result":{"response":{"token":1,"token":"kept","isThinking":"no","sideBySideIndex":"x",
        "messageTag":7,"webSearchResults":5,"modelResponse":[],"streamingImageGenerationResponse":"?","rolloutId":{}}}}"#;
    assert_eq!(complete(&[&odd.replace('\n', "")]).content(), "kept");
}

#[test]
fn r4_an_error_outranks_a_token_and_a_token_comes_before_the_whole_answer() {
    let (answer, result) = decode(&[&event(r#""token":"unseen","error":{"message":"stop"}"#)]);
    assert_eq!((answer.content(), result.unwrap_err().message.as_str()), ("", "stop"));
    let both = event(r#""modelResponse":{"message":"ab"},"token":"a""#);
    assert_eq!(complete(&[&both]).content(), "ab");
    let (answer, result) = decode(&[&event(r#""modelResponse":{"error":"stop"},"token":"seen""#)]);
    assert_eq!((answer.content(), result.is_err()), ("seen", true));
}

#[test]
fn r5_headers_echoes_and_status_lines_do_not_commit() {
    let mut decoder = Decoder::new(DecoderOptions::default());
    let mut answer = Collector::default();
    let mut feed = |line: &str| decoder.feed(format!("{line}\n").as_bytes(), &mut answer).unwrap();
    assert_eq!(feed(": keep-alive"), Progress { lines: 1, ..Progress::default() });
    let waiting = Progress { lines: 1, good_record: true, ..Progress::default() };
    for line in [
        r#"{"result":{"conversation":{"conversationId":"c1"}}}"#,
        &event(r#""userResponse":{"message":"Hi","model":"grok-3"},"token":"""#),
        &event(r#""uiLayout":{},"isThinking":true"#),
        &event(r#""progressReport":{"percentage":5}"#),
        &event(r#""token":"other","sideBySideIndex":1"#),
        r#"{"result":null}"#,
    ] {
        assert_eq!(feed(line), waiting, "{line}");
    }
    assert!(feed(&thought("hm")).committed);
    assert!(feed(r#"{"result":{"response":{"llmInfo":{}}}}"#).committed);
    assert_eq!(
        feed(&format!("{END}\ndata: [DONE]\nnever read")),
        Progress { lines: 2, good_record: true, committed: true, end_marker: true, done: true }
    );
}

#[test]
fn r5_every_part_of_an_answer_commits() {
    for members in [
        r#""token":"a""#,
        r#""toolUsageCardId":"c""#,
        r#""webSearchResults":{"results":[{}]}"#,
        r#""streamingImageGenerationResponse":{}"#,
        r#""streamingVideoGenerationResponse":{}"#,
        r#""finalMetadata":{}"#,
        r#""modelResponse":{"partial":true}"#,
    ] {
        let mut decoder = Decoder::new(DecoderOptions::default());
        let line = format!("{}\n", event(members));
        assert!(decoder.feed(line.as_bytes(), &mut Collector::default()).unwrap().committed, "{members}");
    }
}

#[test]
fn r6_traffic_of_tools_is_no_text() {
    let answer = complete_all(&[
        event(r#""token":"a","toolUsageCardId":"c1""#),
        event(r#""token":"b","messageTag":"tool_usage_card""#),
        event(r#""token":"c","messageTag":"raw_function_result","isThinking":true"#),
        event(r#""token":"d","messageTag":"never heard of","toolUsageCardId":"""#),
    ]);
    assert_eq!((answer.content(), answer.reasoning()), ("d", ""));
}

#[test]
fn r7_thinking_goes_on_until_the_answer_shows_a_character() {
    let answer = complete_all(&[thought("a"), content("\\n"), thought("b"), content("x"), thought("c")]);
    assert_eq!((answer.content(), answer.reasoning()), ("x", "ab"));
}

#[test]
fn r8_a_heading_is_a_paragraph_whatever_comes_before_it() {
    for (before, expected) in
        [("x", "x\n\nH\n\nz"), ("x\\n", "x\n\nH\n\nz"), ("x\\n\\n", "x\n\nH\n\nz"), ("x\\n\\n\\n", "x\n\n\nH\n\nz")]
    {
        let answer = complete_all(&[thought(before), heading("  H "), thought("z")]);
        assert_eq!(answer.reasoning(), expected, "{before:?}");
    }
    let separate = complete_all(&[thought("x\\n"), thought("\\n"), heading("H"), heading("I")]);
    assert_eq!(separate.reasoning(), "x\n\nH\n\nI");
    let in_answer = complete_all(&[content("x"), event(r#""token":"H","messageTag":"header""#), content("z")]);
    assert_eq!(in_answer.content(), "x\n\nH\n\nz");
}

#[test]
fn r9_an_agent_is_named_when_it_takes_over() {
    let said = |agent: &str, text: &str| event(&format!(r#""token":"{text}","isThinking":true,"rolloutId":"{agent}""#));
    let answer = complete_all(&[said("A", "1"), said("A", "2"), thought("3"), said("A", "4"), said("B", "5\\n")]);
    assert_eq!(answer.reasoning(), "[A]\n1234\n\n[B]\n5");
    let dropped = complete_all(&[said("A", "1"), content("x"), said("B", "late")]);
    assert_eq!(dropped.reasoning(), "[A]\n1");
}

#[test]
fn r10_each_channel_has_its_own_filter() {
    let answer = complete_all(&[
        thought("a<grok:render>hid"),
        content(" <gro"),
        thought("den</grok:render>b<xai"),
        content("k:render>"),
        event(r#""token":"<grok:render/>.""#),
    ]);
    assert_eq!(answer.reasoning(), "ab<xai");
    assert_eq!(answer.content(), " <grok:render>.");
}

#[test]
fn r10_what_was_held_back_is_lost_with_a_cut_stream() {
    let (answer, result) = decode(&[&content("a<gro")]);
    assert_eq!((answer.content(), result.unwrap_err().kind), ("a", ErrorKind::Interrupted));
    assert_eq!(complete_all(&[content("a<gro")]).content(), "a<gro");
}

#[test]
fn r11_results_stand_on_lines_of_their_own_until_the_answer_begins() {
    let results =
        r#"[{"url":"https://a.example/","title":"A"},{"url":"https://user@a.example/"},{"url":"https://a.example/"}]"#;
    let searched = event(&format!(r#""isThinking":true,"citedWebSearchResults":{results}"#));
    let answer = complete_all(&[thought("look"), searched.clone(), thought("found")]);
    assert_eq!(answer.reasoning(), "look\n- [A](https://a.example/)\nfound");
    assert_eq!(answer.sources.len(), 1);
    let late = complete_all(&[content("x"), searched]);
    assert_eq!((late.reasoning(), late.sources.len()), ("", 1));
    let not_thinking = complete_all(&[event(&format!(r#""webSearchResults":{results}"#))]);
    assert_eq!((not_thinking.reasoning(), not_thinking.sources.len()), ("", 1));
}

#[test]
fn r11_posts_need_a_name_and_a_number() {
    let long = "é".repeat(51);
    let posts = format!(
        r#"[{{"username":"u","postId":"1","text":"{long}"}},{{"username":"u","postId":"2","text":" "}},
        {{"username":"u","text":"t"}},{{"postId":"3"}},{{"username":"a b","postId":"(4)","text":"t [x]"}}]"#
    )
    .replace('\n', "");
    let answer = complete_all(&[event(&format!(r#""isThinking":true,"xSearchResults":{{"results":{posts}}}"#))]);
    let found: Vec<_> = answer.sources.iter().map(|source| (&*source.title, &*source.url)).collect();
    let cut = format!("@u: {}…", "é".repeat(50));
    assert_eq!(
        found,
        [
            (&*cut, "https://x.com/u/status/1"),
            ("@u", "https://x.com/u/status/2"),
            ("@a b: t [x]", "https://x.com/a%20b/status/%284%29"),
        ]
    );
    assert!(answer.reasoning().ends_with("- [@a b: t \\[x\\]](https://x.com/a%20b/status/%284%29)"));
}

#[test]
fn r12_pictures_are_those_that_are_finished_and_not_withheld() {
    let frame = |members: &str| event(&format!(r#""streamingImageGenerationResponse":{{{members}}}"#));
    let answer = complete_all(&[
        frame(r#""imageUrl":"/users/u/generated/a/image.jpg","progress":100"#),
        frame(r#""imageUrl":"https://assets.grok.com/users/u/generated/b/image.jpg""#),
        frame(r#""imageUrl":"users/u/generated/a/image.jpg","progress":100"#),
        frame(r#""imageUrl":"users/u/generated/c/image.jpg","progress":99"#),
        frame(r#""imageUrl":"users/u/generated/d-part-0/image.jpg","progress":100"#),
        frame(r#""imageUrl":"https://elsewhere.example/e.jpg","progress":100"#),
        frame(r#""imageUrl":"users/u/generated/f/image.jpg","progress":100"#),
        frame(r#""imageId":"f","moderated":true"#),
        event(r#""cachedImageGenerationResponse":{"imageUrl":"users/u/generated/g/image.jpg"}"#),
    ]);
    assert_eq!(answer.images, ["a", "b", "g"].map(|name| format!("users/u/generated/{name}/image.jpg")));
    assert_eq!(answer.finish, Some(FinishReason::Stop));
}

#[test]
fn r12_the_frames_of_a_withheld_picture_count_once() {
    let mut decoder = Decoder::new(DecoderOptions::default());
    let mut answer = Collector::default();
    for name in ["a-part-0", "a-part-1", "a", "b"] {
        let frame = format!(r#""imageId":"{name}","imageUrl":"users/u/generated/{name}/image.jpg","moderated":true"#);
        let line = event(&format!(r#""streamingImageGenerationResponse":{{{frame}}}"#));
        decoder.feed(format!("{line}\n").as_bytes(), &mut answer).unwrap();
    }
    decoder.feed(END.as_bytes(), &mut answer).unwrap();
    decoder.finish(&mut answer).unwrap();
    assert_eq!(decoder.summary().moderated_images, 2);
    assert_eq!(answer.finish, Some(FinishReason::ContentFilter));
}

#[test]
fn r13_a_video_is_finished_with_its_address_and_a_hundred_percent() {
    let frame = |members: &str| event(&format!(r#""streamingVideoGenerationResponse":{{{members}}}"#));
    let answer = complete_all(&[
        frame(""),
        frame(r#""progress":-5"#),
        frame(r#""progress":12.7,"videoUrl":"early.mp4""#),
        frame(r#""progress":100"#),
        frame(r#""progress":250,"videoUrl":"/v.mp4""#),
        frame(r#""progress":100,"videoUrl":"v.mp4""#),
    ]);
    assert_eq!((answer.video_progress, answer.videos), (vec![0, 12, 100], vec!["v.mp4".to_owned()]));
    let (_, unfinished) = decode(&[&frame(r#""progress":100"#)]);
    assert_eq!(unfinished.unwrap_err().kind, ErrorKind::Interrupted);
    let (_, finished) = decode(&[&frame(r#""progress":100,"videoUrl":"v.mp4""#)]);
    assert_eq!(finished, Ok(()));
    let (withheld, result) = decode(&[&frame(r#""progress":40,"moderated":true"#)]);
    assert_eq!((result, withheld.finish), (Ok(()), Some(FinishReason::ContentFilter)));
}

#[test]
fn r14_the_whole_answer_completes_what_was_streamed() {
    for (streamed, whole, expected) in [
        (&["Hel"][..], "Hello", "Hello"),
        (&["Hello"], "Hello", "Hello"),
        (&["Hello"], "Hel", "Hello"),
        (&["Help"], "Hello", "Help"),
        (&["Hé"], "Hè and more", "Hé"),
        (&[], "Hello", "Hello"),
        (&["  ", "\\n"], "Hello", "Hello"),
        (&["\\n", "Hel"], "\\nHello", "Hello"),
        (&["a<gro"], "a<grok:render/>b", "ab"),
        (&["a<grok:render>"], "a<grok:render>x</grok:render>b", "ab"),
        (&["a"], "a<grok:render>x</grok:render>b<gro", "ab<gro"),
        (&["ab"], "a<grok:render>x</grok:render>bc", "abc"),
        (&["a<gro"], "other", "a<gro"),
    ] {
        let tokens: Vec<String> = streamed.iter().map(|token| content(token)).collect();
        let answer = complete_all(&[&tokens[..], &[message(whole)]].concat());
        assert_eq!(answer.content(), expected, "{streamed:?} and {whole:?}");
    }
}

#[test]
fn r14_errors_within_the_whole_answer_are_errors() {
    for (members, kind) in [
        (r#""error":"heavy usage""#, ErrorKind::Overloaded),
        (r#""error":"","streamErrors":[{"message":"x","usageLimitReached":{}}]"#, ErrorKind::RateLimited),
        (r#""streamErrors":["broken"]"#, ErrorKind::Error),
    ] {
        let (_, result) = decode(&[&event(&format!(r#""modelResponse":{{{members}}}"#))]);
        assert_eq!(result.unwrap_err().kind, kind, "{members}");
    }
    let harmless = event(r#""modelResponse":{"message":"a","error":"","streamErrors":[]}"#);
    assert_eq!(decode(&[&harmless]).1, Ok(()));
}

#[test]
fn r15_only_an_end_marker_makes_an_answer_complete() {
    for (members, is_end) in [
        (r#""token":"x""#, false),
        (r#""isSoftStop":false"#, false),
        (r#""finalMetadata":null"#, false),
        (r#""modelResponse":{"partial":true,"message":"x"}"#, false),
        (r#""sideBySideIndex":1,"isSoftStop":true"#, false),
        (r#""isSoftStop":true"#, true),
        (r#""finalMetadata":{}"#, true),
        (r#""modelResponse":{}"#, true),
    ] {
        let (answer, result) = decode(&[&event(members)]);
        assert_eq!(result.is_ok(), is_end, "{members}");
        assert_eq!(answer.finish.is_some(), is_end, "{members}");
    }
    assert_eq!(decode(&[&content("x"), "data: [DONE]"]).1, Ok(()));
}

#[test]
fn r15_pictures_and_videos_come_after_the_text_and_before_the_end() {
    let lines = [
        event(r#""streamingVideoGenerationResponse":{"progress":100,"videoUrl":"v.mp4"}"#),
        event(r#""streamingImageGenerationResponse":{"imageUrl":"i.jpg"}"#),
        content("text"),
        END.to_owned(),
    ]
    .join("\n");
    let mut decoder = Decoder::new(DecoderOptions::default());
    let mut words = Words::default();
    decoder.feed(lines.as_bytes(), &mut words).unwrap();
    decoder.finish(&mut words).unwrap();
    decoder.finish(&mut words).unwrap();
    assert_eq!(
        words.0,
        ["VideoProgress(100)", "Text(\"text\")", "Image(\"i.jpg\")", "Video(\"v.mp4\")", "Finish(Stop)"]
    );
}

#[test]
fn errors_come_after_what_was_read_before_them_and_stay() {
    let mut decoder = Decoder::new(DecoderOptions::default());
    let mut words = Words::default();
    let body = format!("{}\n{{\"error\":\"first\"}}\n{}\n", content("a"), content("b"));
    let error = decoder.feed(body.as_bytes(), &mut words).unwrap_err();
    assert_eq!(words.0, ["Text(\"a\")"]);
    assert_eq!(decoder.feed(b"{\"error\":\"second\"}\n", &mut words), Err(error.clone()));
    assert_eq!(decoder.finish(&mut words), Err(error));
    assert_eq!((words.0.len(), decoder.summary().records), (1, 2));
}
