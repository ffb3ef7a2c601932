//! Groups of operations in the OpenAPI document.

use poem_openapi::Tags;

/// A group of operations.
#[derive(Tags)]
pub(crate) enum Tag {
    /// Conversations with a model.
    Chat,
    /// Pictures, drawn and changed.
    Images,
    /// Videos.
    Videos,
    /// The files of pictures and videos.
    Media,
    /// Work that goes on by itself.
    Jobs,
    /// The models on offer.
    Models,
    /// Logging in, sessions, who did what.
    Access,
    /// The keys of clients.
    Keys,
    /// What becomes due by itself.
    Schedules,
    /// The accounts of the pool.
    Accounts,
    /// Work on many accounts at once.
    Bulk,
    /// Durable work: jobs, requests for pictures and videos, workers.
    Work,
    /// What was asked, and figures over time.
    Numbers,
    /// The operator's calls, as the old gateway had them.
    Management,
    /// For those who run the gateway.
    Operation,
}
