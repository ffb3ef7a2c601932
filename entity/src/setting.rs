//! Table `setting`: runtime settings that differ from the start-up configuration.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, OnConflict};

/// The row whose `version` counts the changes; no setting has this name.
const COUNTER: &str = "@version";

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "setting")]
pub struct Model {
    /// Its name, such as `chat.max_choices`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// Its value as JSON; a sealed text for secrets.
    #[sea_orm(column_type = "Text")]
    pub value: String,
    /// The change it was last written by.
    pub version: i64,
}

/// What a setting is linked with: nothing.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A change of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its name.
    pub key: String,
    /// Its new value; `None` takes it back to the start-up configuration.
    pub value: Option<String>,
}

/// All stored settings.
///
/// # Errors
/// When the database does not answer.
pub async fn load_all(db: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    Entity::find().filter(Column::Key.ne(COUNTER)).all(db).await
}

/// Number of changes so far; 0 when there was none.
///
/// # Errors
/// When the database does not answer.
pub async fn version(db: &impl ConnectionTrait) -> Result<i64, DbErr> {
    let counter = Entity::find_by_id(COUNTER.to_owned()).one(db).await?;
    Ok(counter.map_or(0, |row| row.version))
}

/// Stores changes as one, and returns the new version.
///
/// # Errors
/// When the database refuses; give it a transaction, so that then nothing has changed.
pub async fn store(db: &impl ConnectionTrait, changes: &[Change]) -> Result<i64, DbErr> {
    let version = count_up(db).await?;
    for change in changes {
        match &change.value {
            Some(value) => {
                let row =
                    ActiveModel { key: Set(change.key.clone()), value: Set(value.clone()), version: Set(version) };
                let overwrite =
                    OnConflict::column(Column::Key).update_columns([Column::Value, Column::Version]).to_owned();
                Entity::insert(row).on_conflict(overwrite).exec_without_returning(db).await?;
            }
            None => {
                Entity::delete_by_id(change.key.clone()).exec(db).await?;
            }
        }
    }
    Ok(version)
}

/// The counter's row is written first, so that writers wait for one another.
async fn count_up(db: &impl ConnectionTrait) -> Result<i64, DbErr> {
    let first = ActiveModel { key: Set(COUNTER.to_owned()), value: Set(String::new()), version: Set(0) };
    let keep = OnConflict::column(Column::Key).do_nothing_on([Column::Key]).to_owned();
    Entity::insert(first).on_conflict(keep).exec_without_returning(db).await?;
    Entity::update_many()
        .col_expr(Column::Version, Expr::col(Column::Version).add(1_i64))
        .filter(Column::Key.eq(COUNTER))
        .exec(db)
        .await?;
    version(db).await
}
