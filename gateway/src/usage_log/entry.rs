//! One request as it is taken down.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use grok2api_pool::AccountId;

/// How one request ended. Holds nothing that a client wrote but its request id.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The path it was sent to, as a template, such as `/v1/videos/{id}`.
    pub endpoint: Cow<'static, str>,
    /// The id that went back in `x-request-id`.
    pub request_id: String,
    /// A model of the table, or `unknown`.
    pub model: String,
    /// Id of the client key.
    pub owner: Arc<str>,
    /// HTTP status of the answer; 499 when the client left before there was one.
    pub status: u16,
    /// What went wrong, from a closed list; `client_gone` when the client did not wait for the end.
    pub error_code: Option<&'static str>,
    /// Whether the answer was a stream.
    pub streamed: bool,
    /// Upstream calls made for it.
    pub attempts: u32,
    /// The account that was used last.
    pub account: Option<AccountId>,
    /// Estimated.
    pub prompt_tokens: u64,
    /// Estimated; reasoning included.
    pub completion_tokens: u64,
    /// Estimated.
    pub reasoning_tokens: u64,
    /// Pictures delivered.
    pub images: u32,
    /// Videos delivered.
    pub videos: u32,
    /// Whether jobs made them. They count their videos themselves.
    pub by_jobs: bool,
    /// From the request to the first event.
    pub first: Option<Duration>,
    /// From the request to the end of the answer.
    pub total: Duration,
}

/// An entry and when its request came.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) entry: Entry,
    /// Unix milliseconds.
    pub(super) at: i64,
}

impl Recorded {
    /// Of a request that ends now.
    pub(super) fn now(entry: Entry) -> Self {
        let at = now_ms().saturating_sub(millis(entry.total));
        Self { entry, at }
    }
}

/// Unix milliseconds.
pub(super) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}

/// Whole milliseconds.
pub(super) fn millis(of: Duration) -> i64 {
    i64::try_from(of.as_millis()).unwrap_or(i64::MAX)
}
