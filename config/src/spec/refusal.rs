//! Why a value is refused. Never quotes the value: it may be a secret.

/// Why a value is refused; reads as the continuation of "KEY must be …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is of another kind or form.
    #[error("must be {0}")]
    Expected(&'static str),
    /// It is no whole number within the bounds.
    #[error("must be a whole number from {min} to {max}")]
    OutOfRange {
        /// Smallest allowed value.
        min: u64,
        /// Largest allowed value.
        max: u64,
    },
    /// It is none of the known names.
    #[error("must be one of {}", .0.join(", "))]
    NotOneOf(&'static [&'static str]),
}
