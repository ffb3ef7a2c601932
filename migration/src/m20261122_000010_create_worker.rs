//! Table `worker`: each living worker process.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, boolean, string_len, text, uuid};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Worker {
    Table,
    Id,
    Host,
    Pid,
    Kinds,
    StartedAt,
    BeatAt,
    Draining,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Worker::Table)
            .col(uuid(Worker::Id).primary_key())
            .col(string_len(Worker::Host, 255))
            .col(big_integer(Worker::Pid))
            .col(text(Worker::Kinds))
            .col(big_integer(Worker::StartedAt))
            .col(big_integer(Worker::BeatAt))
            .col(boolean(Worker::Draining))
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Worker::Table).take()).await
    }
}
