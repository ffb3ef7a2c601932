//! Table `meta`: facts about the database itself.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;

/// Key of the value by which a start finds out whether it has the right master key.
pub const VAULT_CHECK: &str = "vault_check";

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "meta")]
pub struct Model {
    /// Its name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// Its value.
    #[sea_orm(column_type = "Text")]
    pub value: String,
}

/// What a fact is linked with: nothing.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The value of `key`.
///
/// # Errors
/// When the database does not answer.
pub async fn get(db: &impl ConnectionTrait, key: &str) -> Result<Option<String>, DbErr> {
    let row = Entity::find_by_id(key.to_owned()).one(db).await?;
    Ok(row.map(|row| row.value))
}

/// Sets `key` unless it is set, and returns what then stands there: of several at once one wins for all.
///
/// # Errors
/// When the database refuses.
pub async fn get_or_insert(db: &impl ConnectionTrait, key: &str, value: &str) -> Result<String, DbErr> {
    let row = ActiveModel { key: Set(key.to_owned()), value: Set(value.to_owned()) };
    let keep = OnConflict::column(Column::Key).do_nothing_on([Column::Key]).to_owned();
    Entity::insert(row).on_conflict(keep).exec_without_returning(db).await?;
    let stored = get(db, key).await?;
    stored.ok_or_else(|| DbErr::RecordNotFound(format!("meta {key}")))
}

/// Sets `key`, whatever stood there.
///
/// # Errors
/// When the database refuses.
pub async fn set(db: &impl ConnectionTrait, key: &str, value: &str) -> Result<(), DbErr> {
    let row = ActiveModel { key: Set(key.to_owned()), value: Set(value.to_owned()) };
    let overwrite = OnConflict::column(Column::Key).update_column(Column::Value).to_owned();
    Entity::insert(row).on_conflict(overwrite).exec_without_returning(db).await?;
    Ok(())
}
