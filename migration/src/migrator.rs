//! The list of all steps.

use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// All steps in their order. A step that was released is never changed; a new one is a file and a line here.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(crate::m20261122_000001_create_account::Migration),
            Box::new(crate::m20261122_000002_create_account_budget::Migration),
            Box::new(crate::m20261122_000003_create_setting::Migration),
            Box::new(crate::m20261122_000004_create_meta::Migration),
            Box::new(crate::m20261122_000005_create_job::Migration),
            Box::new(crate::m20261122_000006_create_job_attempt::Migration),
            Box::new(crate::m20261122_000007_create_generation::Migration),
            Box::new(crate::m20261122_000008_create_asset::Migration),
            Box::new(crate::m20261122_000009_create_idempotency::Migration),
            Box::new(crate::m20261122_000010_create_worker::Migration),
            Box::new(crate::m20261122_000011_create_request_log::Migration),
            Box::new(crate::m20261122_000012_create_usage_hour::Migration),
            Box::new(crate::m20261123_000021_create_schedule::Migration),
            Box::new(crate::m20261123_000022_test_account::Migration),
            Box::new(crate::m20261123_000023_create_usage_day::Migration),
            Box::new(crate::m20261123_000024_create_bulk::Migration),
            Box::new(crate::m20261123_000025_create_admin::Migration),
            Box::new(crate::m20261123_000026_create_audit::Migration),
            Box::new(crate::m20261123_000027_create_client_key::Migration),
            Box::new(crate::m20261123_000031_tally_account::Migration),
            Box::new(crate::m20261201_000041_sort_account::Migration),
            Box::new(crate::m20261201_000045_create_queue_control::Migration),
            Box::new(crate::m20261201_000049_create_usage_span::Migration),
        ]
    }
}
