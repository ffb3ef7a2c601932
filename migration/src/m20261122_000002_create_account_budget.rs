//! Table `account_budget`: what each account may still do, one row per account and budget.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, string_len, uuid};

use crate::m20261122_000001_create_account::Account;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum AccountBudget {
    Table,
    AccountId,
    Budget,
    Unit,
    Remaining,
    Total,
    WindowSecs,
    ReadAt,
    ResetAt,
    CoolingUntil,
    Source,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(AccountBudget::Table)
            .col(uuid(AccountBudget::AccountId))
            .col(string_len(AccountBudget::Budget, 100))
            .col(string_len(AccountBudget::Unit, 20))
            .col(big_integer(AccountBudget::Remaining))
            .col(big_integer(AccountBudget::Total))
            .col(big_integer(AccountBudget::WindowSecs))
            .col(big_integer(AccountBudget::ReadAt))
            .col(big_integer_null(AccountBudget::ResetAt))
            .col(big_integer_null(AccountBudget::CoolingUntil))
            .col(string_len(AccountBudget::Source, 20))
            .primary_key(Index::create().col(AccountBudget::AccountId).col(AccountBudget::Budget))
            .foreign_key(
                ForeignKey::create()
                    .name("fk_account_budget_account_id")
                    .from(AccountBudget::Table, AccountBudget::AccountId)
                    .to(Account::Table, Account::Id)
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(AccountBudget::Table).take()).await
    }
}
