//! What is wrong with a value, in words that a model can act on.

use std::fmt;

/// Where and why a value does not fit a schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {mismatch}")]
pub struct SchemaFault {
    /// Place in the value, such as `$.items[2].price`.
    pub path: String,
    /// What is wrong there.
    pub mismatch: Mismatch,
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// It has another type.
    Type {
        /// The types that fit.
        expected: String,
        /// The type that it has.
        found: &'static str,
    },
    /// A required property is missing.
    Missing(String),
    /// It has a property that may not be there.
    Unexpected(String),
    /// It is none of the allowed values.
    NotAllowed {
        /// The JSON text of the allowed value or values.
        allowed: String,
    },
    /// It is outside the bounds of this keyword.
    Bound {
        /// Such as `maximum` or `minItems`.
        keyword: &'static str,
        /// The JSON text of the bound.
        limit: String,
    },
    /// It fits none of the alternatives, or several where only one may fit.
    NoAlternative(&'static str),
    /// The schema says that nothing fits here.
    Forbidden,
    /// The schema is too deep, runs in circles, or refers to something that is not there.
    Uncheckable,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type { expected, found } => write!(f, "expected {expected}, found {found}"),
            Self::Missing(name) => write!(f, "the required property \"{name}\" is missing"),
            Self::Unexpected(name) => write!(f, "the property \"{name}\" is not allowed"),
            Self::NotAllowed { allowed } => write!(f, "the value must be {allowed}"),
            Self::Bound { keyword, limit } => write!(f, "the value violates {keyword} {limit}"),
            Self::NoAlternative(keyword) => write!(f, "the value does not fit {keyword}"),
            Self::Forbidden => f.write_str("no value is allowed here"),
            Self::Uncheckable => f.write_str("the schema cannot be evaluated"),
        }
    }
}

pub(super) fn fault(path: &str, mismatch: Mismatch) -> SchemaFault {
    SchemaFault { path: path.to_owned(), mismatch }
}
