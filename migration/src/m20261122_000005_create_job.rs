//! Table `job`: every durable unit of work and how far it is.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, string_len, string_len_null, text, text_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Job {
    Table,
    Id,
    Kind,
    State,
    Step,
    Epoch,
    Crashes,
    Tries,
    Progress,
    Args,
    Owner,
    GenerationId,
    Holder,
    AccountId,
    UpstreamId,
    RunAt,
    DeadlineAt,
    ErrorCode,
    ErrorMessage,
    CreatedAt,
    StartedAt,
    FinishedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Job::Table)
            .col(uuid(Job::Id).primary_key())
            .col(string_len(Job::Kind, 24))
            .col(string_len(Job::State, 12))
            .col(string_len(Job::Step, 12))
            .col(big_integer(Job::Epoch))
            .col(integer(Job::Crashes))
            .col(integer(Job::Tries))
            .col(integer(Job::Progress))
            .col(text(Job::Args))
            .col(string_len(Job::Owner, 64))
            .col(uuid_null(Job::GenerationId))
            .col(uuid_null(Job::Holder))
            .col(uuid_null(Job::AccountId))
            .col(string_len_null(Job::UpstreamId, 128))
            .col(big_integer(Job::RunAt))
            .col(big_integer(Job::DeadlineAt))
            .col(string_len_null(Job::ErrorCode, 40))
            .col(text_null(Job::ErrorMessage))
            .col(big_integer(Job::CreatedAt))
            .col(big_integer_null(Job::StartedAt))
            .col(big_integer_null(Job::FinishedAt))
            .take();
        manager.create_table(table).await?;
        manager
            .create_index(
                Index::create()
                    .name("idx_job_kind_state_run_id")
                    .table(Job::Table)
                    .col(Job::Kind)
                    .col(Job::State)
                    .col(Job::RunAt)
                    .col(Job::Id)
                    .take(),
            )
            .await?;
        manager
            .create_index(
                Index::create().name("idx_job_state_holder").table(Job::Table).col(Job::State).col(Job::Holder).take(),
            )
            .await?;
        manager
            .create_index(Index::create().name("idx_job_generation").table(Job::Table).col(Job::GenerationId).take())
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("idx_job_state_finished")
                    .table(Job::Table)
                    .col(Job::State)
                    .col(Job::FinishedAt)
                    .take(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Job::Table).take()).await
    }
}
