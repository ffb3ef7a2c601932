//! A call that costs something and must not be made twice: its caller writes down each step before it is taken (I3).

use async_trait::async_trait;
use grok2api_pool::AccountId;

/// The caller wants no more of the request: somebody else has taken it over, or nobody wants it any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

/// Whoever answers for a paid call. Its methods must come back in bounded time, since nothing is sent before they have.
#[async_trait]
pub trait Submission: Send + Sync {
    /// The call is about to leave on this account: pictures are uploaded, and nothing that costs has been sent.
    ///
    /// `attempt` counts from 1. From here until the answer begins, or until [`Submission::settled`], nobody can say
    /// whether the upstream has taken the call: that has to be on record when this returns.
    ///
    /// # Errors
    /// [`Stopped`]: nothing is sent, and the whole request ends as [`GatewayError::Stopped`](crate::GatewayError).
    async fn sending(&self, account: AccountId, attempt: u32) -> Result<(), Stopped>;

    /// An attempt failed, and it is certain that the upstream has taken nothing: whoever takes over from here may send.
    ///
    /// `outcome` is the name of an [`ErrorKind`](grok2api_upstream::error::ErrorKind). Another account may be tried after
    /// this. Also called for an attempt that failed before it was announced, as when a picture could not be uploaded.
    /// Not called when the upstream has answered with a status of the 500s, or not at all: then the request ends with an
    /// error, and nothing may be sent again.
    ///
    /// # Errors
    /// [`Stopped`]: no other account is tried.
    async fn settled(&self, account: AccountId, attempt: u32, outcome: &'static str) -> Result<(), Stopped>;
}

/// One attempt of a paid call.
#[derive(Clone, Copy)]
pub(crate) struct Paid<'a> {
    pub(crate) submission: &'a dyn Submission,
    pub(crate) account: AccountId,
    pub(crate) attempt: u32,
}

impl Paid<'_> {
    pub(crate) async fn sending(&self) -> Result<(), Stopped> {
        self.submission.sending(self.account, self.attempt).await
    }

    pub(crate) async fn settled(&self, outcome: &'static str) -> Result<(), Stopped> {
        self.submission.settled(self.account, self.attempt, outcome).await
    }
}
