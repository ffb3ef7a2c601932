//! `/api/generations`: requests for pictures and videos of all clients.

use std::collections::HashMap;

use grok2api_entity::asset;
use grok2api_entity::generation::{self, Kind, State};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use uuid::Uuid;

use super::object::Generation;
use super::page::Page;
use crate::access::Admin;
use crate::error::ApiError;
use crate::numbers::{KeyNames, text};
use crate::state::AppState;
use crate::tags::Tag;

/// Requests for pictures and videos.
pub(crate) struct GenerationsApi;

/// A page of requests for pictures and videos, the latest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct GenerationList {
    /// `list`
    pub object: &'static str,
    /// The requests; those that their clients deleted are none of them.
    pub data: Vec<Generation>,
    /// The `cursor` of the next page; null on the last.
    #[oai(nullable)]
    pub next_cursor: Option<String>,
}

#[OpenApi(prefix_path = "/api/generations", tag = "Tag::Work")]
impl GenerationsApi {
    /// List requests for pictures and videos.
    #[oai(path = "/", method = "get", operation_id = "list_generations")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        state: Data<&AppState>,
        _admin: Admin,
        /// Most requests of the page: 1 to 200, by default 50.
        limit: Query<Option<u64>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Only `image`, `edit` or `video`.
        kind: Query<Option<String>>,
        /// Only `queued`, `in_progress`, `completed`, `failed` or `cancelled` ones.
        status: Query<Option<String>>,
        /// Only for this model.
        model: Query<Option<String>>,
        /// Only of the client key whose requests are filed under this.
        owner: Query<Option<String>>,
    ) -> Result<Json<GenerationList>, ApiError> {
        use generation::{Column, Entity};

        let page = Page::parse(limit.0, cursor.0.as_deref())?;
        let mut query = Entity::find().filter(Column::DeletedAt.is_null());
        if let Some(name) = kind.0.as_deref() {
            query = query.filter(Column::Kind.eq(parse_kind(name)?));
        }
        if let Some(name) = status.0.as_deref() {
            query = query.filter(Column::State.eq(parse_state(name)?));
        }
        if let Some(model) = text("model", model.0)? {
            query = query.filter(Column::Model.eq(model));
        }
        if let Some(owner) = text("owner", owner.0)? {
            query = query.filter(Column::Owner.eq(owner));
        }
        if let Some(before) = page.before {
            query = query.filter(Column::Id.lt(before));
        }
        let rows = query.order_by_desc(Column::Id).limit(page.limit + 1).all(state.jobs.db()).await?;
        let (rows, next_cursor) = page.cut(rows, |row| row.id);
        Ok(Json(GenerationList { object: "list", data: show(&state, rows).await?, next_cursor }))
    }

    /// Retrieve a request for pictures or a video. Its jobs, `list_own_jobs` with its `generation_id` lists.
    #[oai(path = "/:id", method = "get", operation_id = "retrieve_generation")]
    async fn retrieve(
        &self,
        state: Data<&AppState>,
        _admin: Admin,
        id: Path<String>,
    ) -> Result<Json<Generation>, ApiError> {
        use generation::{Column, Entity};

        let missing = || ApiError::not_found("generation", &id.0);
        let id = text("id", Some(id.0.clone())).ok().flatten().ok_or_else(missing)?;
        let query = Entity::find().filter(Column::PublicId.eq(id)).filter(Column::DeletedAt.is_null());
        let row = query.one(state.jobs.db()).await?.ok_or_else(missing)?;
        show(&state, vec![row]).await?.pop().map(Json).ok_or_else(ApiError::internal)
    }
}

fn parse_kind(name: &str) -> Result<Kind, ApiError> {
    let found = [Kind::Image, Kind::Edit, Kind::Video].into_iter().find(|kind| kind.as_str() == name);
    found.ok_or_else(|| ApiError::invalid("kind", "invalid_value", "It is image, edit or video."))
}

fn parse_state(name: &str) -> Result<State, ApiError> {
    let all = [State::Queued, State::InProgress, State::Completed, State::Failed, State::Cancelled];
    let found = all.into_iter().find(|state| state.as_str() == name);
    let known = "It is queued, in_progress, completed, failed or cancelled.";
    found.ok_or_else(|| ApiError::invalid("status", "invalid_value", known))
}

/// Requests with their results.
async fn show(state: &AppState, rows: Vec<generation::Model>) -> Result<Vec<Generation>, ApiError> {
    let db = state.jobs.db();
    let ids = rows.iter().map(|row| row.id);
    let made = asset::Entity::find().filter(asset::Column::GenerationId.is_in(ids));
    let made = made.order_by_asc(asset::Column::Ordinal).order_by_asc(asset::Column::Id).all(db).await?;
    let mut of: HashMap<Uuid, Vec<asset::Model>> = HashMap::new();
    for asset in made {
        if let Some(id) = asset.generation_id {
            of.entry(id).or_default().push(asset);
        }
    }
    let names = KeyNames::read(db).await?;
    let shown = rows.into_iter().map(|row| {
        let results = of.remove(&row.id).unwrap_or_default();
        Generation::new(row, &results, &names)
    });
    Ok(shown.collect())
}
