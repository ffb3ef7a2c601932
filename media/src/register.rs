//! Making a result known whose bytes are still to be fetched.

use grok2api_entity::asset::{self, ActiveModel, Entity, Kind, State};
use grok2api_entity::clock;
use grok2api_upstream::asset::AssetPath;
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, IntoActiveModel};
use uuid::Uuid;

use crate::{Library, MediaError, name};

/// A result that the upstream named.
#[derive(Debug, Clone, Copy)]
pub struct NewAsset<'a> {
    /// What it is.
    pub kind: Kind,
    /// Where its bytes can be fetched.
    pub source: &'a AssetPath,
    /// The account whose credential opens the source.
    pub account_id: Option<Uuid>,
    /// Id of the client key it was made for.
    pub owner: &'a str,
    /// The request it answers.
    pub generation_id: Option<Uuid>,
    /// Position among the results of its request.
    pub ordinal: i32,
}

impl Library {
    /// Makes a result known; see [`register`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn register(&self, new: NewAsset<'_>) -> Result<asset::Model, MediaError> {
        register(&self.db, new).await
    }
}

/// Makes a result known, within the caller's transaction if need be, and gives it its public name.
///
/// Its state is `pending` until [`Library::store`] has its bytes.
///
/// # Errors
/// When the database fails.
pub async fn register(db: &impl ConnectionTrait, new: NewAsset<'_>) -> Result<asset::Model, MediaError> {
    let path = new.source.as_str();
    let source_path = match new.source.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let model = asset::Model {
        seed_name: Some(new.source.seed_name()),
        source_path: Some(source_path),
        account_id: new.account_id,
        generation_id: new.generation_id,
        ordinal: new.ordinal,
        ..blank(Uuid::now_v7(), new.kind, new.owner, Some(path), clock::read(db).await?)
    };
    insert(db, &model).await?;
    Ok(model)
}

/// A row of which only the essentials are known.
pub(crate) fn blank(id: Uuid, kind: Kind, owner: &str, path: Option<&str>, now: i64) -> asset::Model {
    asset::Model {
        id,
        name: name::random(kind, path),
        seed_name: None,
        kind,
        state: State::Pending,
        source_path: None,
        account_id: None,
        storage_key: None,
        content_type: None,
        bytes: 0,
        sha256: None,
        owner: owner.to_owned(),
        generation_id: None,
        ordinal: 0,
        error_code: None,
        created_at: now,
        stored_at: None,
        last_used_at: now,
    }
}

pub(crate) async fn insert(db: &impl ConnectionTrait, model: &asset::Model) -> Result<(), MediaError> {
    let row: ActiveModel = model.clone().into_active_model().reset_all();
    Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}
