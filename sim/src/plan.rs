//! What is sent for one call: head, lines, schedule, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::answer::Rendered;
use crate::pace::{Pace, Schedule};

/// A streamed answer, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Wait before the head.
    pub(crate) head_delay: Duration,
    /// Wait between the head and the first line.
    pub(crate) body_delay: Duration,
    pub(crate) lines: Arc<[Bytes]>,
    /// How many of the lines are sent before `end`.
    pub(crate) count: usize,
    pub(crate) schedule: Schedule,
    pub(crate) end: End,
}

/// What happens after the last line.
#[derive(Debug, Clone)]
pub(crate) enum End {
    /// The body ends properly.
    Finish,
    /// Nothing more comes, and the connection stays open.
    Hang,
    /// The connection is cut without an end of the body.
    Cut,
    /// The same piece again and again, at most so many times.
    Repeat { piece: Bytes, left: u64, gap: Duration },
}

impl Plan {
    /// Sends a rendered answer at a pace.
    pub(crate) fn answer(rendered: &Rendered, pace: Pace) -> Self {
        let lines = Arc::clone(rendered.lines());
        Self {
            schedule: Schedule::new(pace, rendered.paced(), rendered.stretch()),
            count: lines.len(),
            lines,
            ..Self::empty()
        }
    }

    /// Sends these pieces as they are, as fast as they are read.
    pub(crate) fn pieces(pieces: Vec<Bytes>) -> Self {
        Self { count: pieces.len(), lines: pieces.into(), ..Self::empty() }
    }

    /// A successful head and no body.
    pub(crate) fn empty() -> Self {
        Self {
            status: StatusCode::OK,
            headers: HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]),
            head_delay: Duration::ZERO,
            body_delay: Duration::ZERO,
            lines: Arc::from([]),
            count: 0,
            schedule: Schedule::Each,
            end: End::Finish,
        }
    }

    /// Sends only the first lines and then does something else.
    pub(crate) fn after(mut self, count: usize, end: End) -> Self {
        self.count = count.min(self.lines.len());
        self.end = end;
        self
    }
}
