//! Where a page of requests begins, as a client passes it on.

use grok2api_entity::request_log::After;
use uuid::Uuid;

use crate::error::ApiError;

/// The text for a client.
pub(super) fn write((at, id): After) -> String {
    format!("{at}_{}", id.simple())
}

/// Reads the text of a page before.
///
/// # Errors
/// 400 for anything else.
pub(super) fn read(text: &str) -> Result<After, ApiError> {
    let parse = |text: &str| {
        let (at, id) = text.split_once('_')?;
        Some((at.parse().ok()?, Uuid::parse_str(id).ok()?))
    };
    let wrong = || ApiError::invalid("cursor", "invalid_value", "It is the next_cursor of a page before.");
    parse(text).ok_or_else(wrong)
}
