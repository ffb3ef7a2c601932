//! HTTP to the Grok web service: one attempt per call, no retry, no redirect, no secret in an error.

mod answer;
mod body;
mod chat;
mod crypto;
mod egress;
mod endpoints;
mod grok_web;
mod headers;
mod inflate;
mod rate_limits;
mod transport;
mod upload;

pub use body::AnswerBody;
pub use chat::ChatCall;
pub use crypto::install_crypto;
pub use endpoints::BuildError;
pub use grok_web::GrokWeb;

pub(crate) use egress::{Roots, build_client};
pub(crate) use inflate::{BodyFault, BodyLimits, CappedBody};

#[cfg(test)]
mod tests;
