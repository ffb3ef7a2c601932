//! How one request is served: model, account, upstream, events; with the only retry layer.

mod alarm;
mod answer;
mod attempt;
mod calls;
mod chain;
mod deadline;
pub mod emulate;
mod error;
pub mod examine;
mod gateway;
pub mod id;
pub mod media;
mod prepare;
mod probe;
pub mod prompt;
pub mod request;
mod retry;
pub mod settings_store;

mod stream;
mod submission;
pub mod usage;
pub mod usage_log;
mod verify;

pub use alarm::Alarm;
pub use answer::Answer;
pub use calls::Calls;
pub use error::GatewayError;
pub use gateway::{Gateway, Parts};
pub use grok2api_pool as pool;
pub use grok2api_upstream as upstream;
pub use grok2api_upstream::relay::Relay;
pub use prepare::Prepared;
pub use probe::Probed;
pub use stream::{ChatStream, Facts, Step};
pub use submission::{Stopped, Submission};
pub use verify::reading;
