//! Requests for pictures and videos: what is asked for, and what the upstream is told.

mod error;
mod prepare;
mod request;
mod size;

pub use error::MediaError;
pub use request::{MediaKind, MediaRequest};
pub use size::{AspectRatio, SIZES};
