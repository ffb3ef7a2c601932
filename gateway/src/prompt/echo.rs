//! Takes out of earlier answers what the gateway itself wrote into them (§3.4 rule 4).

use std::borrow::Cow;

use memchr::memchr2_iter;

const THINK_OPEN: &str = "<think>";
const THINK_CLOSE: &str = "</think>";
const IMAGE_OPEN: &str = "![Generated Image](";
const VIDEO_OPEN: &str = "<video src=\"";
const VIDEO_CLOSE: &str = "></video>";

/// The text of an assistant message without a leading think block and without our media lines.
///
/// Pictures come back as `data:` URLs of megabytes; even one that a broken stream cut off is removed.
pub(super) fn strip(text: &str) -> Cow<'_, str> {
    let text = without_reasoning(text);
    if !text.contains(IMAGE_OPEN) && !text.contains(VIDEO_OPEN) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        let before = kept.len();
        if push_without_media(&mut kept, line) && kept[before..].trim().is_empty() {
            kept.truncate(before); // the line held nothing else
        }
    }
    kept.truncate(kept.trim_end().len());
    Cow::Owned(kept)
}

fn without_reasoning(text: &str) -> &str {
    text.trim_start()
        .strip_prefix(THINK_OPEN)
        .and_then(|rest| rest.split_once(THINK_CLOSE))
        .map_or(text, |(_, answer)| answer.trim_start())
}

/// Appends a line without its media elements and tells whether it had any.
fn push_without_media(kept: &mut String, mut line: &str) -> bool {
    let mut removed = false;
    while let Some((start, length)) = next_element(line) {
        kept.push_str(&line[..start]);
        line = &line[start + length..];
        removed = true;
    }
    kept.push_str(line);
    removed
}

/// Start and length of the first media element of a line.
fn next_element(line: &str) -> Option<(usize, usize)> {
    memchr2_iter(b'!', b'<', line.as_bytes()).find_map(|start| {
        let text = &line[start..];
        let length = if text.starts_with(IMAGE_OPEN) {
            Some(image_length(text))
        } else if text.starts_with(VIDEO_OPEN) {
            video_length(text)
        } else {
            None
        };
        Some((start, length?))
    })
}

fn image_length(text: &str) -> usize {
    text.find(')').map_or_else(|| text.trim_end_matches(['\r', '\n']).len(), |close| close + 1)
}

/// Only an element without a body is ours: one with `<source>` inside is part of what the model wrote.
fn video_length(text: &str) -> Option<usize> {
    let end = VIDEO_OPEN.len() + text[VIDEO_OPEN.len()..].find(['<', '>'])?;
    text[end..].starts_with(VIDEO_CLOSE).then_some(end + VIDEO_CLOSE.len())
}

#[cfg(test)]
mod tests {
    use super::{VIDEO_OPEN, strip};

    #[test]
    fn a_leading_think_block_goes() {
        assert_eq!(strip("<think>\nHm.\n\n</think>\nYes."), "Yes.");
        assert_eq!(strip("\n <think>a</think>b <think>c</think>"), "b <think>c</think>");
        assert_eq!(strip("<think>only</think>\n"), "");
    }

    #[test]
    fn a_think_block_elsewhere_or_unclosed_stays() {
        assert_eq!(strip("See <think>a</think>"), "See <think>a</think>");
        assert_eq!(strip("<think>never closed"), "<think>never closed");
    }

    #[test]
    fn picture_lines_go() {
        assert_eq!(
            strip("Here:\n![Generated Image](https://h/images/a-b.jpg)\n![Generated Image](/images/c.jpg)"),
            "Here:"
        );
        assert_eq!(strip("![Generated Image](data:image/png;base64,AAAA)\nDone."), "Done.");
        assert_eq!(strip("A ![Generated Image](x) B"), "A  B");
        assert_eq!(strip("![Generated Image](x) "), "");
    }

    #[test]
    fn a_picture_cut_off_by_a_broken_stream_goes_to_the_end_of_its_line() {
        assert_eq!(strip("Here:\n![Generated Image](data:image/png;base64,AAAA"), "Here:");
        assert_eq!(strip("![Generated Image](data:AAAA\r\nnext"), "next");
    }

    #[test]
    fn video_tags_go() {
        assert_eq!(strip("<video src=\"/images/a.mp4\" controls=\"controls\"></video>\n"), "");
        assert_eq!(
            strip(
                "<think>视频已生成100%</think>\n<video src=\"u\" controls=\"controls\" width=\"500\" height=\"300\"></video>\n"
            ),
            ""
        );
        assert_eq!(strip("a\n<video src=\"u\"></video>\nb"), "a\nb");
    }

    #[test]
    fn lines_full_of_beginnings_take_no_longer() {
        let opens = VIDEO_OPEN.repeat(200_000);
        assert_eq!(strip(&opens), opens); // seconds if each one looked through all that follows
        assert_eq!(strip(&"![Generated Image](x)".repeat(200_000)), "");
        assert_eq!(strip("<video src=\"a\">old</video> <video src=\"u\"></video>"), "<video src=\"a\">old</video>");
    }

    #[test]
    fn markup_that_the_model_wrote_stays() {
        for text in [
            "![A cat](x.png)",
            "<video controls>\n<source src=\"a\">\n</video>",
            "<video src=\"a\">old browser</video>",
            "plain",
        ] {
            assert_eq!(strip(text), text);
        }
    }
}
