//! Table `request_log`: one row per answered request.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, integer, string_len, string_len_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum RequestLog {
    Table,
    Id,
    At,
    RequestId,
    Endpoint,
    Model,
    Owner,
    Status,
    ErrorCode,
    Streamed,
    Attempts,
    AccountId,
    PromptTokens,
    CompletionTokens,
    ReasoningTokens,
    Images,
    Videos,
    FirstMs,
    TotalMs,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(RequestLog::Table)
            .col(uuid(RequestLog::Id).primary_key())
            .col(big_integer(RequestLog::At))
            .col(string_len(RequestLog::RequestId, 64))
            .col(string_len(RequestLog::Endpoint, 64))
            .col(string_len(RequestLog::Model, 100))
            .col(string_len(RequestLog::Owner, 64))
            .col(integer(RequestLog::Status))
            .col(string_len_null(RequestLog::ErrorCode, 40))
            .col(boolean(RequestLog::Streamed))
            .col(integer(RequestLog::Attempts))
            .col(uuid_null(RequestLog::AccountId))
            .col(big_integer(RequestLog::PromptTokens))
            .col(big_integer(RequestLog::CompletionTokens))
            .col(big_integer(RequestLog::ReasoningTokens))
            .col(integer(RequestLog::Images))
            .col(integer(RequestLog::Videos))
            .col(big_integer_null(RequestLog::FirstMs))
            .col(big_integer(RequestLog::TotalMs))
            .take();
        manager.create_table(table).await?;
        manager
            .create_index(
                Index::create()
                    .name("idx_request_log_at_id")
                    .table(RequestLog::Table)
                    .col(RequestLog::At)
                    .col(RequestLog::Id)
                    .take(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("idx_request_log_owner_at")
                    .table(RequestLog::Table)
                    .col(RequestLog::Owner)
                    .col(RequestLog::At)
                    .take(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(RequestLog::Table).take()).await
    }
}
