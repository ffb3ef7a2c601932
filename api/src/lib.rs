//! What clients say, and what we answer.

mod app;
mod asset_fetcher;
mod auth;
mod body;
mod chat;
mod edge;
mod error;
mod failure;
mod form;
mod gauges;
mod idempotency;
mod images;
mod inputs;
mod intake;
mod jobs;
mod json_type;
mod media;
pub mod metrics;
mod models;
mod multipart;
mod operation;
mod public_url;
mod receipt;
mod refused;
mod routes;
pub mod server;
mod state;
mod tags;
mod videos;

pub use app::{app, openapi_document, operation_app};
pub use asset_fetcher::AssetFetcher;
pub use auth::ClientKeys;
pub use media::MediaWaits;
pub use state::{AppParts, AppState, BodyLimits};
