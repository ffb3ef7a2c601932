//! Why a request could not be served.

use std::time::Duration;

use grok2api_upstream::attachment::AttachmentError;
use grok2api_upstream::error::{Delivery, UpstreamError};

use crate::emulate::json::JsonFault;
use crate::media::MediaError;
use crate::prompt::PromptError;

/// What went wrong, told so that the caller knows what to change: the request, the wait, or the pool.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The model table has no such model.
    #[error("The model `{model}` does not exist or is not offered by this gateway.")]
    ModelNotFound {
        /// As the client spelled it.
        model: String,
    },
    /// The messages cannot be turned into a prompt.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// A request for pictures or a video cannot be carried out as it is.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// A picture of the request cannot be used.
    #[error(transparent)]
    Attachment(#[from] AttachmentError),
    /// The pool holds no account in service for this model.
    #[error("No account in the pool can serve this model.")]
    NoAccount,
    /// Every account that could serve the model is limited.
    #[error("Every account that can serve this model is limited. Try again later.")]
    AccountsLimited {
        /// Time until the first is expected back.
        retry_after: Duration,
    },
    /// Every account that could serve the model stayed busy for as long as a request may wait.
    #[error("Every account that can serve this model is busy. Try again shortly.")]
    Busy,
    /// Too many requests are waiting for an account, or more than can be served in time.
    #[error("Too many requests are waiting. Try again shortly.")]
    Overloaded {
        /// When to come back.
        retry_after: Duration,
    },
    /// An account's secret cannot be opened with the keys at hand.
    #[error("No account in the pool can serve this model.")]
    Sealed,
    /// The upstream refused or broke off.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The model did not produce the JSON that was asked for, also when asked again.
    #[error("The model's answer is not the JSON that was asked for: {0}")]
    InvalidJson(#[source] JsonFault),
    /// A call that costs something may have reached the upstream, and no word came back. Only for
    /// [`Gateway::submit`](crate::Gateway::submit).
    #[error("Whether the upstream has taken the request is unknown: {0}")]
    OutcomeUnknown(#[source] UpstreamError),
    /// The caller of a submission wants no more of it.
    #[error("The request was given up.")]
    Stopped,
    /// The process is going down.
    #[error("The server is shutting down.")]
    ShuttingDown,
}

impl GatewayError {
    /// Short name for logs and metrics, from a closed list.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ModelNotFound { .. } => "model_not_found",
            Self::Prompt(_) => "invalid_prompt",
            Self::Media(_) => "invalid_media_request",
            Self::Attachment(_) => "invalid_attachment",
            Self::NoAccount => "no_available_account",
            Self::AccountsLimited { .. } => "accounts_limited",
            Self::Busy => "accounts_busy",
            Self::Overloaded { .. } => "server_overloaded",
            Self::Sealed => "sealed_account",
            Self::Upstream(error) => error.kind.as_str(),
            Self::InvalidJson(_) => "invalid_json_from_upstream",
            Self::OutcomeUnknown(_) => "upstream_outcome_unknown",
            Self::Stopped => "stopped",
            Self::ShuttingDown => "shutting_down",
        }
    }

    /// Whether it is certain that the upstream has taken nothing, so that the same may be submitted again.
    pub fn nothing_accepted(&self) -> bool {
        match self {
            Self::Upstream(error) => error.delivery == Delivery::NotAccepted,
            Self::OutcomeUnknown(_) | Self::InvalidJson(_) => false,
            Self::ModelNotFound { .. }
            | Self::Prompt(_)
            | Self::Media(_)
            | Self::Attachment(_)
            | Self::NoAccount
            | Self::AccountsLimited { .. }
            | Self::Busy
            | Self::Overloaded { .. }
            | Self::Sealed
            | Self::Stopped
            | Self::ShuttingDown => true,
        }
    }
}
