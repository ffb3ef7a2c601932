//! Backups: everything recorded, in one encrypted file that fits every kind of database.
//!
//! The rows are written as lines, not as pages of a database file, so that the same file restores into `SQLite`,
//! `PostgreSQL` and `MySQL`: it is also the way from one to the other.

mod archive;
mod create;
mod restore;
pub(crate) mod rows;
mod tables;

pub use archive::Manifest;
pub use create::{Extras, create};
pub use restore::{Contents, restore, verify};
