//! Checks a JSON value against the part of JSON Schema that `OpenAI` clients use.

mod check;
mod fault;
mod keywords;

pub use check::check;
pub use fault::{Mismatch, SchemaFault};
