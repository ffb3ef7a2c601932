//! Table `idempotency`: keys under which clients repeat a request safely.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, string_len, uuid_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Idempotency {
    Table,
    Owner,
    Key,
    Endpoint,
    BodyHash,
    GenerationId,
    CreatedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Idempotency::Table)
            .col(string_len(Idempotency::Owner, 64))
            .col(string_len(Idempotency::Key, 255))
            .col(string_len(Idempotency::Endpoint, 64))
            .col(string_len(Idempotency::BodyHash, 64))
            .col(uuid_null(Idempotency::GenerationId))
            .col(big_integer(Idempotency::CreatedAt))
            .primary_key(Index::create().col(Idempotency::Owner).col(Idempotency::Key))
            .take();
        manager.create_table(table).await?;
        manager
            .create_index(
                Index::create()
                    .name("idx_idempotency_created")
                    .table(Idempotency::Table)
                    .col(Idempotency::CreatedAt)
                    .take(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Idempotency::Table).take()).await
    }
}
