//! Table `client_key`: the keys of clients, by their keyed hashes.

use sea_orm::ActiveValue::Set;
use sea_orm::QueryOrder;
use sea_orm::entity::prelude::*;

use crate::meta;

/// Under this name `meta` has a value that is another one after each change.
const VERSION: &str = "client_key_version";

/// One row. All times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "client_key")]
pub struct Model {
    /// Its id, version 7. What its clients make is filed under it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What the operator calls it; no two have the same.
    pub name: String,
    /// A keyed hash of the key, which is stored nowhere.
    pub digest: String,
    /// The key's last characters.
    pub hint: String,
    /// Ids of the models it may use, as a JSON list; null means all.
    #[sea_orm(column_type = "Text", nullable)]
    pub models: Option<String>,
    /// When it ends to be good.
    pub expires_at: Option<i64>,
    /// Whether the operator has switched it off.
    pub disabled: bool,
    /// When it was made.
    pub created_at: i64,
    /// When it was last changed.
    pub changed_at: i64,
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// All keys, oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    Entity::find().order_by_asc(Column::Id).all(db).await
}

/// The key of that id.
///
/// # Errors
/// When the database does not answer.
pub async fn find(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// The key of that name.
///
/// # Errors
/// When the database does not answer.
pub async fn find_by_name(db: &impl ConnectionTrait, name: &str) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::Name.eq(name)).one(db).await
}

/// Something that is another one after each change, for who has read the keys before.
///
/// # Errors
/// When the database does not answer.
pub async fn version(db: &impl ConnectionTrait) -> Result<Option<String>, DbErr> {
    meta::get(db, VERSION).await
}

/// Adds a key.
///
/// # Errors
/// When the database refuses, as it does for a name that there is.
pub async fn insert(db: &impl ConnectionTrait, row: Model) -> Result<(), DbErr> {
    Entity::insert(active(row)).exec_without_returning(db).await?;
    announce(db).await
}

/// Replaces everything about a key but its id, its digest and its hint; returns whether there was one.
///
/// # Errors
/// As [`insert`].
pub async fn update(db: &impl ConnectionTrait, row: Model) -> Result<bool, DbErr> {
    let change = ActiveModel {
        name: Set(row.name),
        models: Set(row.models),
        expires_at: Set(row.expires_at),
        disabled: Set(row.disabled),
        changed_at: Set(row.changed_at),
        ..Default::default()
    };
    let changed = Entity::update_many().set(change).filter(Column::Id.eq(row.id)).exec(db).await?;
    announce(db).await?;
    Ok(changed.rows_affected == 1)
}

/// Takes a key away; returns whether there was one.
///
/// # Errors
/// When the database refuses.
pub async fn delete(db: &impl ConnectionTrait, id: Uuid) -> Result<bool, DbErr> {
    let deleted = Entity::delete_by_id(id).exec(db).await?;
    announce(db).await?;
    Ok(deleted.rows_affected == 1)
}

fn active(row: Model) -> ActiveModel {
    ActiveModel {
        id: Set(row.id),
        name: Set(row.name),
        digest: Set(row.digest),
        hint: Set(row.hint),
        models: Set(row.models),
        expires_at: Set(row.expires_at),
        disabled: Set(row.disabled),
        created_at: Set(row.created_at),
        changed_at: Set(row.changed_at),
    }
}

async fn announce(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    meta::set(db, VERSION, &Uuid::new_v4().to_string()).await
}
