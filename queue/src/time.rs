//! The time of this machine, and how long anything may take.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sea_orm::{DbErr, RuntimeErr};

/// Longest wait for the database (I7). A locked database file is waited for 5 s by itself.
const ANSWER: Duration = Duration::from_secs(8);

/// Now, in Unix milliseconds.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}

/// A duration in milliseconds.
pub(crate) fn millis(of: Duration) -> i64 {
    i64::try_from(of.as_millis()).unwrap_or(i64::MAX)
}

/// From now to a point in time; nothing when it has passed.
pub(crate) fn until(at_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(at_ms.saturating_sub(now_ms())).unwrap_or(0))
}

/// What the database answers, if it does so within its time: a connection may hang without an error.
pub(crate) async fn in_time<T>(asked: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    within(ANSWER, asked).await
}

/// As [`in_time`], within a time of one's own.
pub(crate) async fn within<T>(time: Duration, asked: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    let late = || DbErr::Conn(RuntimeErr::Internal("the database did not answer in time".to_owned()));
    // Boxed: transactions are large, and everybody who waits for one would carry it along.
    tokio::time::timeout(time, Box::pin(asked)).await.unwrap_or_else(|_| Err(late()))
}
