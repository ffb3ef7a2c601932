//! Table `bulk_item`: the accounts that were named for a bulk work, and those of any that failed.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{QueryOrder, QuerySelect};

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "bulk_item")]
pub struct Model {
    /// The work.
    #[sea_orm(primary_key, auto_increment = false)]
    pub bulk_id: Uuid,
    /// Its place in the work, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    /// The account, where there is one.
    pub account_id: Option<Uuid>,
    /// The credential to be imported, sealed; gone once it is done.
    #[sea_orm(column_type = "Text", nullable)]
    pub secret: Option<String>,
    /// How it stands.
    pub state: State,
    /// Why it failed, for the operator.
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
}

/// How one of them stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(8))")]
pub enum State {
    /// To be done.
    #[sea_orm(string_value = "open")]
    Open,
    /// Done.
    #[sea_orm(string_value = "done")]
    Done,
    /// Failed.
    #[sea_orm(string_value = "failed")]
    Failed,
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Those of a work that are in `state`, after the place `after`, at most `limit`, in their order.
///
/// # Errors
/// When the database does not answer.
pub async fn page(
    db: &impl ConnectionTrait,
    bulk: Uuid,
    state: State,
    after: i64,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let of = Entity::find().filter(Column::BulkId.eq(bulk)).filter(Column::State.eq(state));
    of.filter(Column::Number.gt(after)).order_by_asc(Column::Number).limit(limit).all(db).await
}

/// Forgets the credentials of a work.
///
/// # Errors
/// When the database refuses.
pub async fn forget_secrets(db: &impl ConnectionTrait, bulk: Uuid) -> Result<(), DbErr> {
    let forget = Entity::update_many().col_expr(Column::Secret, Expr::value(None::<String>));
    forget.filter(Column::BulkId.eq(bulk)).filter(Column::Secret.is_not_null()).exec(db).await.map(drop)
}
