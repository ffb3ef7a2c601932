//! Which asset a name means.

use grok2api_entity::asset::{self, Column, Entity, Kind, State};
use grok2api_upstream::asset::lookup_name;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use crate::{Library, MediaError, is_public_name};

/// Rows that may share a name of the old gateway; more are not looked at.
const MAX_SHARING: u64 = 16;

impl Library {
    /// The asset that a request below `/images/` means: by its public name, or by the name that the old gateway gave.
    ///
    /// Where several share an old name, the newest one that is stored is meant. Uploads are never found.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find(&self, request: &str) -> Result<Option<asset::Model>, MediaError> {
        let request = request.trim_start_matches('/');
        let Some(seed_name) = lookup_name(request) else { return Ok(None) };
        if is_public_name(request) {
            let found = served().filter(Column::Name.eq(request)).one(&self.db).await?;
            // Some databases compare without regard to case.
            if let Some(found) = found.filter(|asset| asset.name == request) {
                return Ok(Some(found));
            }
        }
        let sharing = || served().filter(Column::SeedName.eq(seed_name.as_ref())).order_by_desc(Column::CreatedAt);
        let stored = sharing().filter(Column::State.eq(State::Stored)).limit(MAX_SHARING).all(&self.db).await?;
        if let Some(found) = exact(stored, &seed_name) {
            return Ok(Some(found));
        }
        let others = sharing().filter(Column::State.ne(State::Stored)).limit(MAX_SHARING).all(&self.db).await?;
        Ok(exact(others, &seed_name))
    }

    /// The asset of that id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get(&self, id: Uuid) -> Result<Option<asset::Model>, MediaError> {
        Ok(Entity::find_by_id(id).one(&self.db).await?)
    }

    /// The results of a request, in their order; no uploads.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn results_of(&self, generation_id: Uuid) -> Result<Vec<asset::Model>, MediaError> {
        let results = served().filter(Column::GenerationId.eq(generation_id));
        Ok(results.order_by_asc(Column::Ordinal).order_by_asc(Column::Id).all(&self.db).await?)
    }
}

fn served() -> Select<Entity> {
    Entity::find().filter(Column::Kind.ne(Kind::Input))
}

fn exact(rows: Vec<asset::Model>, seed_name: &str) -> Option<asset::Model> {
    rows.into_iter().find(|asset| asset.seed_name.as_deref() == Some(seed_name))
}
