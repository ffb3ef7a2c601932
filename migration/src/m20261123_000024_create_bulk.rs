//! Tables `bulk` and `bulk_item`: work on many accounts at once, and how far it is with each.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, string_len, text, text_null, uuid, uuid_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Bulk {
    Table,
    Id,
    Kind,
    State,
    Params,
    Cursor,
    Total,
    Done,
    Failed,
    CreatedAt,
    FinishedAt,
}

#[derive(DeriveIden)]
enum BulkItem {
    Table,
    BulkId,
    Number,
    AccountId,
    Secret,
    State,
    Error,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Bulk::Table)
            .col(uuid(Bulk::Id).primary_key())
            .col(string_len(Bulk::Kind, 24))
            .col(string_len(Bulk::State, 12))
            .col(text(Bulk::Params))
            .col(uuid_null(Bulk::Cursor))
            .col(big_integer(Bulk::Total))
            .col(big_integer(Bulk::Done))
            .col(big_integer(Bulk::Failed))
            .col(big_integer(Bulk::CreatedAt))
            .col(big_integer_null(Bulk::FinishedAt))
            .take();
        manager.create_table(table).await?;
        let index = Index::create().name("idx_bulk_created").table(Bulk::Table).col(Bulk::CreatedAt).take();
        manager.create_index(index).await?;
        let table = Table::create()
            .table(BulkItem::Table)
            .col(uuid(BulkItem::BulkId))
            .col(big_integer(BulkItem::Number))
            .col(uuid_null(BulkItem::AccountId))
            .col(text_null(BulkItem::Secret))
            .col(string_len(BulkItem::State, 8))
            .col(text_null(BulkItem::Error))
            .primary_key(Index::create().col(BulkItem::BulkId).col(BulkItem::Number))
            .take();
        manager.create_table(table).await?;
        let index = Index::create()
            .name("idx_bulk_item_state")
            .table(BulkItem::Table)
            .col(BulkItem::BulkId)
            .col(BulkItem::State)
            .col(BulkItem::Number)
            .take();
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(BulkItem::Table).take()).await?;
        manager.drop_table(Table::drop().table(Bulk::Table).take()).await
    }
}
