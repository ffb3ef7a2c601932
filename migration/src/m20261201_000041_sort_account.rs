//! Indexes by which accounts are listed in other orders than that of their arrival.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Account {
    Table,
    Id,
    UseCount,
    FailedCount,
}

const BY_USE: &str = "idx_account_use_count";
const BY_FAILURES: &str = "idx_account_failed_count";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, column) in [(BY_USE, Account::UseCount), (BY_FAILURES, Account::FailedCount)] {
            let index = Index::create().name(name).table(Account::Table).col(column).col(Account::Id).take();
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in [BY_FAILURES, BY_USE] {
            manager.drop_index(Index::drop().name(name).table(Account::Table).to_owned()).await?;
        }
        Ok(())
    }
}
