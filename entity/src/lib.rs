//! What is recorded: the rows of the database and the statements that read and change them.

pub mod account;
pub mod account_budget;
pub mod connect;
pub mod meta;
pub mod setting;
#[cfg(feature = "testing")]
pub mod testing;
