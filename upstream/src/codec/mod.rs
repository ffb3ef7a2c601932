//! The codec of the Grok web chat stream: lines of JSON in, [`ChatEvent`](crate::event::ChatEvent)s out.
//!
//! The rules R1–R16 are those of protocol page "grok-web" §8.

mod answer;
mod channel;
mod content;
mod decoder;
mod framing;
#[doc(hidden)]
pub mod fuzz;
mod hidden;
pub(crate) mod lenient;
mod media;
mod record;
mod sources;
mod text;
mod trim;

pub use decoder::{Decoder, DecoderOptions, Progress, Summary};
pub use hidden::HiddenElements;
pub use trim::{trim_content, trim_reasoning};
