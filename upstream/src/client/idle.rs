//! Connections that wait for their next request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::wire::Wire;

/// Idle connections are kept as long as servers and load balancers usually keep them.
const IDLE_TIMEOUT: Duration = Duration::from_secs(55);

/// Idle connections kept. A burst of streams that end together should find them again.
const MAX_IDLE: usize = 1024;

/// The idle connections to one host by one way, oldest first.
#[derive(Default)]
pub(super) struct Idle {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    wires: VecDeque<(Instant, Box<Wire>)>,
    /// A task waits to close those that nobody wants.
    is_swept: bool,
}

impl Idle {
    /// Keeps a connection for later. The oldest gives way when there are too many.
    pub(super) fn put(self: &Arc<Self>, wire: Box<Wire>) {
        let mut kept = self.lock();
        kept.wires.push_back((Instant::now(), wire));
        let surplus = if kept.wires.len() > MAX_IDLE { kept.wires.pop_front() } else { None };
        // Outside a runtime nothing would ever be sent again.
        if !kept.is_swept
            && let Ok(runtime) = Handle::try_current()
        {
            kept.is_swept = true;
            runtime.spawn(sweep(Arc::downgrade(self)));
        }
        drop(kept);
        drop(surplus);
    }

    /// The newest connection that its peer has left open.
    pub(super) fn take(&self) -> Option<Box<Wire>> {
        loop {
            let (since, mut wire) = self.lock().wires.pop_back()?;
            if since.elapsed() < IDLE_TIMEOUT && wire.is_idle() {
                return Some(wire);
            }
        }
    }

    /// Closes what has waited too long; returns when to come back.
    fn close_old(&self) -> Option<Instant> {
        let mut kept = self.lock();
        let now = Instant::now();
        let fresh = kept.wires.partition_point(|(since, _)| *since + IDLE_TIMEOUT <= now);
        let old: Vec<_> = kept.wires.drain(..fresh).collect();
        let next = kept.wires.front().map(|(since, _)| *since + IDLE_TIMEOUT);
        kept.is_swept = next.is_some();
        drop(kept);
        drop(old);
        next
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any of them is known to be open.
    #[cfg(test)]
    pub(super) fn has_open(&self) -> bool {
        self.lock().wires.iter_mut().any(|(_, wire)| wire.is_idle())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().wires.len()
    }
}

/// Closes old connections as long as there are any, so that a quiet gateway holds none.
async fn sweep(idle: Weak<Idle>) {
    while let Some(next) = idle.upgrade().and_then(|idle| idle.close_old()) {
        tokio::time::sleep_until(next).await;
    }
}
