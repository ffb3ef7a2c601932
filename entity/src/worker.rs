//! Table `worker`: each living worker process.

use sea_orm::entity::prelude::*;

/// One row. All times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "worker")]
pub struct Model {
    /// New for each start of a process, and after each time it was given up for dead.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Name of its machine.
    pub host: String,
    /// Its process number there.
    pub pid: i64,
    /// What it works on, separated by commas.
    #[sea_orm(column_type = "Text")]
    pub kinds: String,
    /// When it began, by the database's clock.
    pub started_at: i64,
    /// Its last sign of life, by the database's clock (I3).
    pub beat_at: i64,
    /// Whether it takes nothing more.
    pub draining: bool,
    /// Its release; `None` of one that does not say so.
    pub version: Option<String>,
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
