//! Whether the client has the file already (RFC 9110 §13).

use std::time::{Duration, SystemTime};

use grok2api_entity::asset;
use poem::http::header::{self, HeaderMap, HeaderName};

/// What tells one state of a file from another.
pub(super) struct Validators {
    /// Strong: the hash of the bytes, in quotes.
    pub(super) etag: String,
    /// When the bytes were stored, as in HTTP headers.
    pub(super) last_modified: String,
    stored_secs: u64,
}

impl Validators {
    pub(super) fn of(asset: &asset::Model) -> Self {
        let stored_secs = u64::try_from(asset.stored_at.unwrap_or(asset.created_at)).unwrap_or_default() / 1000;
        Self {
            etag: format!("\"{}\"", asset.sha256.as_deref().unwrap_or_default()),
            last_modified: httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(stored_secs)),
            stored_secs,
        }
    }

    /// Whether the client has these very bytes, so that it needs none.
    pub(super) fn is_known(&self, headers: &HeaderMap) -> bool {
        if headers.contains_key(header::IF_NONE_MATCH) {
            return headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|list| {
                list.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == self.etag)
            });
        }
        let since = text(headers, header::IF_MODIFIED_SINCE).and_then(seconds);
        since.is_some_and(|since| self.stored_secs <= since)
    }

    /// Whether a range may be cut out: the client has the rest of these very bytes, or makes no condition.
    pub(super) fn allow_range(&self, headers: &HeaderMap) -> bool {
        match text(headers, header::IF_RANGE) {
            Some(condition) => condition == self.etag || seconds(condition) == Some(self.stored_secs),
            None => !headers.contains_key(header::IF_RANGE),
        }
    }
}

/// The text of a header that stands there once.
pub(super) fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok().map(str::trim) }
}

fn seconds(date: &str) -> Option<u64> {
    let date = httpdate::parse_http_date(date).ok()?;
    date.duration_since(SystemTime::UNIX_EPOCH).ok().map(|since| since.as_secs())
}
