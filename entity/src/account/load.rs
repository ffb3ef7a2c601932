//! Reading the whole pool, page by page.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{Column, Entity, Model};
use crate::account_budget;

/// An account with what it may still do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The account.
    pub account: Model,
    /// Its budgets, by name.
    pub budgets: Vec<account_budget::Model>,
}

/// The accounts after the id `after` with their budgets, at most `limit`, oldest first; an empty list is the end.
///
/// # Errors
/// When the database does not answer.
pub async fn load_page(db: &impl ConnectionTrait, after: Option<Uuid>, limit: u64) -> Result<Vec<Loaded>, DbErr> {
    let mut query = Entity::find().order_by_asc(Column::Id).limit(limit);
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    let accounts = query.all(db).await?;
    with_budgets(db, accounts).await
}

/// Adds the budgets to accounts that are in the order of their ids.
pub(super) async fn with_budgets(db: &impl ConnectionTrait, accounts: Vec<Model>) -> Result<Vec<Loaded>, DbErr> {
    let merged = budgets_between(db, accounts, |account| account.id).await?;
    Ok(merged.into_iter().map(|(account, budgets)| Loaded { account, budgets }).collect())
}

/// Adds the budgets to a page of accounts in any order.
pub(super) async fn with_budgets_of(db: &impl ConnectionTrait, accounts: Vec<Model>) -> Result<Vec<Loaded>, DbErr> {
    let ids = accounts.iter().map(|account| account.id);
    let budgets = account_budget::Entity::find()
        .filter(account_budget::Column::AccountId.is_in(ids))
        .order_by_asc(account_budget::Column::Budget)
        .all(db)
        .await?;
    let mut of: HashMap<Uuid, Vec<account_budget::Model>> = HashMap::new();
    for budget in budgets {
        of.entry(budget.account_id).or_default().push(budget);
    }
    let mut loaded = |account: Model| Loaded { budgets: of.remove(&account.id).unwrap_or_default(), account };
    Ok(accounts.into_iter().map(&mut loaded).collect())
}

/// Gives each of the rows, which are in the order of their accounts' ids, the budgets of its account.
pub(super) async fn budgets_between<T>(
    db: &impl ConnectionTrait,
    rows: Vec<T>,
    id: impl Fn(&T) -> Uuid,
) -> Result<Vec<(T, Vec<account_budget::Model>)>, DbErr> {
    let (Some(first), Some(last)) = (rows.first().map(&id), rows.last().map(&id)) else { return Ok(Vec::new()) };
    // A range instead of a list of ids: one short statement, however long the page is.
    let budgets = account_budget::Entity::find()
        .filter(account_budget::Column::AccountId.between(first, last))
        .order_by_asc(account_budget::Column::AccountId)
        .order_by_asc(account_budget::Column::Budget)
        .all(db)
        .await?;
    let mut budgets = budgets.into_iter().peekable();
    let merged = rows.into_iter().map(|row| {
        let account = id(&row);
        while budgets.next_if(|budget| budget.account_id < account).is_some() {}
        let mut own = Vec::new();
        while let Some(budget) = budgets.next_if(|budget| budget.account_id == account) {
            own.push(budget);
        }
        (row, own)
    });
    Ok(merged.collect())
}
