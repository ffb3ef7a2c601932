//! Failures of the connection, told without naming hosts, proxies or addresses.

use std::future::Future;
use std::time::Duration;

use crate::error::{ErrorKind, UpstreamError};

/// What it means that a request could not be sent or got no answer.
///
/// Nothing of the library's own text is passed on: it can hold the address of a proxy with its password.
pub(super) fn send_error(error: &reqwest::Error) -> UpstreamError {
    let (kind, message) = match (error.is_connect() || error.is_dns(), error.is_timeout()) {
        (true, true) => (ErrorKind::Timeout, "no connection to the upstream could be made in time"),
        (true, false) => (ErrorKind::Unreachable, "the upstream cannot be reached"),
        (false, true) => (ErrorKind::Timeout, "the upstream did not answer in time"),
        (false, false) => (ErrorKind::Interrupted, "the upstream closed the connection before it answered"),
    };
    UpstreamError::new(kind, message)
}

/// Ends a whole call at its deadline.
pub(super) async fn within<T>(
    deadline: Duration,
    call: impl Future<Output = Result<T, UpstreamError>>,
) -> Result<T, UpstreamError> {
    match tokio::time::timeout(deadline, call).await {
        Ok(outcome) => outcome,
        Err(_) => Err(UpstreamError::new(ErrorKind::Timeout, "the upstream did not answer in time")),
    }
}
