//! The body of a chat answer.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::inflate::{BodyFault, CappedBody};
use super::wire::WireBody;
use crate::error::{ErrorKind, UpstreamError};

/// The stream of an answer: status 200 and no HTML page. Dropping it cancels the request.
///
/// Polling it is what moves the connection: no task of its own does.
pub struct AnswerBody {
    body: CappedBody<WireBody>,
}

impl AnswerBody {
    pub(super) fn new(body: CappedBody<WireBody>) -> Self {
        Self { body }
    }

    /// The next piece of the answer, inflated, never empty. `None` at the end, and after an error.
    pub fn poll_chunk(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        self.get_mut().body.poll_piece(cx).map(|piece| piece.map(|piece| piece.map_err(body_error)))
    }

    /// Waits for the next piece of the answer. Dropping the future loses nothing.
    pub async fn next_chunk(&mut self) -> Option<Result<Bytes, UpstreamError>> {
        self.body.next_piece().await.map(|piece| piece.map_err(body_error))
    }
}

impl fmt::Debug for AnswerBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerBody").finish_non_exhaustive()
    }
}

/// What a broken body means to the caller.
pub(super) fn body_error(fault: BodyFault) -> UpstreamError {
    match fault {
        BodyFault::TooLarge => UpstreamError::new(ErrorKind::Error, "the upstream's answer is larger than allowed"),
        BodyFault::Undecodable => UpstreamError::new(ErrorKind::Error, "the upstream's answer cannot be decompressed"),
        BodyFault::Cut => {
            UpstreamError::new(ErrorKind::Interrupted, "the upstream ended its answer before it was complete")
        }
    }
}
