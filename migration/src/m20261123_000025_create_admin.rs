//! Tables `admin`, `admin_session` and `login_limit`: who may run the gateway, who does now, and how often one may try.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, boolean, string_len, text, uuid};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Admin {
    Table,
    Name,
    PasswordHash,
    MustChange,
    ChangedAt,
    CreatedAt,
}

#[derive(DeriveIden)]
enum AdminSession {
    Table,
    Id,
    TokenHash,
    Admin,
    CreatedAt,
    SeenAt,
    ConfirmedAt,
    RedeemBy,
    Ip,
    Agent,
}

#[derive(DeriveIden)]
enum LoginLimit {
    Table,
    Scope,
    DueAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Admin::Table)
            .col(string_len(Admin::Name, 64).primary_key())
            .col(text(Admin::PasswordHash))
            .col(boolean(Admin::MustChange))
            .col(big_integer(Admin::ChangedAt))
            .col(big_integer(Admin::CreatedAt))
            .take();
        manager.create_table(table).await?;
        let table = Table::create()
            .table(AdminSession::Table)
            .col(uuid(AdminSession::Id).primary_key())
            .col(string_len(AdminSession::TokenHash, 64).unique_key())
            .col(string_len(AdminSession::Admin, 64))
            .col(big_integer(AdminSession::CreatedAt))
            .col(big_integer(AdminSession::SeenAt))
            .col(big_integer_null(AdminSession::ConfirmedAt))
            .col(big_integer_null(AdminSession::RedeemBy))
            .col(string_len(AdminSession::Ip, 45))
            .col(string_len(AdminSession::Agent, 200))
            .take();
        manager.create_table(table).await?;
        let table = Table::create()
            .table(LoginLimit::Table)
            .col(string_len(LoginLimit::Scope, 96).primary_key())
            .col(big_integer(LoginLimit::DueAt))
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(LoginLimit::Table).take()).await?;
        manager.drop_table(Table::drop().table(AdminSession::Table).take()).await?;
        manager.drop_table(Table::drop().table(Admin::Table).take()).await
    }
}
