//! Table `generation`: each request for pictures or a video, and what came of it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, string_len, string_len_null, string_len_uniq, text, text_null, uuid,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Generation {
    Table,
    Id,
    PublicId,
    Kind,
    Model,
    Owner,
    Prompt,
    Request,
    State,
    Progress,
    Pending,
    ErrorCode,
    ErrorMessage,
    CreatedAt,
    CompletedAt,
    DeletedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Generation::Table)
            .col(uuid(Generation::Id).primary_key())
            .col(string_len_uniq(Generation::PublicId, 64))
            .col(string_len(Generation::Kind, 12))
            .col(string_len(Generation::Model, 100))
            .col(string_len(Generation::Owner, 64))
            .col(text(Generation::Prompt))
            .col(text(Generation::Request))
            .col(string_len(Generation::State, 12))
            .col(integer(Generation::Progress))
            .col(integer(Generation::Pending))
            .col(string_len_null(Generation::ErrorCode, 40))
            .col(text_null(Generation::ErrorMessage))
            .col(big_integer(Generation::CreatedAt))
            .col(big_integer_null(Generation::CompletedAt))
            .col(big_integer_null(Generation::DeletedAt))
            .take();
        manager.create_table(table).await?;
        manager
            .create_index(
                Index::create()
                    .name("idx_generation_owner_kind_created_id")
                    .table(Generation::Table)
                    .col(Generation::Owner)
                    .col(Generation::Kind)
                    .col(Generation::CreatedAt)
                    .col(Generation::Id)
                    .take(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Generation::Table).take()).await
    }
}
