//! The sinks between the decoder and the client, put together only as far as a request needs them.

use std::sync::Arc;

use grok2api_upstream::event::{ChatEvent, EventSink};

use crate::emulate::stop::StopSink;
use crate::emulate::tools::{ToolCallSink, ToolRules};

/// A client's sink behind what the request asked for.
pub(crate) enum Chain<S> {
    /// Nothing in between: the common case.
    Plain(S),
    /// Stop sequences.
    Stop(Box<StopSink<S>>),
    /// Tool calls.
    Tools(Box<ToolCallSink<S>>),
    /// Tool calls are found first, stop sequences in what is left.
    ToolsStop(Box<ToolCallSink<StopSink<S>>>),
}

impl<S: EventSink> Chain<S> {
    pub(crate) fn new(sink: S, stop: &[String], tools: Option<Arc<ToolRules>>) -> Self {
        match (stop.is_empty(), tools) {
            (true, None) => Self::Plain(sink),
            (false, None) => Self::Stop(Box::new(StopSink::new(sink, stop))),
            (true, Some(tools)) => Self::Tools(Box::new(ToolCallSink::new(sink, tools))),
            (false, Some(tools)) => Self::ToolsStop(Box::new(ToolCallSink::new(StopSink::new(sink, stop), tools))),
        }
    }

    pub(crate) fn inner_mut(&mut self) -> &mut S {
        match self {
            Self::Plain(sink) => sink,
            Self::Stop(stop) => stop.inner_mut(),
            Self::Tools(tools) => tools.inner_mut(),
            Self::ToolsStop(tools) => tools.inner_mut().inner_mut(),
        }
    }

    pub(crate) fn into_inner(self) -> S {
        match self {
            Self::Plain(sink) => sink,
            Self::Stop(stop) => stop.into_inner(),
            Self::Tools(tools) => tools.into_inner(),
            Self::ToolsStop(tools) => tools.into_inner().into_inner(),
        }
    }

    /// Whether the client has all it asked for, so that the upstream may be cancelled.
    pub(crate) fn is_satisfied(&mut self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Stop(stop) => stop.matched(),
            Self::Tools(tools) => tools.is_complete(),
            Self::ToolsStop(tools) => tools.is_complete() || tools.inner().matched(),
        }
    }

    /// Ends an answer that [`Chain::is_satisfied`] before the upstream ended it.
    pub(crate) fn finish_early(&mut self) {
        self.event(ChatEvent::Finish(grok2api_upstream::event::FinishReason::Stop));
    }
}

impl<S: EventSink> EventSink for Chain<S> {
    fn event(&mut self, event: ChatEvent<'_>) {
        match self {
            Self::Plain(sink) => sink.event(event),
            Self::Stop(stop) => stop.event(event),
            Self::Tools(tools) => tools.event(event),
            Self::ToolsStop(tools) => tools.event(event),
        }
    }
}
