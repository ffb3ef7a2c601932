//! How the pool and the queue stand, written down every minute by whichever process comes first.

use std::time::Duration;

use grok2api_entity::{clock, gauge_minute};
use sea_orm::{DatabaseConnection, DbErr};
use tokio_util::sync::CancellationToken;

/// After a failure.
const AGAIN: Duration = Duration::from_secs(15);

/// Writes a row at the begin of each minute of the database's clock, until `stop`.
pub async fn keep_gauges(db: DatabaseConnection, stop: CancellationToken) {
    let mut is_failing = false;
    loop {
        let pause = match record(&db).await {
            Ok(pause) => {
                is_failing = false;
                pause
            }
            Err(error) => {
                // One line for a whole outage (L6).
                if !is_failing {
                    tracing::warn!(%error, "how the pool stands cannot be written down; plots will have a gap");
                }
                is_failing = true;
                AGAIN
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Writes the row of this minute, if nobody has; answers how long it is to the next.
async fn record(db: &DatabaseConnection) -> Result<Duration, DbErr> {
    let now = clock::read(db).await?;
    gauge_minute::record(db, now).await?;
    let left = gauge_minute::EVERY_MS - now.rem_euclid(gauge_minute::EVERY_MS);
    Ok(Duration::from_millis(u64::try_from(left).unwrap_or(1_000)))
}
