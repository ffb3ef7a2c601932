//! Requests on record as the operator sees them.

use std::collections::HashMap;

use grok2api_entity::client_key;
use grok2api_entity::request_log::Model;
use poem_openapi::Object;
use sea_orm::{ConnectionTrait, DbErr};
use serde::Serialize;

use crate::keys::ring;

/// A request that was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct RequestRow {
    /// Its id on record.
    pub id: String,
    /// `request`
    pub object: &'static str,
    /// When it came, in Unix milliseconds.
    pub at_ms: i64,
    /// The id that went back in `x-request-id`.
    pub request_id: String,
    /// The path it was sent to, as a template.
    pub endpoint: String,
    /// The model it named; `unknown` when it named none that there is.
    pub model: String,
    /// What the requests of its client key are filed under.
    pub owner: String,
    /// What the operator calls that key; null for the key of the settings, and for one that is no more.
    #[oai(nullable)]
    pub key_name: Option<String>,
    /// Status of the answer.
    pub status: i32,
    /// What went wrong, also after a status of 200; `client_gone` when the client did not wait for the end.
    #[oai(nullable)]
    pub error_code: Option<String>,
    /// Whether the answer was a stream.
    pub streamed: bool,
    /// Upstream calls made for it.
    pub attempts: i32,
    /// The account that served it last.
    #[oai(nullable)]
    pub account_id: Option<String>,
    /// Estimated.
    pub prompt_tokens: i64,
    /// Estimated; reasoning included.
    pub completion_tokens: i64,
    /// Estimated.
    pub reasoning_tokens: i64,
    /// Pictures delivered.
    pub images: i32,
    /// Videos delivered.
    pub videos: i32,
    /// From the request to the first event, in milliseconds.
    #[oai(nullable)]
    pub first_ms: Option<i64>,
    /// From the request to the end of the answer, in milliseconds.
    pub total_ms: i64,
}

/// What the operator calls the keys, by what their requests are filed under.
#[derive(Debug, Default)]
pub(crate) struct KeyNames(HashMap<String, String>);

impl KeyNames {
    /// Reads them.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn read(db: &impl ConnectionTrait) -> Result<Self, DbErr> {
        let rows = client_key::all(db).await?;
        Ok(Self(rows.into_iter().map(|row| (ring::owner(&row).to_string(), row.name)).collect()))
    }

    /// The name, if there is such a key.
    pub(crate) fn of(&self, owner: &str) -> Option<String> {
        self.0.get(owner).cloned()
    }
}

impl RequestRow {
    /// The request of a row.
    pub(crate) fn new(row: Model, names: &KeyNames) -> Self {
        Self {
            id: row.id.to_string(),
            object: "request",
            at_ms: row.at,
            request_id: row.request_id,
            endpoint: row.endpoint,
            model: row.model,
            key_name: names.of(&row.owner),
            owner: row.owner,
            status: row.status,
            error_code: row.error_code,
            streamed: row.streamed,
            attempts: row.attempts,
            account_id: row.account_id.map(|id| id.to_string()),
            prompt_tokens: row.prompt_tokens,
            completion_tokens: row.completion_tokens,
            reasoning_tokens: row.reasoning_tokens,
            images: row.images,
            videos: row.videos,
            first_ms: row.first_ms,
            total_ms: row.total_ms,
        }
    }
}
