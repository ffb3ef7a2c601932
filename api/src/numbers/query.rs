//! What may be asked of the requests on record.

use grok2api_entity::request_log::{Ended, Filter};
use uuid::Uuid;

use crate::error::ApiError;

/// Longest text that is looked for (H8), in characters.
const MAX_TEXT: usize = 100;

/// The members of a query as they came.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) model: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) status: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) error_code: Option<String>,
    pub(super) account_id: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) from_ms: Option<i64>,
    pub(super) to_ms: Option<i64>,
}

impl Asked {
    /// The filter, if it makes sense.
    ///
    /// # Errors
    /// 400 for the member at fault.
    pub(super) fn filter(self) -> Result<Filter, ApiError> {
        let account = |id: String| {
            let wrong = |_| ApiError::invalid("account_id", "invalid_value", "This is no id of an account.");
            Uuid::parse_str(&id).map_err(wrong)
        };
        Ok(Filter {
            model: text("model", self.model)?,
            owner: text("owner", self.owner)?,
            endpoint: text("endpoint", self.endpoint)?,
            status: self.status.as_deref().map(status).transpose()?,
            outcome: self.outcome.as_deref().map(outcome).transpose()?,
            error_code: text("error_code", self.error_code)?,
            account_id: self.account_id.map(account).transpose()?,
            request_id: text("request_id", self.request_id)?,
            from: self.from_ms,
            to: self.to_ms,
        })
    }
}

/// A text that a database can look for.
pub(crate) fn text(param: &str, value: Option<String>) -> Result<Option<String>, ApiError> {
    let fits = |text: &String| text.chars().count() <= MAX_TEXT && !text.chars().any(char::is_control);
    if value.as_ref().is_some_and(|text| !fits(text)) {
        return Err(ApiError::invalid(param, "invalid_value", "It is up to 100 characters, none of them a control."));
    }
    Ok(value)
}

/// A status such as `429`, or a class of them such as `4xx`.
fn status(text: &str) -> Result<(i32, i32), ApiError> {
    let class = text.strip_suffix("xx").and_then(|class| class.parse::<i32>().ok());
    if let Some(class) = class.filter(|class| (1..=5).contains(class)) {
        return Ok((class * 100, class * 100 + 99));
    }
    let one = text.parse::<i32>().ok().filter(|status| (100..=599).contains(status));
    let wrong = || ApiError::invalid("status", "invalid_value", "It is a status such as 429, or a class such as 4xx.");
    one.map(|status| (status, status)).ok_or_else(wrong)
}

fn outcome(text: &str) -> Result<Ended, ApiError> {
    match text {
        "ok" => Ok(Ended::Well),
        "error" => Ok(Ended::Badly),
        "client_gone" => Ok(Ended::Gone),
        _ => Err(ApiError::invalid("outcome", "invalid_value", "It is ok, error or client_gone.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_or_a_class() {
        assert_eq!(status("429").ok(), Some((429, 429)));
        assert_eq!(status("5xx").ok(), Some((500, 599)));
        for wrong in ["", "xx", "6xx", "0xx", "99", "600", "-1", "4XX", "٤xx"] {
            assert!(status(wrong).is_err(), "{wrong}");
        }
    }
}
