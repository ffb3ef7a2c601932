//! A whole answer, for those who want it in one piece (rule R16).

use crate::codec::{trim_content, trim_reasoning};
use crate::event::{ChatEvent, EventSink, FinishReason, SourceKind};

/// Collects the events of one answer.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Collector {
    content: String,
    reasoning: String,
    /// Paths of the pictures on the asset host, in order.
    pub images: Vec<String>,
    /// Paths of the videos on the asset host, in order.
    pub videos: Vec<String>,
    /// Progress of the video in percent, rising.
    pub video_progress: Vec<u8>,
    /// What the answer rests on, in order of appearance.
    pub sources: Vec<CollectedSource>,
    /// Calls of the client's tools, in order.
    pub tool_calls: Vec<CollectedToolCall>,
    /// How the answer ended; `None` while it is not complete.
    pub finish: Option<FinishReason>,
}

/// A [`SearchSource`](crate::event::SearchSource) that owns its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectedSource {
    /// Web page or post.
    pub kind: SourceKind,
    /// Title; the address when there was none.
    pub title: String,
    /// Address.
    pub url: String,
}

/// A [`ToolCall`](crate::event::ToolCall) that owns its text. Its index is its place in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectedToolCall {
    /// Name of the tool.
    pub name: String,
    /// JSON text of an object.
    pub arguments: String,
}

impl EventSink for Collector {
    fn event(&mut self, event: ChatEvent<'_>) {
        match event {
            ChatEvent::Text(text) => self.content.push_str(text),
            ChatEvent::Reasoning(text) => self.reasoning.push_str(text),
            ChatEvent::Source(source) => self.sources.push(CollectedSource {
                kind: source.kind,
                title: source.title.to_owned(),
                url: source.url.to_owned(),
            }),
            ChatEvent::Image(path) => self.images.push(path.to_owned()),
            ChatEvent::VideoProgress(percent) => self.video_progress.push(percent),
            ChatEvent::Video(path) => self.videos.push(path.to_owned()),
            ChatEvent::ToolCall(call) => self
                .tool_calls
                .push(CollectedToolCall { name: call.name.to_owned(), arguments: call.arguments.to_owned() }),
            ChatEvent::Finish(reason) => self.finish = Some(reason),
        }
    }
}

impl Collector {
    /// The answer's text, without its pictures and videos.
    pub fn content(&self) -> &str {
        trim_content(&self.content)
    }

    /// The model's reasoning; empty when there was none.
    pub fn reasoning(&self) -> &str {
        trim_reasoning(&self.reasoning)
    }

    /// The answer's text followed by the lines that show its pictures and videos.
    ///
    /// `line` gives that of the file at a path of the asset host; without one, the file is left out.
    pub fn with_media(&self, line: impl FnMut(&String) -> Option<String>) -> String {
        let mut rendered = self.content().to_owned();
        for line in self.images.iter().chain(&self.videos).filter_map(line) {
            if !rendered.is_empty() {
                rendered.push('\n');
            }
            rendered.push_str(&line);
        }
        rendered
    }
}

/// A picture as it stands in an answer.
pub fn image_markdown(url: &str) -> String {
    format!("![Generated Image]({url})")
}

/// A video as it stands in an answer.
pub fn video_markup(url: &str) -> String {
    format!("<video src=\"{url}\" controls=\"controls\"></video>")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(events: &[ChatEvent<'_>]) -> Collector {
        let mut collector = Collector::default();
        for &event in events {
            collector.event(event);
        }
        collector
    }

    #[test]
    fn r16_white_space_around_the_answer_goes() {
        let answer = collected(&[
            ChatEvent::Reasoning(" \nthought\n "),
            ChatEvent::Text("\r\n\n  indented"),
            ChatEvent::Text(" text \n\n"),
        ]);
        assert_eq!(answer.content(), "  indented text");
        assert_eq!(answer.reasoning(), "thought");
    }

    #[test]
    fn r16_media_follow_the_text_one_a_line() {
        let media = [ChatEvent::Image("a/1.jpg"), ChatEvent::Image("a/2.jpg"), ChatEvent::Video("a/v.mp4")];
        let line = |path: &String| {
            let url = format!("https://gateway.example/{path}");
            Some(if path.ends_with("mp4") { video_markup(&url) } else { image_markdown(&url) })
        };
        let expected = "![Generated Image](https://gateway.example/a/1.jpg)\n\
            ![Generated Image](https://gateway.example/a/2.jpg)\n\
            <video src=\"https://gateway.example/a/v.mp4\" controls=\"controls\"></video>";
        assert_eq!(collected(&media).with_media(line), expected);
        assert_eq!(collected(&media).with_media(|_| None), "");
        let with_text = [&[ChatEvent::Text("Here.\n")], &media[..]].concat();
        assert_eq!(collected(&with_text).with_media(line), format!("Here.\n{expected}"));
    }
}
