//! What a connection's two ends know of each other: the bytes and the requests that hyper made of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Shared by the socket's side of a connection and the side of its requests. Both run in one task: the atomics are there
/// for the type, nothing is contended.
#[derive(Debug, Clone, Default)]
pub(super) struct Between(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Bytes of answers that were given away and are not with the system yet.
    unsent: AtomicUsize,
    /// The system took nothing at the last try; it wakes the connection when it does.
    stalled: AtomicBool,
    /// The header block that was read last had a `Content-Length`.
    has_length: AtomicBool,
}

impl Between {
    pub(super) fn unsent(&self) -> usize {
        self.0.unsent.load(Ordering::Relaxed)
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.0.stalled.load(Ordering::Relaxed)
    }

    /// An answer begins: what one before gave away and nobody sent will not be sent.
    pub(super) fn begin(&self) {
        self.0.unsent.store(0, Ordering::Relaxed);
    }

    pub(super) fn give(&self, bytes: usize) {
        self.0.unsent.store(self.unsent().saturating_add(bytes), Ordering::Relaxed);
    }

    /// The system took so many bytes: of answers, or of the frame around them.
    pub(super) fn took(&self, bytes: usize) {
        self.0.unsent.store(self.unsent().saturating_sub(bytes), Ordering::Relaxed);
        self.0.stalled.store(false, Ordering::Relaxed);
    }

    pub(super) fn stall(&self) {
        self.0.stalled.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_length(&self) -> bool {
        self.0.has_length.load(Ordering::Relaxed)
    }

    pub(super) fn set_length(&self, seen: bool) {
        self.0.has_length.store(seen, Ordering::Relaxed);
    }
}
