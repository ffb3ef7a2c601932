//! What holds for pictures and videos, whatever the store and the database.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod full;
mod look_ups;
mod room;
mod s3_server;
mod stores;
mod storing;
mod sweeping;
mod uploads;
mod waiting;
