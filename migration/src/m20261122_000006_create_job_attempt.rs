//! Table `job_attempt`: each upstream call that a job made.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, integer, string_len_null, uuid};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum JobAttempt {
    Table,
    JobId,
    Epoch,
    Number,
    AccountId,
    StartedAt,
    FinishedAt,
    Outcome,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(JobAttempt::Table)
            .col(uuid(JobAttempt::JobId))
            .col(big_integer(JobAttempt::Epoch))
            .col(integer(JobAttempt::Number))
            .col(uuid(JobAttempt::AccountId))
            .col(big_integer(JobAttempt::StartedAt))
            .col(big_integer_null(JobAttempt::FinishedAt))
            .col(string_len_null(JobAttempt::Outcome, 40))
            .primary_key(Index::create().col(JobAttempt::JobId).col(JobAttempt::Epoch).col(JobAttempt::Number))
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(JobAttempt::Table).take()).await
    }
}
