//! Table `tick`: each time that something became due, once for all.

use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect};

use crate::schedule::Name;

/// One row. All times are Unix milliseconds of the database's clock.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tick")]
pub struct Model {
    /// What became due.
    #[sea_orm(primary_key, auto_increment = false)]
    pub schedule: Name,
    /// When.
    #[sea_orm(primary_key, auto_increment = false)]
    pub due_ms: i64,
    /// The job that was made for it, in the same transaction.
    pub job_id: Uuid,
    /// Whether an operator asked for it.
    pub manual: bool,
    /// When the row was made.
    pub created_at: i64,
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Deletes up to `limit` of the oldest rows that were made before `at`; returns how many.
///
/// # Errors
/// When the database refuses.
pub async fn delete_before(db: &impl ConnectionTrait, at: i64, limit: u64) -> Result<u64, DbErr> {
    let old = Entity::find().filter(Column::CreatedAt.lt(at)).order_by_asc(Column::CreatedAt).limit(limit);
    let old = old.all(db).await?;
    let mut deleted = 0;
    for name in Name::ALL {
        let due: Vec<i64> = old.iter().filter(|tick| tick.schedule == name).map(|tick| tick.due_ms).collect();
        if !due.is_empty() {
            let these = Entity::delete_many().filter(Column::Schedule.eq(name)).filter(Column::DueMs.is_in(due));
            deleted += these.exec(db).await?.rows_affected;
        }
    }
    Ok(deleted)
}
