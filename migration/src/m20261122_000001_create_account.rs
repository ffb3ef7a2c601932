//! Table `account`: one row per account of the pool.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, string_len, string_len_uniq, text, text_null, uuid,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
pub(crate) enum Account {
    Table,
    Id,
    Kind,
    Secret,
    Fingerprint,
    Hint,
    Status,
    StatusReason,
    StatusUntil,
    FailedCount,
    LastFailureAt,
    LastFailureReason,
    Tags,
    Note,
    UseCount,
    LastUsedAt,
    CreatedAt,
    UpdatedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Account::Table)
            .col(uuid(Account::Id).primary_key())
            .col(string_len(Account::Kind, 20))
            .col(text(Account::Secret))
            .col(string_len_uniq(Account::Fingerprint, 64))
            .col(string_len(Account::Hint, 16))
            .col(string_len(Account::Status, 20))
            .col(text_null(Account::StatusReason))
            .col(big_integer_null(Account::StatusUntil))
            .col(integer(Account::FailedCount))
            .col(big_integer_null(Account::LastFailureAt))
            .col(text_null(Account::LastFailureReason))
            .col(text(Account::Tags))
            .col(text(Account::Note))
            .col(big_integer(Account::UseCount))
            .col(big_integer_null(Account::LastUsedAt))
            .col(big_integer(Account::CreatedAt))
            .col(big_integer(Account::UpdatedAt))
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Account::Table).take()).await
    }
}
