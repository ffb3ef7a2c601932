//! How the database gets its tables, step by step, and back.

mod bring_up;
mod m20261122_000001_create_account;
mod m20261122_000002_create_account_budget;
mod m20261122_000003_create_setting;
mod m20261122_000004_create_meta;
mod m20261122_000005_create_job;
mod m20261122_000006_create_job_attempt;
mod m20261122_000007_create_generation;
mod m20261122_000008_create_asset;
mod m20261122_000009_create_idempotency;
mod m20261122_000010_create_worker;
mod m20261122_000011_create_request_log;
mod m20261122_000012_create_usage_hour;
mod m20261123_000021_create_schedule;
mod m20261123_000022_test_account;
mod m20261123_000023_create_usage_day;
mod m20261123_000024_create_bulk;
mod m20261123_000025_create_admin;
mod m20261123_000026_create_audit;
mod m20261123_000027_create_client_key;
mod m20261123_000031_tally_account;
mod m20261201_000041_sort_account;
mod m20261201_000045_create_queue_control;
mod m20261201_000049_create_usage_span;
mod migrator;

pub use bring_up::{MigrateError, Step, bring_up, is_current, status};
pub use migrator::Migrator;
pub use sea_orm_migration::MigratorTrait;
