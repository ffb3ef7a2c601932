//! How does an answer leave the house? Line by line, without a copy or an allocation per line.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::accounts::Running;
use crate::plan::{End, Plan};

/// Body of every response of the simulator.
#[derive(Debug)]
pub(crate) enum SimBody {
    /// Known in full.
    Whole(Option<Bytes>),
    /// Sent by a plan.
    Stream(Box<StreamBody>),
}

/// A planned body. Dropped before its end, it counts as an answer that the client has left.
#[derive(Debug)]
pub(crate) struct StreamBody {
    plan: Plan,
    next: usize,
    start: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    /// The line before has been flushed.
    flushed: bool,
    /// How often the repeated piece was sent.
    repeated: u32,
    running: Option<Running>,
}

impl SimBody {
    /// Starts the clock of a plan.
    pub(crate) fn stream(plan: Plan, running: Option<Running>) -> Self {
        let start = Instant::now() + plan.body_delay;
        let flushed = plan.count > 0; // a head without lines must leave before a cut
        Self::Stream(Box::new(StreamBody { plan, next: 0, start, timer: None, flushed, repeated: 0, running }))
    }
}

impl StreamBody {
    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.next >= self.plan.count {
            return self.poll_end(cx);
        }
        if let Some(due) = self.plan.schedule.due(self.next) {
            ready!(self.poll_timer(due, cx));
        } else if self.next == 0 && !self.plan.body_delay.is_zero() {
            ready!(self.poll_timer(Duration::ZERO, cx));
        } else if self.plan.schedule.writes_each_line() {
            ready!(self.poll_flushed(cx));
        }
        self.flushed = false;
        let line = self.plan.lines[self.next].clone();
        self.next += 1;
        if self.is_last() {
            self.complete();
        }
        Poll::Ready(Some(Ok(Frame::data(line))))
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.plan.end {
            End::Hang => Poll::Pending,
            End::Cut => {
                ready!(self.poll_flushed(cx)); // what was said before the cut must arrive
                self.finish();
                Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::ConnectionReset, "cut by the simulator"))))
            }
            End::Finish | End::Repeat { left: 0, .. } => {
                self.complete();
                Poll::Ready(None)
            }
            End::Repeat { piece, gap, .. } => {
                let (piece, gap) = (piece.clone(), *gap);
                if gap.is_zero() {
                    ready!(self.poll_flushed(cx));
                } else {
                    let last = self.plan.count.saturating_sub(1);
                    let before = self.plan.schedule.due(last).unwrap_or_default();
                    ready!(self.poll_timer(before + gap.saturating_mul(self.repeated), cx));
                }
                self.repeated = self.repeated.saturating_add(1);
                self.flushed = false;
                if let End::Repeat { left, .. } = &mut self.plan.end {
                    *left -= 1;
                }
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
        }
    }

    /// Gives the connection one chance to write what it holds.
    fn poll_flushed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.flushed {
            return Poll::Ready(());
        }
        self.flushed = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_timer(&mut self, due: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.start + due;
        if Instant::now() >= deadline {
            return Poll::Ready(());
        }
        match &mut self.timer {
            Some(timer) if timer.deadline() == deadline => {}
            Some(timer) => timer.as_mut().reset(deadline),
            None => self.timer = Some(Box::pin(sleep_until(deadline))),
        }
        self.timer.as_mut().map_or(Poll::Ready(()), |timer| timer.as_mut().poll(cx))
    }

    /// The body ends properly. It may still hold less than the answer.
    fn complete(&mut self) {
        let is_whole = self.plan.count == self.plan.lines.len();
        match &mut self.running {
            Some(running) if is_whole => running.complete(),
            Some(running) => running.finish(),
            None => {}
        }
    }

    fn finish(&mut self) {
        if let Some(running) = &mut self.running {
            running.finish();
        }
    }

    fn is_last(&self) -> bool {
        self.next >= self.plan.count && matches!(self.plan.end, End::Finish)
    }
}

impl Body for SimBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(stream) => stream.poll_line(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            // An empty planned body still says that it is a stream.
            Self::Stream(stream) => stream.next > 0 && stream.is_last(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
