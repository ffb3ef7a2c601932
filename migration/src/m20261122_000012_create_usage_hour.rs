//! Table `usage_hour`: use of each model by each client key, hour by hour.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, string_len};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum UsageHour {
    Table,
    Hour,
    Model,
    Owner,
    Requests,
    Errors,
    PromptTokens,
    CompletionTokens,
    ReasoningTokens,
    Images,
    Videos,
    FirstMs,
    Firsts,
    TotalMs,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(UsageHour::Table)
            .col(big_integer(UsageHour::Hour))
            .col(string_len(UsageHour::Model, 100))
            .col(string_len(UsageHour::Owner, 64))
            .col(big_integer(UsageHour::Requests))
            .col(big_integer(UsageHour::Errors))
            .col(big_integer(UsageHour::PromptTokens))
            .col(big_integer(UsageHour::CompletionTokens))
            .col(big_integer(UsageHour::ReasoningTokens))
            .col(big_integer(UsageHour::Images))
            .col(big_integer(UsageHour::Videos))
            .col(big_integer(UsageHour::FirstMs))
            .col(big_integer(UsageHour::Firsts))
            .col(big_integer(UsageHour::TotalMs))
            .primary_key(Index::create().col(UsageHour::Hour).col(UsageHour::Model).col(UsageHour::Owner))
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(UsageHour::Table).take()).await
    }
}
