//! Table `account_budget`: what each account may still do, one row per account and budget.

use std::collections::HashSet;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{IntoActiveModel, QuerySelect};

use crate::account;

/// Rows of one statement.
const BATCH: usize = 1000;

/// What an account may still do in one budget. All times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account_budget")]
pub struct Model {
    /// The account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: Uuid,
    /// Name of the budget: the upstream's name of the model it belongs to.
    #[sea_orm(primary_key, auto_increment = false)]
    pub budget: String,
    /// What is counted, for example `tokens` or `calls`.
    pub unit: String,
    /// Units left.
    pub remaining: i64,
    /// Units of a full budget.
    pub total: i64,
    /// Length of the window after which the budget is full again, in seconds.
    pub window_secs: i64,
    /// When these numbers were true.
    pub read_at: i64,
    /// When the budget is full again at the latest; `None` when unknown.
    pub reset_at: Option<i64>,
    /// Until when the account is not used for this budget.
    pub cooling_until: Option<i64>,
    /// Where the numbers come from.
    pub source: Source,
}

/// Where the numbers of a budget come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(20))")]
pub enum Source {
    /// The upstream said so.
    #[sea_orm(string_value = "measured")]
    Measured,
    /// Counted down by us, or brought along from elsewhere.
    #[sea_orm(string_value = "estimated")]
    Estimated,
}

/// What a budget is linked with.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The account it belongs to.
    #[sea_orm(belongs_to = "account::Entity", from = "Column::AccountId", to = "account::Column::Id")]
    Account,
}

impl Related<account::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Account.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// Writes budgets over the stored ones; those of accounts that are gone are left out (F54).
///
/// # Errors
/// When the database refuses; give it a transaction, so that then nothing has changed.
pub async fn record(db: &impl ConnectionTrait, budgets: &[Model]) -> Result<(), DbErr> {
    for batch in budgets.chunks(BATCH) {
        let ids: HashSet<Uuid> = batch.iter().map(|budget| budget.account_id).collect();
        let known: HashSet<Uuid> = account::Entity::find()
            .select_only()
            .column(account::Column::Id)
            .filter(account::Column::Id.is_in(ids))
            .into_tuple()
            .all(db)
            .await?
            .into_iter()
            .collect();
        let rows: Vec<ActiveModel> = batch
            .iter()
            .filter(|budget| known.contains(&budget.account_id))
            .map(|budget| budget.clone().into_active_model().reset_all())
            .collect();
        if rows.is_empty() {
            continue;
        }
        let overwrite = OnConflict::columns([Column::AccountId, Column::Budget])
            .update_columns([
                Column::Unit,
                Column::Remaining,
                Column::Total,
                Column::WindowSecs,
                Column::ReadAt,
                Column::ResetAt,
                Column::CoolingUntil,
                Column::Source,
            ])
            .to_owned();
        Entity::insert_many(rows).on_conflict(overwrite).exec_without_returning(db).await?;
    }
    Ok(())
}
