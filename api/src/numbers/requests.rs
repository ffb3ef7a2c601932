//! `/api/requests`: single requests that were answered.

use grok2api_entity::request_log;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use uuid::Uuid;

use super::cursor;
use super::export::{Format, RequestFile};
use super::object::{KeyNames, RequestRow};
use super::query::Asked;
use crate::access::Admin;
use crate::error::ApiError;
use crate::state::AppState;
use crate::tags::Tag;

/// Most requests of one page (H8).
const MAX_PAGE: u64 = 200;

/// Single requests.
pub(crate) struct RequestsApi;

/// A page of requests, the latest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct RequestList {
    /// `list`
    pub object: &'static str,
    /// Those that fit.
    pub data: Vec<RequestRow>,
    /// The `cursor` of the next page; null when there is nothing more. A page may be empty and yet have more behind it:
    /// 20,000 requests are looked at for each.
    #[oai(nullable)]
    pub next_cursor: Option<String>,
}

#[OpenApi(prefix_path = "/api/requests", tag = "Tag::Numbers")]
impl RequestsApi {
    /// List requests that were answered.
    ///
    /// Kept for as many days as the setting `usage.keep_requests_days` says. What was asked and answered is not recorded.
    #[oai(path = "/", method = "get", operation_id = "list_requests")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        state: Data<&AppState>,
        _admin: Admin,
        /// Most requests of the page: 1 to 200, by default 50.
        limit: Query<Option<u64>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Only for this model.
        model: Query<Option<String>>,
        /// Only of the client key whose requests are filed under this.
        owner: Query<Option<String>>,
        /// Only to this path, as a template.
        endpoint: Query<Option<String>>,
        /// Only with this status, such as `429`, or this class of them, such as `4xx`.
        status: Query<Option<String>>,
        /// Only those that ended `ok`, with an `error`, or without their client: `client_gone`.
        outcome: Query<Option<String>>,
        /// Only with this error code.
        error_code: Query<Option<String>>,
        /// Only those that this account served.
        account_id: Query<Option<String>>,
        /// Only the one with this `x-request-id`.
        request_id: Query<Option<String>>,
        /// Only those that came then or later, in Unix milliseconds.
        from_ms: Query<Option<i64>>,
        /// Only those that came before, in Unix milliseconds.
        to_ms: Query<Option<i64>>,
    ) -> Result<Json<RequestList>, ApiError> {
        let limit = limit.0.unwrap_or(50);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(ApiError::invalid("limit", "invalid_value", "It is 1 to 200."));
        }
        let after = cursor.0.as_deref().map(cursor::read).transpose()?;
        let asked = Asked {
            model: model.0,
            owner: owner.0,
            endpoint: endpoint.0,
            status: status.0,
            outcome: outcome.0,
            error_code: error_code.0,
            account_id: account_id.0,
            request_id: request_id.0,
            from_ms: from_ms.0,
            to_ms: to_ms.0,
        };
        let page = request_log::page(&state.db, &asked.filter()?, after, limit).await?;
        let names = KeyNames::read(&state.db).await?;
        let data = page.rows.into_iter().map(|row| RequestRow::new(row, &names)).collect();
        Ok(Json(RequestList { object: "list", data, next_cursor: page.next.map(cursor::write) }))
    }

    /// Download requests that were answered, the latest first: a JSON object a line, or CSV.
    ///
    /// Up to 100,000 of them, found among the latest million.
    #[oai(path = "/export", method = "get", operation_id = "export_requests")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn export(
        &self,
        state: Data<&AppState>,
        _admin: Admin,
        /// `ndjson` (the default) or `csv`.
        format: Query<Option<String>>,
        /// As for `list_requests`.
        model: Query<Option<String>>,
        /// As for `list_requests`.
        owner: Query<Option<String>>,
        /// As for `list_requests`.
        endpoint: Query<Option<String>>,
        /// As for `list_requests`.
        status: Query<Option<String>>,
        /// As for `list_requests`.
        outcome: Query<Option<String>>,
        /// As for `list_requests`.
        error_code: Query<Option<String>>,
        /// As for `list_requests`.
        account_id: Query<Option<String>>,
        /// As for `list_requests`.
        from_ms: Query<Option<i64>>,
        /// As for `list_requests`.
        to_ms: Query<Option<i64>>,
    ) -> Result<RequestFile, ApiError> {
        let format = Format::parse(format.0.as_deref())?;
        let asked = Asked {
            model: model.0,
            owner: owner.0,
            endpoint: endpoint.0,
            status: status.0,
            outcome: outcome.0,
            error_code: error_code.0,
            account_id: account_id.0,
            request_id: None,
            from_ms: from_ms.0,
            to_ms: to_ms.0,
        };
        let names = KeyNames::read(&state.db).await?;
        Ok(RequestFile::stream(state.db.clone(), asked.filter()?, names, format))
    }

    /// Retrieve one request that was answered.
    #[oai(path = "/:id", method = "get", operation_id = "retrieve_request")]
    async fn retrieve(
        &self,
        state: Data<&AppState>,
        _admin: Admin,
        id: Path<String>,
    ) -> Result<Json<RequestRow>, ApiError> {
        let missing = || ApiError::not_found("request", &id.0);
        let uuid = Uuid::parse_str(&id.0).map_err(|_| missing())?;
        let row = request_log::find(&state.db, uuid).await?.ok_or_else(missing)?;
        Ok(Json(RequestRow::new(row, &KeyNames::read(&state.db).await?)))
    }
}
