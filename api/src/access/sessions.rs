//! `/api/sessions`: where one is logged in.

use grok2api_entity::admin_session::{self, Model};
use grok2api_entity::connect::begin_write;
use grok2api_entity::{audit, clock};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::principal::Admin;
use super::session::{IDLE_MS, LONGEST_MS};
use crate::error::ApiError;
use crate::state::AppState;
use crate::tags::Tag;

/// Most sessions of a list.
const MOST: u64 = 200;

/// Where one is logged in.
pub(crate) struct SessionsApi;

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct SessionObject {
    /// Its id, by which it can be ended; opens nothing.
    pub id: String,
    /// `session`
    pub object: &'static str,
    /// Whether it is the one that asks.
    pub current: bool,
    /// The address it began from; empty if that is unknown.
    pub ip: String,
    /// What the client called itself.
    pub agent: String,
    /// When it began, in Unix milliseconds.
    pub created_at_ms: i64,
    /// When it was last used, in Unix milliseconds, give or take a minute.
    pub seen_at_ms: i64,
    /// When it ends at the latest, in Unix milliseconds.
    pub expires_at_ms: i64,
}

/// Sessions, the latest used first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct SessionList {
    /// `list`
    pub object: &'static str,
    /// Up to 200 of them.
    pub data: Vec<SessionObject>,
}

/// How many sessions were ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct EndedSessions {
    /// That many.
    pub ended: u64,
}

#[OpenApi(prefix_path = "/api/sessions", tag = "Tag::Access")]
impl SessionsApi {
    /// List one's own sessions.
    #[oai(path = "/", method = "get", operation_id = "list_sessions")]
    async fn list(&self, state: Data<&AppState>, admin: Admin) -> Result<Json<SessionList>, ApiError> {
        let session = admin.session()?;
        let now = clock::read(&state.db).await?;
        let rows = admin_session::list(&state.db, &session.admin, now - LONGEST_MS, now - IDLE_MS, MOST).await?;
        let data = rows.into_iter().map(|row| SessionObject::new(row, session.id)).collect();
        Ok(Json(SessionList { object: "list", data }))
    }

    /// End one of one's own sessions.
    #[oai(path = "/:id", method = "delete", operation_id = "end_session")]
    async fn end(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        id: Path<String>,
    ) -> Result<Json<EndedSessions>, ApiError> {
        let session = admin.session()?;
        let missing = || ApiError::not_found("session", &id.0);
        let id = Uuid::parse_str(&id.0).map_err(|_| missing())?;
        let tx = begin_write(&state.db).await?;
        if !admin_session::delete(&*tx, id, Some(&session.admin)).await? {
            return Err(missing());
        }
        audit::insert(&*tx, &admin.note("session.end", id.to_string(), json!({}))).await?;
        tx.commit().await?;
        Ok(Json(EndedSessions { ended: 1 }))
    }

    /// End all of one's own sessions but the one that asks, and take back the codes that were made to log in.
    #[oai(path = "/", method = "delete", operation_id = "end_other_sessions")]
    async fn end_others(&self, state: Data<&AppState>, admin: Admin) -> Result<Json<EndedSessions>, ApiError> {
        let session = admin.session()?;
        let tx = begin_write(&state.db).await?;
        let ended = admin_session::delete_others(&*tx, &session.admin, Some(session.id)).await?;
        audit::insert(&*tx, &admin.note("session.end_others", session.admin.clone(), json!({ "ended": ended })))
            .await?;
        tx.commit().await?;
        Ok(Json(EndedSessions { ended }))
    }
}

impl SessionObject {
    fn new(row: Model, current: Uuid) -> Self {
        Self {
            id: row.id.to_string(),
            object: "session",
            current: row.id == current,
            ip: row.ip,
            agent: row.agent,
            created_at_ms: row.created_at,
            seen_at_ms: row.seen_at,
            expires_at_ms: row.created_at + LONGEST_MS,
        }
    }
}
