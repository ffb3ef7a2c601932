//! Bodies in slices: however long an answer is, little of it is copied for a client that does not read.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::between::Between;

/// Longest slice of a body that lies ready.
const SLICE: usize = 8 * 1024;
/// A body that is made as it goes is given away as it comes, but not while so much of it is on the way (F19 allows 64 KiB).
const MOST_UNSENT: usize = 16 * 1024;

/// A body that is given away in slices, and not while the ones before lie in the connection's buffer.
pub(super) struct Slices<B> {
    inner: B,
    rest: Bytes,
    between: Between,
    /// Longest slice, and with how many bytes on the way nothing more is given away.
    limits: (usize, usize),
}

impl<B: Body> Slices<B> {
    pub(super) fn new(inner: B, between: Between) -> Self {
        between.begin();
        let is_ready = inner.size_hint().exact().is_some();
        let limits = if is_ready { (SLICE, 1) } else { (usize::MAX, MOST_UNSENT) };
        Self { inner, rest: Bytes::new(), between, limits }
    }

    fn slice(&mut self) -> Frame<Bytes> {
        let slice = self.rest.split_to(self.rest.len().min(self.limits.0));
        self.between.give(slice.len());
        Frame::data(slice)
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Slices<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        if this.between.unsent() >= this.limits.1 {
            // A socket that takes nothing wakes the connection itself; otherwise it only has to be written to first.
            if !this.between.is_stalled() {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        if !this.rest.is_empty() {
            return Poll::Ready(Some(Ok(this.slice())));
        }
        let next = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        Poll::Ready(next.map(|frame| {
            frame.map(|frame| match frame.into_data() {
                Ok(data) => {
                    this.rest = data;
                    this.slice()
                }
                Err(trailers) => trailers,
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.inner.size_hint();
        let rest = u64::try_from(self.rest.len()).unwrap_or(u64::MAX);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(hint.lower().saturating_add(rest));
        hint
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::task::Waker;

    use super::*;

    fn poll<B: Body<Data = Bytes, Error = std::io::Error> + Unpin>(body: &mut Slices<B>) -> Poll<Option<Bytes>> {
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(body).poll_frame(&mut cx).map(|frame| frame.map(|frame| frame.unwrap().into_data().unwrap()))
    }

    #[test]
    fn f19_a_client_that_takes_nothing_is_given_little_and_one_that_reads_gets_all() {
        let text: Vec<u8> = (0..100_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let between = Between::default();
        let answer: hyper::Response<_> = poem::Response::from(text.clone()).into();
        let mut body = Slices::new(answer.into_body(), between.clone());
        assert_eq!(body.size_hint().exact(), Some(100_000));
        let mut received = Vec::new();
        let mut held = 0;
        while !body.is_end_stream() {
            match poll(&mut body) {
                Poll::Ready(slice) => {
                    let slice = slice.unwrap();
                    held += slice.len();
                    received.extend_from_slice(&slice);
                    assert!(held <= SLICE, "{held} bytes lie in the buffer");
                    let left = u64::try_from(text.len() - received.len()).unwrap();
                    assert_eq!(body.size_hint().exact(), Some(left));
                }
                Poll::Pending => {
                    between.took(held);
                    held = 0;
                }
            }
        }
        assert_eq!(received, text);
    }
}
