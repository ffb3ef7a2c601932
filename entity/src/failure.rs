//! Why work failed: the closed list that clients, the console and the records share (J11).

/// Why a job, a request or an asset failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// A worker died between sending and the upstream's first word: nobody knows whether the call counted.
    UpstreamOutcomeUnknown,
    /// The upstream's answer broke off, or its worker died while it came; it cannot be taken up again.
    UpstreamInterrupted,
    /// The upstream was silent for too long, or the whole took too long.
    UpstreamTimeout,
    /// The upstream failed or said something that cannot be used.
    UpstreamError,
    /// The upstream refused what was asked for.
    ContentPolicyViolation,
    /// The upstream answered without a picture.
    NoImageGenerated,
    /// The upstream answered without a video.
    NoVideoGenerated,
    /// No account of the pool can do this.
    NoAvailableAccount,
    /// Every account that could do this is limited for longer than the job may wait.
    AccountsLimited,
    /// Every account that could do this stayed busy for as long as the job may wait.
    AccountsBusy,
    /// The request cannot be carried out as it is.
    InvalidRequest,
    /// Three workers died over it.
    JobCrashed,
    /// A fault of the gateway.
    InternalError,
    /// The disk or the store is full.
    StorageFull,
    /// The bytes could not be fetched or stored.
    MediaUnavailable,
    /// It waited for longer than it may.
    Expired,
}

/// All codes.
pub const CODES: [Code; 16] = [
    Code::UpstreamOutcomeUnknown,
    Code::UpstreamInterrupted,
    Code::UpstreamTimeout,
    Code::UpstreamError,
    Code::ContentPolicyViolation,
    Code::NoImageGenerated,
    Code::NoVideoGenerated,
    Code::NoAvailableAccount,
    Code::AccountsLimited,
    Code::AccountsBusy,
    Code::InvalidRequest,
    Code::JobCrashed,
    Code::InternalError,
    Code::StorageFull,
    Code::MediaUnavailable,
    Code::Expired,
];

impl Code {
    /// The name as it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UpstreamOutcomeUnknown => "upstream_outcome_unknown",
            Self::UpstreamInterrupted => "upstream_interrupted",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamError => "upstream_error",
            Self::ContentPolicyViolation => "content_policy_violation",
            Self::NoImageGenerated => "no_image_generated",
            Self::NoVideoGenerated => "no_video_generated",
            Self::NoAvailableAccount => "no_available_account",
            Self::AccountsLimited => "accounts_limited",
            Self::AccountsBusy => "accounts_busy",
            Self::InvalidRequest => "invalid_request",
            Self::JobCrashed => "job_crashed",
            Self::InternalError => "internal_error",
            Self::StorageFull => "storage_full",
            Self::MediaUnavailable => "media_unavailable",
            Self::Expired => "expired",
        }
    }

    /// The code of that name.
    pub fn parse(name: &str) -> Option<Self> {
        CODES.into_iter().find(|code| code.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_name() {
        for code in CODES {
            assert_eq!(Code::parse(code.as_str()), Some(code));
        }
        assert_eq!(Code::parse("nonsense"), None);
    }
}
