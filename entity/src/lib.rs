//! What is recorded: the rows of the database and the statements that read and change them.

pub mod account;
pub mod account_budget;
pub mod asset;
pub mod bulk;
pub mod bulk_item;
pub mod clock;
pub mod connect;
pub mod failure;
pub mod generation;
pub mod idempotency;
pub mod job;
pub mod job_attempt;
pub mod keeper;
pub mod meta;
pub mod request_log;
pub mod schedule;
pub mod setting;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tick;
pub mod trouble;
pub mod usage_day;
pub mod usage_hour;
pub mod worker;
