//! Which accounts are asked for, and in which order.

use grok2api_entity::account::{After, Kind, Search, Sort, Standing, Status};
use sea_orm::Order;
use uuid::Uuid;

use crate::error::ApiError;

/// Longest text that is looked for (H8), in characters.
const MAX_TEXT: usize = 64;
/// Longest label, in characters.
const MAX_TAG: usize = 100;

/// Members of a query, or of a filter in a body, as they came.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) status: Option<String>,
    pub(crate) standing: Option<String>,
    pub(crate) token_type: Option<String>,
    pub(crate) tag: Option<String>,
    pub(crate) search: Option<String>,
}

impl Asked {
    /// What to look for, if it makes sense.
    ///
    /// # Errors
    /// 400 for the member at fault.
    pub(crate) fn search(self) -> Result<Search, ApiError> {
        Ok(Search {
            kind: self.token_type.as_deref().map(kind).transpose()?,
            status: self.status.as_deref().map(status).transpose()?,
            standing: self.standing.as_deref().map(standing).transpose()?,
            tag: text("tag", self.tag, MAX_TAG)?,
            text: text("search", self.search, MAX_TEXT)?,
        })
    }
}

fn invalid(param: &str, message: &str) -> ApiError {
    ApiError::invalid(param, "invalid_value", message)
}

fn kind(name: &str) -> Result<Kind, ApiError> {
    match name {
        "sso" => Ok(Kind::Sso),
        "ssoSuper" => Ok(Kind::SsoSuper),
        _ => Err(invalid("token_type", "It is sso or ssoSuper.")),
    }
}

fn status(name: &str) -> Result<Status, ApiError> {
    let all = [Status::Active, Status::Cooling, Status::Expired, Status::Disabled];
    let found = all.into_iter().find(|status| status.as_str() == name);
    found.ok_or_else(|| invalid("status", "It is active, cooling, expired or disabled."))
}

fn standing(name: &str) -> Result<Standing, ApiError> {
    let found = Standing::ALL.into_iter().find(|standing| standing.as_str() == name);
    found.ok_or_else(|| invalid("standing", "It is unused, active, limited or invalid."))
}

/// A text to look for; blanks alone are none.
fn text(param: &str, value: Option<String>, most: usize) -> Result<Option<String>, ApiError> {
    let Some(value) = value else { return Ok(None) };
    let value = value.trim();
    if value.chars().count() > most || value.chars().any(char::is_control) {
        return Err(invalid(param, &format!("It is up to {most} characters, none of them a control.")));
    }
    Ok(Some(value.to_owned()).filter(|text| !text.is_empty()))
}

/// The order that is asked for; what came last comes first unless something else is.
///
/// # Errors
/// 400 for names that are not known.
pub(super) fn order(sort: Option<&str>, order: Option<&str>) -> Result<(Sort, Order), ApiError> {
    let sort = match sort {
        None | Some("created") => Sort::Created,
        Some("use_count") => Sort::UseCount,
        Some("failed_count") => Sort::FailedCount,
        Some(_) => return Err(invalid("sort", "It is created, use_count or failed_count.")),
    };
    let order = match order {
        None | Some("desc") => Order::Desc,
        Some("asc") => Order::Asc,
        Some(_) => return Err(invalid("order", "It is asc or desc.")),
    };
    Ok((sort, order))
}

/// Where a page begins, as a client passes it on.
pub(super) fn write_cursor((value, id): After) -> String {
    format!("{value}_{}", id.simple())
}

/// Reads the text of a page before.
///
/// # Errors
/// 400 for anything else.
pub(super) fn read_cursor(text: &str) -> Result<After, ApiError> {
    let parse = |text: &str| {
        let (value, id) = text.split_once('_')?;
        Some((value.parse().ok()?, Uuid::parse_str(id).ok()?))
    };
    parse(text).ok_or_else(|| invalid("cursor", "It is the next_cursor of a page before."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_nothing_else_is() {
        let after = (-3, Uuid::from_u128(7));
        assert_eq!(read_cursor(&write_cursor(after)).ok(), Some(after));
        for wrong in ["", "_", "1_", "x_00000000000000000000000000000007", "1"] {
            assert!(read_cursor(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn blanks_look_for_nothing_and_long_texts_are_refused() {
        assert_eq!(text("search", Some("  ".to_owned()), 64).ok(), Some(None));
        assert!(text("search", Some("a".repeat(65)), 64).is_err());
        assert!(text("search", Some("a\0".to_owned()), 64).is_err());
    }
}
