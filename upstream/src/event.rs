//! The narrow waist: the typed events that every upstream codec produces and every client dialect consumes.

/// What an answer consists of, in the order in which it is produced.
///
/// Text borrows from the decoder's buffers: a sink that wants to keep it copies it, once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ChatEvent<'a> {
    /// A piece of the answer. Never empty.
    Text(&'a str),
    /// A piece of the model's reasoning. Never empty.
    Reasoning(&'a str),
    /// A source the answer rests on. Each address comes once in a stream.
    Source(SearchSource<'a>),
    /// A finished picture, by its path on the asset host, without a leading slash.
    Image(&'a str),
    /// Progress of a video in percent, 0–100, strictly increasing.
    VideoProgress(u8),
    /// A finished video, by its path on the asset host, without a leading slash.
    Video(&'a str),
    /// One call of a client's tool, whole: what the model asks the client to run.
    ToolCall(ToolCall<'a>),
    /// The answer is complete. Comes exactly once, last, and only on success.
    Finish(FinishReason),
}

/// A web page or a post that the model has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchSource<'a> {
    /// Web page or post.
    pub kind: SourceKind,
    /// White space collapsed; the address when the upstream gave no title.
    pub title: &'a str,
    /// An `http` or `https` address, safe to stand in Markdown.
    pub url: &'a str,
}

/// Where a [`SearchSource`] comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// A page of the web.
    Web,
    /// A post on X.
    XPost,
}

/// A call of a tool that the client offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolCall<'a> {
    /// Position among the calls of this answer, from 0.
    pub index: u32,
    /// Name of an offered tool.
    pub name: &'a str,
    /// JSON text of an object.
    pub arguments: &'a str,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// The model had nothing to add, or a stop sequence was met.
    Stop,
    /// Pictures or a video were withheld by the upstream and none is left.
    ContentFilter,
    /// The model asks the client to run tools.
    ToolCalls,
}

/// Takes events as they are decoded. Called on the hot path: it must not block.
pub trait EventSink {
    /// Takes the next event.
    fn event(&mut self, event: ChatEvent<'_>);
}

impl<S: EventSink + ?Sized> EventSink for &mut S {
    fn event(&mut self, event: ChatEvent<'_>) {
        (**self).event(event);
    }
}
