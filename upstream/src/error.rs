//! What can go wrong between us and the upstream, and what it says about the account that was used.

use std::time::Duration;

/// A failed upstream call or stream.
///
/// The message is fit for a client: it names no account, holds no token, no cookie and no raw HTML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UpstreamError {
    /// What happened.
    pub kind: ErrorKind,
    /// What it says about the account.
    pub account: AccountEffect,
    /// Text for the client, at most 500 characters.
    pub message: String,
    /// The upstream's own (gRPC) status number, when it gave one.
    pub upstream_code: Option<i64>,
    /// How long the upstream asks us to wait.
    pub retry_after: Option<Duration>,
    /// How far the request had come.
    pub delivery: Delivery,
}

/// Whether a request that failed may have been taken up by the upstream: what a call that costs something turns on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// It was not: it never left, or was refused with an HTTP status of the 400s.
    NotAccepted,
    /// Nobody knows: it may have left, and no word came back.
    Unknown,
    /// The upstream has answered, with a status of the 500s or with an answer that came to nothing.
    Answered,
}

/// Kinds of trouble, after protocol page "grok-web" §6.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The account's credential is refused.
    AccountInvalid,
    /// The account has used up a limit.
    RateLimited,
    /// The upstream is busy as a whole.
    Overloaded,
    /// The egress address or the operator's pass-through values are refused.
    Blocked,
    /// The request cannot be carried out by any account.
    InvalidRequest,
    /// The content was refused.
    ContentModerated,
    /// The account may not use this model.
    ModelUnavailable,
    /// Any other answer that is not a success.
    Error,
    /// There is no such file. The asset host says so of a new one, too, for its first moments.
    NotFound,
    /// No connection could be made.
    Unreachable,
    /// A time limit passed.
    Timeout,
    /// Success status with an empty body.
    Empty,
    /// Success status with a body that is no event stream.
    NotStream,
    /// The stream ended before the answer was complete.
    Interrupted,
}

/// What a failure says about the account that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountEffect {
    /// Nothing.
    None,
    /// Refused for a reason that may or may not lie in the account: counted, no consequence by itself.
    Strike,
    /// Refused as unauthenticated, without saying why.
    Count401,
    /// Limited: not to be used for this model's budget for a while.
    CoolForModel,
    /// The upstream names the credential as invalid or the user as blocked.
    InvalidNow,
    /// The account has no access to this model.
    NoModelAccess,
}

/// How often the attempt may be repeated on another account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Another account cannot do better.
    No,
    /// One more account.
    Once,
    /// As many accounts as the attempt budget allows.
    Yes,
}

impl ErrorKind {
    /// Name for logs, metrics and fixtures.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccountInvalid => "account_invalid",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "upstream_overloaded",
            Self::Blocked => "upstream_blocked",
            Self::InvalidRequest => "invalid_request",
            Self::ContentModerated => "content_moderated",
            Self::ModelUnavailable => "model_unavailable",
            Self::Error => "upstream_error",
            Self::NotFound => "upstream_not_found",
            Self::Unreachable => "upstream_unreachable",
            Self::Timeout => "upstream_timeout",
            Self::Empty => "upstream_empty",
            Self::NotStream => "upstream_not_stream",
            Self::Interrupted => "upstream_interrupted",
        }
    }

    /// Machine-readable code in the client's error body.
    pub fn client_code(self) -> &'static str {
        match self {
            Self::AccountInvalid => "upstream_account_invalid",
            Self::RateLimited => "upstream_rate_limited",
            Self::InvalidRequest => "upstream_invalid_request",
            Self::ContentModerated => "content_policy_violation",
            Self::ModelUnavailable => "model_not_found",
            Self::Overloaded
            | Self::Blocked
            | Self::Error
            | Self::NotFound
            | Self::Unreachable
            | Self::Timeout
            | Self::Empty
            | Self::NotStream
            | Self::Interrupted => self.as_str(),
        }
    }

    /// HTTP status for a client to whom nothing was sent yet.
    pub fn client_status(self) -> u16 {
        match self {
            Self::RateLimited => 429,
            Self::InvalidRequest | Self::ContentModerated => 400,
            Self::ModelUnavailable => 404,
            Self::Overloaded => 503,
            Self::Timeout => 504,
            Self::AccountInvalid
            | Self::Blocked
            | Self::Error
            | Self::NotFound
            | Self::Unreachable
            | Self::Empty
            | Self::NotStream
            | Self::Interrupted => 502,
        }
    }

    /// `type` member of the client's error body.
    pub fn client_type(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limit_error",
            Self::InvalidRequest | Self::ContentModerated | Self::ModelUnavailable => "invalid_request_error",
            Self::AccountInvalid
            | Self::Overloaded
            | Self::Blocked
            | Self::Error
            | Self::NotFound
            | Self::Unreachable
            | Self::Timeout
            | Self::Empty
            | Self::NotStream
            | Self::Interrupted => "api_error",
        }
    }
}

impl UpstreamError {
    /// An error that says nothing about the account, and about the delivery what its kind says by itself.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            account: AccountEffect::None,
            message: message.into(),
            upstream_code: None,
            retry_after: None,
            delivery: Delivery::of(kind),
        }
    }

    /// The same error, with what is known about the delivery.
    #[must_use]
    pub fn with_delivery(self, delivery: Delivery) -> Self {
        Self { delivery, ..self }
    }

    /// Whether another account may be tried, as long as nothing of the answer was passed on.
    ///
    /// A challenge page ([`ErrorKind::Blocked`] without a strike) would meet every account alike.
    pub fn retry(&self) -> Retry {
        match self.kind {
            ErrorKind::AccountInvalid | ErrorKind::RateLimited | ErrorKind::ModelUnavailable => Retry::Yes,
            ErrorKind::Overloaded
            | ErrorKind::Error
            | ErrorKind::Unreachable
            | ErrorKind::Timeout
            | ErrorKind::Empty
            | ErrorKind::NotStream
            | ErrorKind::Interrupted => Retry::Once,
            ErrorKind::Blocked if self.account == AccountEffect::Strike => Retry::Once,
            ErrorKind::Blocked | ErrorKind::InvalidRequest | ErrorKind::ContentModerated | ErrorKind::NotFound => {
                Retry::No
            }
        }
    }
}

impl Delivery {
    /// What is known when the upstream gave no status: these kinds are then found before anything leaves, those are
    /// silence, and the rest is made of something that the upstream said.
    fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Unreachable | ErrorKind::AccountInvalid | ErrorKind::Blocked | ErrorKind::InvalidRequest => {
                Self::NotAccepted
            }
            ErrorKind::Timeout | ErrorKind::Interrupted => Self::Unknown,
            ErrorKind::RateLimited
            | ErrorKind::Overloaded
            | ErrorKind::ContentModerated
            | ErrorKind::ModelUnavailable
            | ErrorKind::Error
            | ErrorKind::NotFound
            | ErrorKind::Empty
            | ErrorKind::NotStream => Self::Answered,
        }
    }

    /// What an HTTP status says.
    pub(crate) fn of_status(status: u16) -> Self {
        if (400..500).contains(&status) { Self::NotAccepted } else { Self::Answered }
    }
}
