//! Table `queue_control`: what the operator says about the work of a kind.

use sea_orm::ActiveValue::Set;
use sea_orm::QuerySelect;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;

use crate::clock;

/// One row, made when something is first said about a kind. Kinds without a row are as they are by themselves.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "queue_control")]
pub struct Model {
    /// The kind of jobs, by its name: a release that does not know it leaves the row alone.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    /// Whether nothing more of it is begun.
    pub paused: bool,
    /// Jobs of it at once in each worker process; `None` as its configuration says.
    pub concurrency: Option<i32>,
    /// When something was last said, in Unix milliseconds of the database's clock.
    pub changed_at: i64,
}

/// What a row is linked with: nothing.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The row of a kind, made if it is missing, and locked until the transaction ends.
///
/// # Errors
/// When the database refuses.
pub async fn take(tx: &impl ConnectionTrait, kind: &str) -> Result<Model, DbErr> {
    let row = ActiveModel {
        kind: Set(kind.to_owned()),
        paused: Set(false),
        concurrency: Set(None),
        changed_at: Set(clock::read(tx).await?),
    };
    let keep = OnConflict::column(Column::Kind).do_nothing_on([Column::Kind]).to_owned();
    Entity::insert(row).on_conflict(keep).exec_without_returning(tx).await?;
    let row = Entity::find_by_id(kind.to_owned()).lock_exclusive().one(tx).await?;
    row.ok_or_else(|| DbErr::RecordNotFound(format!("queue_control {kind}")))
}

/// Writes a row that was taken.
///
/// # Errors
/// When the database refuses.
pub async fn put(tx: &impl ConnectionTrait, row: &Model) -> Result<(), DbErr> {
    Entity::update_many()
        .set(ActiveModel {
            paused: Set(row.paused),
            concurrency: Set(row.concurrency),
            changed_at: Set(row.changed_at),
            ..Default::default()
        })
        .filter(Column::Kind.eq(row.kind.as_str()))
        .exec(tx)
        .await?;
    Ok(())
}
