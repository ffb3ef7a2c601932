//! Tables `usage_span` and `gauge_minute`: what plots are drawn of.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, integer, string_len, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum UsageSpan {
    Table,
    StepSecs,
    Model,
    Owner,
    At,
    Requests,
    Errors,
    Gone,
    PromptTokens,
    CompletionTokens,
    ReasoningTokens,
    Images,
    Videos,
    TotalTimes,
    FirstTimes,
    ErrorCodes,
}

#[derive(DeriveIden)]
enum GaugeMinute {
    Table,
    At,
    AccountsActive,
    AccountsUnused,
    AccountsLimited,
    AccountsCooling,
    AccountsExpired,
    AccountsDisabled,
    Queued,
    Running,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let spans = Table::create()
            .table(UsageSpan::Table)
            .col(integer(UsageSpan::StepSecs))
            .col(string_len(UsageSpan::Model, 100))
            .col(string_len(UsageSpan::Owner, 64))
            .col(big_integer(UsageSpan::At))
            .col(big_integer(UsageSpan::Requests))
            .col(big_integer(UsageSpan::Errors))
            .col(big_integer(UsageSpan::Gone))
            .col(big_integer(UsageSpan::PromptTokens))
            .col(big_integer(UsageSpan::CompletionTokens))
            .col(big_integer(UsageSpan::ReasoningTokens))
            .col(big_integer(UsageSpan::Images))
            .col(big_integer(UsageSpan::Videos))
            .col(text(UsageSpan::TotalTimes))
            .col(text(UsageSpan::FirstTimes))
            .col(text(UsageSpan::ErrorCodes))
            .primary_key(
                Index::create().col(UsageSpan::StepSecs).col(UsageSpan::Model).col(UsageSpan::Owner).col(UsageSpan::At),
            )
            .take();
        manager.create_table(spans).await?;
        let gauges = Table::create()
            .table(GaugeMinute::Table)
            .col(big_integer(GaugeMinute::At).primary_key())
            .col(big_integer(GaugeMinute::AccountsActive))
            .col(big_integer(GaugeMinute::AccountsUnused))
            .col(big_integer(GaugeMinute::AccountsLimited))
            .col(big_integer(GaugeMinute::AccountsCooling))
            .col(big_integer(GaugeMinute::AccountsExpired))
            .col(big_integer(GaugeMinute::AccountsDisabled))
            .col(big_integer(GaugeMinute::Queued))
            .col(big_integer(GaugeMinute::Running))
            .take();
        manager.create_table(gauges).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(GaugeMinute::Table).take()).await?;
        manager.drop_table(Table::drop().table(UsageSpan::Table).take()).await
    }
}
