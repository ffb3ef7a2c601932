//! Indexes that alone answer how many accounts stand in which way.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Account {
    Table,
    Id,
    Kind,
    Status,
    StatusUntil,
}

#[derive(DeriveIden)]
enum AccountBudget {
    Table,
    AccountId,
    CoolingUntil,
    ResetAt,
    Total,
    Remaining,
}

const ACCOUNTS: &str = "idx_account_tally";
const BUDGETS: &str = "idx_account_budget_tally";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let accounts = Index::create()
            .name(ACCOUNTS)
            .table(Account::Table)
            .col(Account::Kind)
            .col(Account::Status)
            .col(Account::StatusUntil)
            .col(Account::Id)
            .take();
        manager.create_index(accounts).await?;
        let budgets = Index::create()
            .name(BUDGETS)
            .table(AccountBudget::Table)
            .col(AccountBudget::AccountId)
            .col(AccountBudget::CoolingUntil)
            .col(AccountBudget::ResetAt)
            .col(AccountBudget::Total)
            .col(AccountBudget::Remaining)
            .take();
        manager.create_index(budgets).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // MySQL needs some index for the reference to the account: that of the primary key, which stays.
        manager.drop_index(Index::drop().name(BUDGETS).table(AccountBudget::Table).to_owned()).await?;
        manager.drop_index(Index::drop().name(ACCOUNTS).table(Account::Table).to_owned()).await
    }
}
