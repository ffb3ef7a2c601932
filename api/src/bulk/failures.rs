//! What failed of a bulk work, as a file, read page by page while it is sent.

use std::io;

use bytes::Bytes;
use futures_util::stream;
use grok2api_entity::bulk_item::{self, State};
use poem::http::header;
use poem::{Body, IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, Registry};
use sea_orm::DatabaseConnection;
use uuid::Uuid;

use super::Failure;
use crate::error::ApiError;
use crate::json_type::inline;

/// Rows of one page.
const PAGE: u64 = 500;

/// How the file looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// A JSON object a line.
    Ndjson,
    /// Comma-separated values with a head.
    Csv,
}

impl Format {
    pub(super) fn parse(name: Option<&str>) -> Result<Self, ApiError> {
        match name {
            None | Some("ndjson") => Ok(Self::Ndjson),
            Some("csv") => Ok(Self::Csv),
            Some(_) => Err(ApiError::invalid("format", "invalid_value", "The format is ndjson or csv.")),
        }
    }

    fn line(self, failure: &Failure<'_>) -> String {
        match self {
            Self::Ndjson => serde_json::to_string(failure).unwrap_or_default() + "\n",
            Self::Csv => {
                let account = failure.account_id.map(|id| id.to_string()).unwrap_or_default();
                format!("{},{account},\"{}\"\n", failure.number, failure.error.replace('"', "\"\""))
            }
        }
    }
}

/// A file that is sent while it is read.
pub(super) struct Failures(Response);

impl Failures {
    pub(super) fn stream(db: DatabaseConnection, bulk: Uuid, format: Format) -> Self {
        let (mime, head) = match format {
            Format::Ndjson => ("application/x-ndjson", ""),
            Format::Csv => ("text/csv; charset=utf-8", "number,account_id,error\n"),
        };
        let pages = stream::try_unfold((db, 0, Some(head)), move |(db, after, head)| async move {
            if let Some(head) = head.filter(|head| !head.is_empty()) {
                return Ok::<_, io::Error>(Some((Bytes::from_static(head.as_bytes()), (db, after, None))));
            }
            let page = bulk_item::page(&db, bulk, State::Failed, after, PAGE).await.map_err(io::Error::other)?;
            let Some(last) = page.last().map(|item| item.number) else { return Ok(None) };
            let text: String = page.iter().map(|item| format.line(&Failure::of(item))).collect();
            Ok(Some((Bytes::from(text), (db, last, None))))
        });
        let file = Response::builder()
            .content_type(mime)
            .header(header::CACHE_CONTROL, "no-store")
            .header(header::CONTENT_DISPOSITION, "attachment")
            .body(Body::from_bytes_stream(pages));
        Self(file)
    }
}

impl IntoResponse for Failures {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for Failures {
    fn meta() -> MetaResponses {
        let text = |content_type| MetaMediaType { content_type, schema: inline(MetaSchema::new("string")) };
        let response = MetaResponse {
            description: "Place, account and reason of each, in the order of the work.",
            status: Some(200),
            status_range: None,
            content: vec![text("application/x-ndjson"), text("text/csv")],
            headers: Vec::new(),
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(_registry: &mut Registry) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_with_quotes_stays_in_its_column() {
        let failure = Failure { number: 3, account_id: None, error: "a \"b\", c" };
        assert_eq!(Format::Csv.line(&failure), "3,,\"a \"\"b\"\", c\"\n");
        assert_eq!(Format::Ndjson.line(&failure), "{\"number\":3,\"account_id\":null,\"error\":\"a \\\"b\\\", c\"}\n");
        assert!(Format::parse(Some("xml")).is_err());
    }
}
