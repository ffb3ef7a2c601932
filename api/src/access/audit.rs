//! `/api/audit`: who changed what, and when.

use grok2api_entity::audit::{self, Filter, Model};
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::types::ToJSON;
use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::principal::Admin;
use crate::error::ApiError;
use crate::json_type::{json_type, plain};
use crate::state::AppState;
use crate::tags::Tag;

/// Most rows of one page (H8).
const MAX_PAGE: u64 = 200;

/// What was done by whom.
pub(crate) struct AuditApi;

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct AuditEntry {
    /// Its id; later ones are greater.
    pub id: String,
    /// `audit_entry`
    pub object: &'static str,
    /// When, in Unix milliseconds.
    pub at_ms: i64,
    /// Who: `admin:NAME`, `token` for the configured admin token, `cli` for who was at the machine itself, `nobody` for who
    /// did not get in.
    pub actor: String,
    /// What, such as `settings.update`.
    pub action: String,
    /// To what: an id or a name.
    pub target: String,
    /// From which address; empty if there is none.
    pub ip: String,
    /// What else there is to say. No secrets.
    pub detail: AuditDetail,
}

/// What else there is to say: a JSON object whose members depend on the action.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct AuditDetail(Map<String, Value>);

json_type!(AuditDetail, "AuditDetail", plain("object", "Members that depend on the action. No secrets."));

impl ToJSON for AuditDetail {
    fn to_json(&self) -> Option<Value> {
        Some(Value::Object(self.0.clone()))
    }
}

/// A page of what was done, the latest first.
#[derive(Debug, Clone, PartialEq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct AuditList {
    /// `list`
    pub object: &'static str,
    /// The entries.
    pub data: Vec<AuditEntry>,
    /// Whether there are more: ask again with `before` set to the last id.
    pub has_more: bool,
}

#[OpenApi(prefix_path = "/api", tag = "Tag::Access")]
impl AuditApi {
    /// List who changed what, and when.
    #[oai(path = "/audit", method = "get", operation_id = "list_audit")]
    async fn list(
        &self,
        state: Data<&AppState>,
        _admin: Admin,
        /// Most entries of the page: 1 to 200, by default 50.
        limit: Query<Option<u64>>,
        /// Only entries before the one of this id.
        before: Query<Option<String>>,
        /// Only this action; with a dot at its end all that begin so, such as `login.`.
        action: Query<Option<String>>,
        /// Only what this one did.
        actor: Query<Option<String>>,
    ) -> Result<Json<AuditList>, ApiError> {
        let limit = limit.0.unwrap_or(50);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(ApiError::invalid("limit", "invalid_value", "It is 1 to 200."));
        }
        let before = match before.0 {
            None => None,
            Some(id) => {
                let wrong = |_| ApiError::invalid("before", "invalid_value", "This is no id of an entry.");
                Some(Uuid::parse_str(&id).map_err(wrong)?)
            }
        };
        let is_name =
            |name: &str| name.len() <= 64 && name.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'.' | b'_'));
        if action.0.as_deref().is_some_and(|action| !is_name(action)) {
            return Err(ApiError::invalid("action", "invalid_value", "It is of small letters, dots and underscores."));
        }
        let actor = actor.0.map(|actor| actor.chars().take(80).collect());
        let filter = Filter { action: action.0, actor };
        let mut rows = audit::list(&state.db, &filter, before, limit + 1).await?;
        let has_more = rows.len() as u64 > limit;
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let data = rows.into_iter().map(AuditEntry::from).collect();
        Ok(Json(AuditList { object: "list", data, has_more }))
    }
}

impl From<Model> for AuditEntry {
    fn from(row: Model) -> Self {
        Self {
            id: row.id.to_string(),
            object: "audit_entry",
            at_ms: row.at,
            actor: row.actor,
            action: row.action,
            target: row.target,
            ip: row.ip,
            detail: AuditDetail(serde_json::from_str(&row.detail).unwrap_or_default()),
        }
    }
}
