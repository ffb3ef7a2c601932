//! What a worker keeps of an answer.

use grok2api_upstream::event::{ChatEvent, EventSink, FinishReason};

/// Characters of an answer's text that are kept, to explain why there is no picture.
const TEXT: usize = 300;

/// Collects results and progress.
#[derive(Debug, Default)]
pub(crate) struct MediaSink {
    pub(crate) images: Vec<String>,
    pub(crate) videos: Vec<String>,
    pub(crate) text: String,
    pub(crate) progress: u8,
    pub(crate) finish: Option<FinishReason>,
}

impl EventSink for MediaSink {
    fn event(&mut self, event: ChatEvent<'_>) {
        match event {
            ChatEvent::Image(path) => self.images.push(path.to_owned()),
            ChatEvent::Video(path) => self.videos.push(path.to_owned()),
            ChatEvent::VideoProgress(percent) => self.progress = percent,
            ChatEvent::Text(text) => {
                let room = TEXT.saturating_sub(self.text.chars().count());
                self.text.extend(text.chars().take(room));
            }
            ChatEvent::Finish(reason) => self.finish = Some(reason),
            ChatEvent::Reasoning(_) | ChatEvent::Source(_) | ChatEvent::ToolCall(_) => {}
        }
    }
}
