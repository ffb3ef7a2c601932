//! Pages of rows whose ids are in the order of their making, the latest first.

use uuid::Uuid;

use crate::error::ApiError;

/// Most rows of one page (H8).
const MAX: u64 = 200;

/// Which page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) limit: u64,
    /// Only rows before the one of this id.
    pub(super) before: Option<Uuid>,
}

impl Page {
    /// # Errors
    /// 400 for the member at fault.
    pub(super) fn parse(limit: Option<u64>, cursor: Option<&str>) -> Result<Self, ApiError> {
        let limit = limit.unwrap_or(50);
        if !(1..=MAX).contains(&limit) {
            return Err(ApiError::invalid("limit", "invalid_value", "It is 1 to 200."));
        }
        let wrong = |_| ApiError::invalid("cursor", "invalid_value", "It is the next_cursor of a page before.");
        Ok(Self { limit, before: cursor.map(Uuid::parse_str).transpose().map_err(wrong)? })
    }

    /// The rows of this page, of which one more was read than it holds, and the cursor of the next.
    pub(super) fn cut<T>(self, mut rows: Vec<T>, id: impl Fn(&T) -> Uuid) -> (Vec<T>, Option<String>) {
        let has_more = rows.len() as u64 > self.limit;
        rows.truncate(usize::try_from(self.limit).unwrap_or(usize::MAX));
        let next = rows.last().filter(|_| has_more).map(|row| id(row).to_string());
        (rows, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_where_the_next_one_begins_if_there_is_one() {
        let ids: Vec<Uuid> = (1..=3).map(Uuid::from_u128).collect();
        let page = Page { limit: 2, before: None };
        assert_eq!(page.cut(ids.clone(), |id| *id), (ids[..2].to_vec(), Some(ids[1].to_string())));
        assert_eq!(page.cut(ids[..2].to_vec(), |id| *id), (ids[..2].to_vec(), None));
        assert!(Page::parse(Some(0), None).is_err() && Page::parse(None, Some("x")).is_err());
    }
}
