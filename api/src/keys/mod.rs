//! `/api/keys`: the keys of clients, for the operator.

pub mod manage;
mod object;
pub(crate) mod ring;

use grok2api_entity::client_key;
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use serde_json::json;
use uuid::Uuid;

use crate::access::Admin;
use crate::body::JsonBody;
use crate::error::ApiError;
use crate::state::AppState;
use crate::tags::Tag;
use manage::KeyError;
use object::{DeletedKey, KeyList, KeyObject, KeyTerms, NewKey};

/// Keys of clients.
pub(crate) struct KeysApi;

#[OpenApi(prefix_path = "/api/keys", tag = "Tag::Keys")]
impl KeysApi {
    /// List the keys of clients, oldest first. The key of the setting `grok.api_key` is none of them.
    #[oai(path = "/", method = "get", operation_id = "list_keys")]
    async fn list(&self, state: Data<&AppState>, _admin: Admin) -> Result<Json<KeyList>, ApiError> {
        let rows = client_key::all(&state.db).await?;
        Ok(Json(KeyList { object: "list", data: rows.iter().map(KeyObject::of).collect() }))
    }

    /// Make a key. It is in this answer and nowhere else: only a keyed hash of it is stored.
    #[oai(path = "/", method = "post", operation_id = "create_key")]
    async fn create(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        body: JsonBody<KeyTerms>,
    ) -> Result<Json<NewKey>, ApiError> {
        let terms = body.0.check(state.gateway.models())?;
        let note = admin.note("key.create", "", json!({ "name": terms.name, "models": terms.models }));
        let vault = state.gateway.pool().vault();
        let (row, key) = manage::create(&state.db, vault, &terms, note).await?;
        in_force(&state).await?;
        Ok(Json(NewKey::of(&row, &key)))
    }

    /// Retrieve a key's terms.
    #[oai(path = "/:id", method = "get", operation_id = "retrieve_key")]
    async fn retrieve(
        &self,
        state: Data<&AppState>,
        _admin: Admin,
        id: Path<String>,
    ) -> Result<Json<KeyObject>, ApiError> {
        let row = client_key::find(&state.db, known(&id.0)?).await?;
        Ok(Json(KeyObject::of(&row.ok_or_else(|| missing(&id.0))?)))
    }

    /// Put a key under other terms: all of them are replaced. In force here at once, elsewhere within five seconds.
    #[oai(path = "/:id", method = "put", operation_id = "update_key")]
    async fn update(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        id: Path<String>,
        body: JsonBody<KeyTerms>,
    ) -> Result<Json<KeyObject>, ApiError> {
        let uuid = known(&id.0)?;
        let terms = body.0.check(state.gateway.models())?;
        let detail = json!({ "name": terms.name, "models": terms.models, "expires_at_ms": terms.expires_at, "disabled": terms.disabled });
        let note = admin.note("key.update", uuid.to_string(), detail);
        let row = manage::update(&state.db, uuid, &terms, &note).await.map_err(|error| of(error, &id.0))?;
        in_force(&state).await?;
        Ok(Json(KeyObject::of(&row)))
    }

    /// Take a key away. Its clients are refused here at once, elsewhere within five seconds; what they made stays until it
    /// is over.
    #[oai(path = "/:id", method = "delete", operation_id = "delete_key")]
    async fn delete(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        id: Path<String>,
    ) -> Result<Json<DeletedKey>, ApiError> {
        let uuid = known(&id.0)?;
        let note = admin.note("key.delete", uuid.to_string(), json!({}));
        manage::delete(&state.db, uuid, &note).await.map_err(|error| of(error, &id.0))?;
        in_force(&state).await?;
        Ok(Json(DeletedKey { id: uuid.to_string(), object: "key", deleted: true }))
    }
}

/// The change is in force here, and where it must be kept.
async fn in_force(state: &AppState) -> Result<(), ApiError> {
    state.keys.refresh(&state.db).await?;
    Ok(state.kept().await?)
}

fn known(id: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(id).map_err(|_| missing(id))
}

fn missing(id: &str) -> ApiError {
    ApiError::not_found("key", id)
}

fn of(error: KeyError, id: &str) -> ApiError {
    match error {
        KeyError::Unknown => missing(id),
        other => other.into(),
    }
}

impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::NameTaken => Self::new(
                StatusCode::CONFLICT,
                "invalid_request_error",
                "name_taken",
                "There is another key of this name.",
            )
            .about("name"),
            KeyError::Unknown => missing(""),
            KeyError::NoRandom(_) => Self::internal(),
            KeyError::Database(error) => error.into(),
        }
    }
}
