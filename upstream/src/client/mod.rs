//! HTTP to the Grok web service: one attempt per call, no retry, no redirect, no secret in an error.

mod answer;
mod body;
mod chat;
mod clients;
mod connector;
mod crypto;
mod download;
mod egress;
mod endpoints;
mod grok_web;
mod headers;
mod idle;
mod inflate;
mod proxy;
mod rate_limits;
mod tls;
mod transport;
mod upload;
mod wire;

pub use body::AnswerBody;
pub use chat::ChatCall;
pub use crypto::install_crypto;
pub use download::{Download, DownloadLimits};
pub use endpoints::BuildError;
pub use grok_web::GrokWeb;

pub(crate) use inflate::{BodyFault, BodyLimits, CappedBody};
pub(crate) use tls::{Roots, build_client};

#[cfg(test)]
mod tests;
