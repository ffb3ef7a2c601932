//! What clients say, and what we answer.

mod app;
mod auth;
mod body;
mod chat;
mod edge;
mod error;
mod gauges;
mod json_type;
pub mod metrics;
mod models;
mod operation;
mod public_url;
mod routes;
pub mod server;
mod state;
mod tags;

pub use app::{app, openapi_document};
pub use state::{AppState, BodyLimits};
