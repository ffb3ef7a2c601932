//! What one record does to the answer (rules R3–R5, R14 and R15).

use std::sync::Arc;

use super::hidden::HiddenElements;
use super::lenient::{Flag, Text};
use super::media::Media;
use super::record::{Events, ModelResponse, Record, Response};
use super::sources::{Listing, Sources};
use super::text::Texts;
use crate::classify::classify_line;
use crate::error::UpstreamError;
use crate::event::{EventSink, FinishReason};

/// Longest name or title that is kept, in bytes.
const MAX_NAME_BYTES: usize = 1024;

/// One answer in the making.
pub(super) struct Answer {
    texts: Texts,
    sources: Sources,
    media: Media,
    committed: bool,
    ended: bool,
    model: Option<Box<str>>,
    title: Option<Box<str>>,
    conversation_id: Option<Box<str>>,
    video_id: Option<Box<str>>,
}

impl Answer {
    pub(super) fn new(hidden: Arc<HiddenElements>, asset_hosts: Arc<[Box<str>]>) -> Self {
        Self {
            texts: Texts::new(hidden),
            sources: Sources::default(),
            media: Media::new(asset_hosts),
            committed: false,
            ended: false,
            model: None,
            title: None,
            conversation_id: None,
            video_id: None,
        }
    }

    /// Takes one JSON object of the stream.
    ///
    /// # Errors
    ///
    /// The error that the object reports.
    pub(super) fn take(&mut self, record: Record<'_>, sink: &mut dyn EventSink) -> Result<(), UpstreamError> {
        if let Some(error) = record.error.filter(|error| error.present) {
            return Err(classify_line(*error));
        }
        let outcome = record.result;
        if let Some(conversation) = &outcome.conversation.0 {
            keep(&mut self.conversation_id, conversation.id.non_empty());
        }
        if let Some(title) = outcome.title.0.as_ref().and_then(|title| title.new_title.non_empty()) {
            keep(&mut self.title, Some(title));
            self.committed = true;
        }
        if outcome.response.is_alternative() {
            return Ok(());
        }
        self.take_response(outcome.response, sink)
    }

    fn take_response(&mut self, mut response: Response<'_>, sink: &mut dyn EventSink) -> Result<(), UpstreamError> {
        let part_of_answer = response.is_part_of_answer();
        let mut events = response.rare.take();
        if let Some(events) = &mut events {
            if events.error.present {
                return Err(classify_line(std::mem::take(&mut events.error)));
            }
            self.take_events(events, response.thinking, sink);
        }
        self.texts.token(&response, sink);
        self.ended |= response.soft_stop.0;
        if let Some(events) = events {
            self.ended |= events.final_metadata.0;
            if let Some(whole) = events.model_response.0 {
                self.take_model_response(whole, sink)?;
            }
        }
        self.committed |= part_of_answer;
        Ok(())
    }

    /// Takes what comes before the token.
    fn take_events(&mut self, events: &Events<'_>, thinking: Flag, sink: &mut dyn EventSink) {
        if let Some(user) = &events.user.0 {
            keep(&mut self.model, user.model.non_empty());
        }
        if let Some(frame) = &events.video.0 {
            keep(&mut self.video_id, frame.id.non_empty());
            self.ended |= self.media.video_frame(frame, sink);
        }
        for frame in [&events.image.0, &events.cached_image.0].into_iter().flatten() {
            self.media.image_frame(frame);
        }
        let listing = if thinking.0 { Listing::InReasoning(&mut self.texts) } else { Listing::Silent };
        self.sources.add([&events.web, &events.cited], &events.posts, listing, sink);
    }

    fn take_model_response(&mut self, whole: ModelResponse<'_>, sink: &mut dyn EventSink) -> Result<(), UpstreamError> {
        keep(&mut self.model, whole.model.non_empty());
        let error = std::iter::once(whole.error).chain(whole.stream_errors.0).find(|error| error.present);
        if let Some(error) = error {
            return Err(classify_line(error));
        }
        self.media.image_list(whole.images.0.iter().map(Text::as_str));
        self.sources.add([&whole.web, &whole.cited], &whole.posts, Listing::Silent, sink);
        self.texts.message(whole.message.as_str(), sink);
        self.ended |= !whole.partial.0;
        Ok(())
    }

    /// The stream itself says that it is over.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Gives out what was held back: text, pictures, videos.
    pub(super) fn finish(&mut self, sink: &mut dyn EventSink) -> FinishReason {
        self.texts.finish(sink);
        self.media.finish(sink)
    }

    pub(super) fn is_committed(&self) -> bool {
        self.committed
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    pub(super) fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    pub(super) fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    pub(super) fn conversation_id(&self) -> Option<&str> {
        self.conversation_id.as_deref()
    }

    pub(super) fn video_id(&self) -> Option<&str> {
        self.video_id.as_deref()
    }

    /// What the upstream calls its work, moved out: the conversation, or else the video.
    pub(super) fn take_upstream_id(&mut self) -> Option<Box<str>> {
        self.conversation_id.take().or_else(|| self.video_id.take())
    }

    pub(super) fn withheld_images(&self) -> usize {
        self.media.withheld_images()
    }

    /// Bytes of memory that are held.
    pub(super) fn held_bytes(&self) -> usize {
        let names = [&self.model, &self.title, &self.conversation_id, &self.video_id];
        let names: usize = names.into_iter().flatten().map(|name| name.len()).sum();
        names + self.texts.held_bytes() + self.sources.held_bytes() + self.media.held_bytes()
    }
}

/// Keeps a name that was seen, cut to a bearable length.
fn keep(slot: &mut Option<Box<str>>, seen: Option<&str>) {
    let Some(seen) = seen else { return };
    let seen = &seen[..seen.floor_char_boundary(MAX_NAME_BYTES)];
    if slot.as_deref() != Some(seen) {
        *slot = Some(seen.into());
    }
}
