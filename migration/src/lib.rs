//! How the database gets its tables, step by step, and back.

mod bring_up;
mod m20261122_000001_create_account;
mod m20261122_000002_create_account_budget;
mod m20261122_000003_create_setting;
mod m20261122_000004_create_meta;
mod migrator;

pub use bring_up::{MigrateError, Step, bring_up, is_current, status};
pub use migrator::Migrator;
pub use sea_orm_migration::MigratorTrait;
