//! Table `idempotency`: keys under which clients repeat a request safely.

use sea_orm::entity::prelude::*;

/// One row. All times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency")]
pub struct Model {
    /// Id of the client key that sent it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner: String,
    /// SHA-256 of the `Idempotency-Key` header, in hexadecimal.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// The path it was sent to.
    pub endpoint: String,
    /// SHA-256 of the request, in hexadecimal.
    pub body_hash: String,
    /// What the request made.
    pub generation_id: Option<Uuid>,
    /// When it was first used.
    pub created_at: i64,
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
