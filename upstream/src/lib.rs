//! How we speak to the Grok web service: one shared client over connections of our own, codecs that turn its wire
//! format into events.

pub mod asset;
pub mod attachment;
pub mod classify;
pub mod client;
mod client_message;
pub mod codec;
pub mod collect;
pub mod credential;
pub mod error;
pub mod event;
pub mod quota;
pub mod relay;
#[cfg(test)]
mod testing;
