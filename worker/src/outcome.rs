//! What a failure means for a job: given up, or tried again and when.

use std::time::Duration;

use grok2api_entity::failure::Code;
use grok2api_entity::job::{self, Step};
use grok2api_gateway::GatewayError;
use grok2api_queue::{End, Failure, now_ms};
use grok2api_upstream::error::{Delivery, ErrorKind, UpstreamError};
use rand::Rng;

/// Times a job is tried again after trouble that may pass, beside waiting for accounts.
const MAX_TRIES: i32 = 4;
/// Longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Given up.
pub(crate) fn failed(code: Code, message: impl Into<String>) -> End {
    End::Failed(Failure::new(code, message))
}

/// To be tried again after a pause that grows with the tries (full jitter, J6), or given up after too many.
pub(crate) fn again(job: &job::Model, step: Step, otherwise: Failure) -> End {
    if job.tries >= MAX_TRIES {
        return End::Failed(otherwise);
    }
    let most = Duration::from_secs(1 << job.tries.clamp(0, 6)).min(MAX_PAUSE);
    at(job, step, pause(most), true, otherwise)
}

fn pause(most: Duration) -> Duration {
    let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX).max(200);
    Duration::from_millis(rand::rng().random_range(100..=most))
}

/// To be tried again after `pause`, unless the job's time is over by then.
fn at(job: &job::Model, step: Step, pause: Duration, counted: bool, otherwise: Failure) -> End {
    let run_at = now_ms().saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
    if run_at >= job.deadline_at { End::Failed(otherwise) } else { End::Again { run_at, step, counted } }
}

/// How a job ends whose paid call did not begin to be answered.
pub(crate) fn of_gateway(job: &job::Model, error: &GatewayError) -> End {
    let failure = |code: Code| Failure::new(code, error.to_string());
    match error {
        GatewayError::ModelNotFound { .. }
        | GatewayError::Prompt(_)
        | GatewayError::Media(_)
        | GatewayError::Attachment(_) => End::Failed(failure(Code::InvalidRequest)),
        GatewayError::NoAccount | GatewayError::Sealed => End::Failed(failure(Code::NoAvailableAccount)),
        // Waiting for an account is no failure: it goes on as long as the job may live.
        GatewayError::Busy | GatewayError::Overloaded { .. } => {
            at(job, Step::Start, pause(Duration::from_secs(2)), false, failure(Code::AccountsBusy))
        }
        GatewayError::AccountsLimited { retry_after } => {
            let pause = *retry_after + pause(Duration::from_secs(1));
            at(job, Step::Start, pause, false, failure(Code::AccountsLimited))
        }
        GatewayError::Upstream(error) => of_upstream(job, error),
        GatewayError::OutcomeUnknown(_) => End::Failed(failure(Code::UpstreamOutcomeUnknown)),
        GatewayError::InvalidJson(_) => End::Failed(failure(Code::UpstreamError)),
        GatewayError::Stopped | GatewayError::ShuttingDown => End::HandOver,
    }
}

/// How a job ends whose paid call was refused or came to nothing.
fn of_upstream(job: &job::Model, error: &UpstreamError) -> End {
    let failure = Failure::new(code_of(error.kind), error.message.clone());
    if error.delivery != Delivery::NotAccepted {
        return End::Failed(failure);
    }
    match error.kind {
        ErrorKind::RateLimited => {
            let wait = error.retry_after.unwrap_or(Duration::from_secs(5)) + pause(Duration::from_secs(1));
            at(job, Step::Start, wait, false, failure)
        }
        ErrorKind::ContentModerated
        | ErrorKind::InvalidRequest
        | ErrorKind::ModelUnavailable
        | ErrorKind::Blocked
        | ErrorKind::NotFound => End::Failed(failure),
        // Nothing was taken: the same may do better in a while.
        ErrorKind::AccountInvalid
        | ErrorKind::Overloaded
        | ErrorKind::Error
        | ErrorKind::Unreachable
        | ErrorKind::Timeout
        | ErrorKind::Empty
        | ErrorKind::NotStream
        | ErrorKind::Interrupted => again(job, Step::Start, failure),
    }
}

/// How a job ends whose answer broke off after it had begun: nothing is sent a second time (I3).
pub(crate) fn of_stream(error: &UpstreamError) -> End {
    failed(code_of(error.kind), error.message.clone())
}

fn code_of(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::ContentModerated => Code::ContentPolicyViolation,
        ErrorKind::InvalidRequest => Code::InvalidRequest,
        ErrorKind::RateLimited => Code::AccountsLimited,
        ErrorKind::Timeout => Code::UpstreamTimeout,
        ErrorKind::Interrupted => Code::UpstreamInterrupted,
        ErrorKind::ModelUnavailable | ErrorKind::AccountInvalid => Code::NoAvailableAccount,
        ErrorKind::Overloaded
        | ErrorKind::Blocked
        | ErrorKind::Error
        | ErrorKind::NotFound
        | ErrorKind::Unreachable
        | ErrorKind::Empty
        | ErrorKind::NotStream => Code::UpstreamError,
    }
}
