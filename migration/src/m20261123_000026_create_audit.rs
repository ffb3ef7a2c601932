//! Table `audit`: who changed what, and when. Rows are added and never changed.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, string_len, text, uuid};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Audit {
    Table,
    Id,
    At,
    Actor,
    Action,
    Target,
    Ip,
    Detail,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Audit::Table)
            .col(uuid(Audit::Id).primary_key())
            .col(big_integer(Audit::At))
            .col(string_len(Audit::Actor, 80))
            .col(string_len(Audit::Action, 64))
            .col(string_len(Audit::Target, 200))
            .col(string_len(Audit::Ip, 45))
            .col(text(Audit::Detail))
            .take();
        manager.create_table(table).await?;
        let index =
            Index::create().name("idx_audit_action").table(Audit::Table).col(Audit::Action).col(Audit::Id).take();
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Audit::Table).take()).await
    }
}
