//! One description per configurable key: its name, its documentation, how it is read, checked and written.

pub(crate) mod accept;
mod http_text;
mod refusal;
mod shape;
mod suggest;

use serde_json::Value;

pub use refusal::Refusal;
pub(crate) use shape::Shape;
pub(crate) use suggest::nearest;

/// All that is known about one key of the configuration `T`.
pub(crate) struct Spec<T: 'static> {
    /// Dotted name, as in `server.max_body_bytes`.
    pub(crate) key: &'static str,
    /// One sentence for the operator, with unit and bounds.
    pub(crate) doc: &'static str,
    /// How a value looks as text.
    pub(crate) shape: Shape,
    /// Whether the value is never shown.
    pub(crate) secret: bool,
    /// Takes the value out, secrets included.
    pub(crate) read: fn(&T) -> Value,
    /// Checks a value, brings it into its normal form and puts it in.
    pub(crate) write: fn(&mut T, &Value) -> Result<(), Refusal>,
}
