//! The three time limits of a stream. They fire on silence: a timer wakes the stream, no line is needed.

use std::task::{Context, Poll};
use std::time::Duration;

use grok2api_config::Settings;
use grok2api_upstream::error::{ErrorKind, UpstreamError};
use tokio::time::Instant;

use crate::alarm::Alarm;

/// Time after an end marker within which the upstream may still add something (rule R15).
const TAIL: Duration = Duration::from_secs(3);
/// Heavy and video models may be quiet for longer before their first line.
const SLOW_MODEL_FACTOR: u32 = 4;
/// "No limit" in a form that timers can hold.
const NEVER: Duration = Duration::from_secs(86_400 * 365);

/// Time limits of one stream, as configured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Until the first line.
    pub(crate) first: Duration,
    /// Between two lines.
    pub(crate) silence: Duration,
    /// For the whole stream, all attempts together.
    pub(crate) total: Duration,
}

impl Limits {
    /// The limits in force for a model; `slow` for models that think or draw for long before their first line.
    pub(crate) fn new(settings: &Settings, slow: bool) -> Self {
        let or_never = |secs: u64| if secs == 0 { NEVER } else { Duration::from_secs(secs) };
        let first = or_never(settings.grok.stream_first_response_timeout);
        Self {
            first: if slow { first.saturating_mul(SLOW_MODEL_FACTOR).min(NEVER) } else { first },
            silence: or_never(settings.grok.stream_chunk_timeout),
            total: or_never(settings.grok.stream_total_timeout),
        }
    }
}

impl Limits {
    /// The same with another limit for the whole stream.
    pub(crate) fn within(self, total_secs: u64) -> Self {
        Self { total: Duration::from_secs(total_secs), ..self }
    }
}

/// What passing a deadline means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expired {
    /// The stream has failed.
    Failed(&'static str),
    /// The answer was complete and nothing was added: it ends here.
    Tail,
}

impl Expired {
    pub(crate) fn error(message: &'static str) -> UpstreamError {
        UpstreamError::new(ErrorKind::Timeout, message)
    }
}

/// One lazily moved timer for all three limits: a line costs a store, not a timer operation.
pub(crate) struct Deadline {
    limits: Limits,
    total_at: Instant,
    next_at: Instant,
    seen_line: bool,
    tail: bool,
    last_line: Instant,
    timer: Alarm,
}

impl Deadline {
    pub(crate) fn start(limits: Limits, request_started: Instant) -> Self {
        let total_at = request_started + limits.total;
        let next_at = (Instant::now() + limits.first).min(total_at);
        Self {
            limits,
            total_at,
            next_at,
            seen_line: false,
            tail: false,
            last_line: Instant::now(),
            timer: Alarm::at(next_at),
        }
    }

    /// Notes a sign of life.
    pub(crate) fn line(&mut self, now: Instant) {
        self.seen_line = true;
        self.last_line = now;
        if !self.tail {
            self.next_at = (now + self.limits.silence).min(self.total_at);
            if self.next_at < self.timer.rings_at() {
                self.timer.reset(self.next_at);
            }
        }
    }

    /// Notes that the answer is complete apart from what may still trail.
    pub(crate) fn end_marker(&mut self, now: Instant) {
        if !self.tail {
            self.tail = true;
            self.next_at = now + TAIL;
            self.timer.reset(self.next_at);
        }
    }

    /// Whether a limit has passed by now.
    pub(crate) fn has_passed(&self) -> bool {
        Instant::now() >= self.next_at
    }

    /// Ready when a limit has passed.
    pub(crate) fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<Expired> {
        loop {
            if self.timer.poll(cx).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() >= self.next_at {
                return Poll::Ready(self.verdict());
            }
            self.timer.reset(self.next_at);
        }
    }

    /// Whether a limit has passed, for a stream that never goes to sleep.
    ///
    /// As of the latest line: a stream without lines does go to sleep.
    pub(crate) fn is_over(&self) -> Option<Expired> {
        let now = self.last_line;
        (now >= self.total_at || (self.tail && now >= self.next_at)).then(|| self.verdict())
    }

    fn verdict(&self) -> Expired {
        if self.tail {
            Expired::Tail
        } else if self.next_at >= self.total_at {
            Expired::Failed("the upstream did not finish its answer in time")
        } else if self.seen_line {
            Expired::Failed("the upstream fell silent in the middle of its answer")
        } else {
            Expired::Failed("the upstream did not begin to answer in time")
        }
    }
}
