//! Do this machine and the database agree about the time?
//!
//! Leases run by the database's clock alone. When a job is due and when it is given up is written and read by the clocks
//! of many machines: small differences do no harm, large ones make jobs late or end them early.

use std::time::Duration;

use grok2api_entity::clock;
use sea_orm::{DatabaseConnection, DbBackend, DbErr};

use crate::time::{in_time, now_ms};

/// A difference from here on is worth a warning, in milliseconds.
const WARN_MS: u64 = 1_000;
/// With a difference of more than this, in milliseconds, a process does not start.
const REFUSE_MS: u64 = 2_000;

/// Why the clocks are not good enough.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// They differ by too much.
    #[error(
        "the clock of this machine is {difference_ms} ms {} the database's: set both by NTP, at most {REFUSE_MS} ms are accepted",
        if *.ahead { "ahead of" } else { "behind" }
    )]
    Differ {
        /// By how much, in milliseconds.
        difference_ms: u64,
        /// Whether this machine's is the later time.
        ahead: bool,
    },
    /// The database does not answer.
    #[error("the database does not answer")]
    Database(#[from] DbErr),
}

/// Compares this machine's clock with the database server's. Answers how far apart they are; a file has no clock of its
/// own.
///
/// # Errors
/// They are more than two seconds apart, or the database does not answer.
pub async fn check_clocks(db: &DatabaseConnection) -> Result<Duration, ClockError> {
    if db.get_database_backend() == DbBackend::Sqlite {
        return Ok(Duration::ZERO);
    }
    let (mut best, mut apart) = (u64::MAX, 0);
    // The quickest of three answers says it best: the server's time was read about half way.
    for _ in 0..3 {
        let asked = now_ms();
        let there = in_time(clock::read(db)).await?;
        let took = now_ms() - asked;
        if took.unsigned_abs() < best {
            (best, apart) = (took.unsigned_abs(), asked + took / 2 - there);
        }
    }
    judge(apart, best / 2)
}

/// `apart` milliseconds, this machine's less the database's, known to within `doubt` milliseconds.
fn judge(apart: i64, doubt: u64) -> Result<Duration, ClockError> {
    let difference_ms = apart.unsigned_abs();
    let sure = difference_ms.saturating_sub(doubt);
    if sure > REFUSE_MS {
        return Err(ClockError::Differ { difference_ms, ahead: apart > 0 });
    }
    if sure > WARN_MS {
        tracing::warn!(difference_ms = apart, "this machine's clock and the database's differ: set both by NTP");
    }
    Ok(Duration::from_millis(difference_ms))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn f27_clocks_more_than_two_seconds_apart_are_refused() {
        assert_eq!(judge(-1_900, 0).unwrap(), Duration::from_millis(1_900));
        assert_eq!(judge(2_100, 150).unwrap(), Duration::from_millis(2_100), "the answer took 300 ms");
        let error = judge(2_001, 0).unwrap_err().to_string();
        assert!(error.starts_with("the clock of this machine is 2001 ms ahead of the database's"), "{error}");
        assert!(judge(-90_000, 10).unwrap_err().to_string().contains("behind"));
    }
}
