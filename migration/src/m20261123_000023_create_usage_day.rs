//! Table `usage_day`: use of each model by each client key, day by day.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, string_len};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum UsageDay {
    Table,
    Day,
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
            .table(UsageDay::Table)
            .col(big_integer(UsageDay::Day))
            .col(string_len(UsageDay::Model, 100))
            .col(string_len(UsageDay::Owner, 64))
            .col(big_integer(UsageDay::Requests))
            .col(big_integer(UsageDay::Errors))
            .col(big_integer(UsageDay::PromptTokens))
            .col(big_integer(UsageDay::CompletionTokens))
            .col(big_integer(UsageDay::ReasoningTokens))
            .col(big_integer(UsageDay::Images))
            .col(big_integer(UsageDay::Videos))
            .col(big_integer(UsageDay::FirstMs))
            .col(big_integer(UsageDay::Firsts))
            .col(big_integer(UsageDay::TotalMs))
            .primary_key(Index::create().col(UsageDay::Day).col(UsageDay::Model).col(UsageDay::Owner))
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(UsageDay::Table).take()).await
    }
}
