//! Requests as a file, read page by page while it is sent.

use std::io;

use bytes::Bytes;
use futures_util::stream;
use grok2api_entity::request_log::{self, Filter};
use poem::http::header;
use poem::{Body, IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, Registry};
use sea_orm::DatabaseConnection;

use super::object::{KeyNames, RequestRow};
use crate::error::ApiError;
use crate::json_type::inline;

/// Rows of one page.
const PAGE: u64 = 1_000;
/// Pages that are looked at; each looks at 20,000 rows at most.
const PAGES: u32 = 100;
const HEAD: &str = "id,at_ms,request_id,endpoint,model,owner,key_name,status,error_code,streamed,attempts,account_id,\
                    prompt_tokens,completion_tokens,reasoning_tokens,images,videos,first_ms,total_ms\n";

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

    fn line(self, row: &RequestRow) -> String {
        match self {
            Self::Ndjson => serde_json::to_string(row).unwrap_or_default() + "\n",
            Self::Csv => csv_line(row),
        }
    }
}

fn csv_line(row: &RequestRow) -> String {
    let number = |value: Option<i64>| value.map(|value| value.to_string()).unwrap_or_default();
    let fields = [
        row.id.clone(),
        row.at_ms.to_string(),
        quoted(&row.request_id),
        quoted(&row.endpoint),
        quoted(&row.model),
        quoted(&row.owner),
        quoted(row.key_name.as_deref().unwrap_or_default()),
        row.status.to_string(),
        row.error_code.clone().unwrap_or_default(),
        row.streamed.to_string(),
        row.attempts.to_string(),
        row.account_id.clone().unwrap_or_default(),
        row.prompt_tokens.to_string(),
        row.completion_tokens.to_string(),
        row.reasoning_tokens.to_string(),
        row.images.to_string(),
        row.videos.to_string(),
        number(row.first_ms),
        row.total_ms.to_string(),
    ];
    fields.join(",") + "\n"
}

/// A text of somebody's own as a field. What a spreadsheet would take for a formula gets a quotation mark before it.
fn quoted(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

/// A file that is sent while it is read.
pub(super) struct RequestFile(Response);

struct Reading {
    db: DatabaseConnection,
    filter: Filter,
    names: KeyNames,
    after: Option<request_log::After>,
    pages: u32,
    begun: bool,
}

impl RequestFile {
    pub(super) fn stream(db: DatabaseConnection, filter: Filter, names: KeyNames, format: Format) -> Self {
        let mime = if format == Format::Csv { "text/csv; charset=utf-8" } else { "application/x-ndjson" };
        let reading = Reading { db, filter, names, after: None, pages: 0, begun: format == Format::Ndjson };
        let pages = stream::try_unfold(reading, move |mut reading| async move {
            if !reading.begun {
                reading.begun = true;
                return Ok::<_, io::Error>(Some((Bytes::from_static(HEAD.as_bytes()), reading)));
            }
            if reading.pages >= PAGES || (reading.pages > 0 && reading.after.is_none()) {
                return Ok(None);
            }
            let page = request_log::page(&reading.db, &reading.filter, reading.after, PAGE);
            let page = page.await.map_err(io::Error::other)?;
            reading.pages += 1;
            reading.after = page.next;
            let lines = page.rows.into_iter().map(|row| format.line(&RequestRow::new(row, &reading.names)));
            Ok(Some((Bytes::from(lines.collect::<String>()), reading)))
        });
        let file = Response::builder()
            .content_type(mime)
            .header(header::CACHE_CONTROL, "no-store")
            .header(header::CONTENT_DISPOSITION, "attachment")
            .body(Body::from_bytes_stream(pages));
        Self(file)
    }
}

impl IntoResponse for RequestFile {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for RequestFile {
    fn meta() -> MetaResponses {
        let content = ["application/x-ndjson", "text/csv; charset=utf-8"]
            .map(|content_type| MetaMediaType { content_type, schema: inline(MetaSchema::new("string")) });
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The requests.",
                status: Some(200),
                status_range: None,
                content: content.into(),
                headers: Vec::new(),
            }],
        }
    }

    fn register(_registry: &mut Registry) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_no_formula_and_ends_where_it_ends() {
        assert_eq!(quoted("plain"), "\"plain\"");
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(quoted("=cmd()"), "\"'=cmd()\"");
    }
}
