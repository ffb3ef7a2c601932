//! When each account was last asked about, and indexes by which those are found whose turn it is.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::big_integer;

use crate::m20261122_000001_create_account::Account;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Column {
    TestedAt,
    QuotaAskedAt,
}

#[derive(DeriveIden)]
enum AccountBudget {
    Table,
    Remaining,
    ResetAt,
    CoolingUntil,
}

const BY_TEST: &str = "idx_account_status_tested";
const BY_RESET: &str = "idx_account_budget_reset";
const BY_COOLING: &str = "idx_account_budget_cooling";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [Column::TestedAt, Column::QuotaAskedAt] {
            let column = big_integer(column).default(0).take();
            manager.alter_table(Table::alter().table(Account::Table).add_column(column).take()).await?;
        }
        let by_test =
            Index::create().name(BY_TEST).table(Account::Table).col(Account::Status).col(Column::TestedAt).take();
        manager.create_index(by_test).await?;
        let by_reset = Index::create()
            .name(BY_RESET)
            .table(AccountBudget::Table)
            .col(AccountBudget::ResetAt)
            .col(AccountBudget::Remaining)
            .take();
        manager.create_index(by_reset).await?;
        let by_cooling =
            Index::create().name(BY_COOLING).table(AccountBudget::Table).col(AccountBudget::CoolingUntil).take();
        manager.create_index(by_cooling).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name(BY_COOLING).table(AccountBudget::Table).to_owned()).await?;
        manager.drop_index(Index::drop().name(BY_RESET).table(AccountBudget::Table).to_owned()).await?;
        manager.drop_index(Index::drop().name(BY_TEST).table(Account::Table).to_owned()).await?;
        for column in [Column::TestedAt, Column::QuotaAskedAt] {
            manager.alter_table(Table::alter().table(Account::Table).drop_column(column).take()).await?;
        }
        Ok(())
    }
}
