//! Table `setting`: runtime settings that differ from the start-up configuration.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, string_len, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Setting {
    Table,
    Key,
    Value,
    Version,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Setting::Table)
            .col(string_len(Setting::Key, 100).primary_key())
            .col(text(Setting::Value))
            .col(big_integer(Setting::Version))
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Setting::Table).take()).await
    }
}
