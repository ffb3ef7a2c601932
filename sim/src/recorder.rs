//! What has been asked? The last requests, for tests to look at.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use parking_lot::Mutex;
use serde_json::Value;

use crate::route::Route;

/// Requests kept.
const KEPT: usize = 10_000;
/// Bytes of bodies kept.
const KEPT_BYTES: usize = 256 << 20;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// What it asked for; `None` for an address that the upstream does not have.
    pub route: Option<Route>,
    /// The path, without a query.
    pub path: String,
    /// All headers, cookies included.
    pub headers: HeaderMap,
    /// The body; `Null` when it is not JSON.
    pub body: Value,
    /// Value of the `sso` cookie, empty without one.
    pub account: String,
    /// When it had arrived in full.
    pub at: Instant,
}

impl Recorded {
    /// A header's value, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A text member of the body.
    pub fn text(&self, member: &str) -> Option<&str> {
        self.body.get(member)?.as_str()
    }
}

/// A request before anybody looked at it: its body is not parsed.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    pub(crate) route: Option<Route>,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) account: String,
    pub(crate) at: Instant,
}

/// The last requests, bounded in number and bytes.
#[derive(Debug)]
pub(crate) struct Recorder {
    on: AtomicBool,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    requests: VecDeque<Raw>,
    bytes: usize,
}

impl Recorder {
    pub(crate) fn new(on: bool) -> Self {
        Self { on: AtomicBool::new(on), kept: Mutex::default() }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, raw: Raw) {
        let mut kept = self.kept.lock();
        kept.bytes += raw.body.len();
        kept.requests.push_back(raw);
        while kept.requests.len() > KEPT || kept.bytes > KEPT_BYTES {
            let Some(oldest) = kept.requests.pop_front() else { break };
            kept.bytes -= oldest.body.len();
        }
    }

    pub(crate) fn all(&self) -> Vec<Recorded> {
        let raw: Vec<Raw> = self.kept.lock().requests.iter().cloned().collect();
        raw.into_iter().map(Recorded::from).collect()
    }

    pub(crate) fn last(&self, route: Route) -> Option<Recorded> {
        let raw = self.kept.lock().requests.iter().rev().find(|raw| raw.route == Some(route)).cloned();
        raw.map(Recorded::from)
    }

    pub(crate) fn forget(&self) {
        *self.kept.lock() = Kept::default();
    }
}

impl From<Raw> for Recorded {
    fn from(raw: Raw) -> Self {
        Self {
            route: raw.route,
            path: raw.path,
            headers: raw.headers,
            body: serde_json::from_slice(&raw.body).unwrap_or_default(),
            account: raw.account,
            at: raw.at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_ten_thousand_requests_are_kept() {
        let recorder = Recorder::new(true);
        for number in 0..KEPT + 5 {
            recorder.add(Raw {
                route: Some(Route::Chat),
                path: String::new(),
                headers: HeaderMap::new(),
                body: Bytes::from(number.to_string()),
                account: String::new(),
                at: Instant::now(),
            });
        }
        let all = recorder.all();
        assert_eq!((all.len(), all[0].body.as_u64()), (KEPT, Some(5)));
        assert_eq!(recorder.last(Route::Chat).and_then(|last| last.body.as_u64()), Some(10_004));
    }
}
