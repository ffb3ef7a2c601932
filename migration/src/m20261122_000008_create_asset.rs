//! Table `asset`: each picture and video of ours, stored or to be fetched.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, string_len, string_len_null, string_len_uniq, text_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Asset {
    Table,
    Id,
    Name,
    SeedName,
    Kind,
    State,
    SourcePath,
    AccountId,
    StorageKey,
    ContentType,
    Bytes,
    Sha256,
    Owner,
    GenerationId,
    Ordinal,
    ErrorCode,
    CreatedAt,
    StoredAt,
    LastUsedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Asset::Table)
            .col(uuid(Asset::Id).primary_key())
            .col(string_len_uniq(Asset::Name, 80))
            .col(string_len_null(Asset::SeedName, 512))
            .col(string_len(Asset::Kind, 12))
            .col(string_len(Asset::State, 12))
            .col(text_null(Asset::SourcePath))
            .col(uuid_null(Asset::AccountId))
            .col(string_len_null(Asset::StorageKey, 200))
            .col(string_len_null(Asset::ContentType, 100))
            .col(big_integer(Asset::Bytes))
            .col(string_len_null(Asset::Sha256, 64))
            .col(string_len(Asset::Owner, 64))
            .col(uuid_null(Asset::GenerationId))
            .col(integer(Asset::Ordinal))
            .col(string_len_null(Asset::ErrorCode, 40))
            .col(big_integer(Asset::CreatedAt))
            .col(big_integer_null(Asset::StoredAt))
            .col(big_integer(Asset::LastUsedAt))
            .take();
        manager.create_table(table).await?;
        manager
            .create_index(Index::create().name("idx_asset_seed_name").table(Asset::Table).col(Asset::SeedName).take())
            .await?;
        manager
            .create_index(
                Index::create().name("idx_asset_generation").table(Asset::Table).col(Asset::GenerationId).take(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("idx_asset_state_kind_last_used")
                    .table(Asset::Table)
                    .col(Asset::State)
                    .col(Asset::Kind)
                    .col(Asset::LastUsedAt)
                    .take(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Asset::Table).take()).await
    }
}
