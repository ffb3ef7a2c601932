//! Table `queue_control`: what the operator says about the work of a kind. Workers say which release they are.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, boolean, integer_null, string_len, string_len_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum QueueControl {
    Table,
    Kind,
    Paused,
    Concurrency,
    ChangedAt,
}

#[derive(DeriveIden)]
enum Worker {
    Table,
    Version,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(QueueControl::Table)
            .col(string_len(QueueControl::Kind, 24).primary_key())
            .col(boolean(QueueControl::Paused))
            .col(integer_null(QueueControl::Concurrency))
            .col(big_integer(QueueControl::ChangedAt))
            .take();
        manager.create_table(table).await?;
        let worker = Table::alter().table(Worker::Table).add_column(string_len_null(Worker::Version, 64)).to_owned();
        manager.alter_table(worker).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table(Worker::Table).drop_column(Worker::Version).to_owned()).await?;
        manager.drop_table(Table::drop().table(QueueControl::Table).take()).await
    }
}
