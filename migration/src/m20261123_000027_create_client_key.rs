//! Table `client_key`: the keys of clients, by their keyed hashes.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, boolean, string_len, text_null, uuid};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum ClientKey {
    Table,
    Id,
    Name,
    Digest,
    Hint,
    Models,
    ExpiresAt,
    Disabled,
    CreatedAt,
    ChangedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(ClientKey::Table)
            .col(uuid(ClientKey::Id).primary_key())
            .col(string_len(ClientKey::Name, 100).unique_key())
            .col(string_len(ClientKey::Digest, 64).unique_key())
            .col(string_len(ClientKey::Hint, 8))
            .col(text_null(ClientKey::Models))
            .col(big_integer_null(ClientKey::ExpiresAt))
            .col(boolean(ClientKey::Disabled))
            .col(big_integer(ClientKey::CreatedAt))
            .col(big_integer(ClientKey::ChangedAt))
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(ClientKey::Table).take()).await
    }
}
