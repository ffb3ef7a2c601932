//! Groups of operations in the OpenAPI document.

use poem_openapi::Tags;

/// A group of operations.
#[derive(Tags)]
pub(crate) enum Tag {
    /// Conversations with a model.
    Chat,
    /// The models on offer.
    Models,
    /// For those who run the gateway.
    Operation,
}
