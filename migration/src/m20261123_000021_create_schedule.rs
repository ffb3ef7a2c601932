//! Tables `schedule` and `tick`: what becomes due by itself, and each time it did.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, boolean, string_len, uuid, uuid_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Schedule {
    Table,
    Name,
    Paused,
    AfterMs,
    TouchedAt,
    LastTickAt,
    LastJobId,
}

#[derive(DeriveIden)]
enum Tick {
    Table,
    Schedule,
    DueMs,
    JobId,
    Manual,
    CreatedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Schedule::Table)
            .col(string_len(Schedule::Name, 32).primary_key())
            .col(boolean(Schedule::Paused))
            .col(big_integer(Schedule::AfterMs))
            .col(big_integer(Schedule::TouchedAt))
            .col(big_integer_null(Schedule::LastTickAt))
            .col(uuid_null(Schedule::LastJobId))
            .take();
        manager.create_table(table).await?;
        let table = Table::create()
            .table(Tick::Table)
            .col(string_len(Tick::Schedule, 32))
            .col(big_integer(Tick::DueMs))
            .col(uuid(Tick::JobId))
            .col(boolean(Tick::Manual))
            .col(big_integer(Tick::CreatedAt))
            .primary_key(Index::create().col(Tick::Schedule).col(Tick::DueMs))
            .take();
        manager.create_table(table).await?;
        let index = Index::create().name("idx_tick_created").table(Tick::Table).col(Tick::CreatedAt).take();
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Tick::Table).take()).await?;
        manager.drop_table(Table::drop().table(Schedule::Table).take()).await
    }
}
