//! How long the rows of single requests and what plots are drawn of are kept; the sums of the hours stay.

use std::time::Duration;

use grok2api_config::SettingsHandle;
use grok2api_entity::{gauge_minute, request_log, usage_span};
use sea_orm::{DatabaseConnection, DbErr};
use tokio_util::sync::CancellationToken;

use super::entry::now_ms;

const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// Most rows deleted in one statement.
const PIECE: u64 = 1_000;
/// Between pieces, so that others get their turn to write.
const BREATH: Duration = Duration::from_millis(20);
const DAY_MS: i64 = 86_400_000;
/// How long plots show single minutes.
const MINUTES_MS: i64 = 2 * DAY_MS;
/// How long plots show hours.
const HOURS_MS: i64 = 91 * DAY_MS;

/// Deletes rows that are older than `usage.keep_requests_days`, now and every hour until `stop`.
pub async fn keep_requests(db: DatabaseConnection, settings: SettingsHandle, stop: CancellationToken) {
    let sweeping = async {
        loop {
            let days = settings.load().usage.keep_requests_days;
            match sweep(&db, days).await {
                Ok(0) => {}
                Ok(deleted) => tracing::debug!(deleted, "old requests deleted"),
                Err(error) => tracing::warn!(%error, "old requests could not be deleted; tried again in an hour"),
            }
            if let Err(error) = sweep_plots(&db).await {
                tracing::warn!(%error, "what old plots were drawn of could not be deleted; tried again in an hour");
            }
            tokio::time::sleep(SWEEP_EVERY).await;
        }
    };
    tokio::select! {
        () = sweeping => {}
        () = stop.cancelled() => {}
    }
}

/// Deletes the rows of requests that came more than `days` days ago, piece by piece; returns how many.
///
/// # Errors
/// When the database refuses; what was deleted before stays deleted.
pub async fn sweep(db: &DatabaseConnection, days: u32) -> Result<u64, DbErr> {
    let at = now_ms() - i64::from(days) * DAY_MS;
    let mut deleted = 0;
    loop {
        match request_log::delete_before(db, at, PIECE).await? {
            0 => return Ok(deleted),
            piece => deleted += piece,
        }
        tokio::time::sleep(BREATH).await;
    }
}

/// Deletes what plots no longer show, piece by piece; returns how many rows.
///
/// # Errors
/// When the database refuses; what was deleted before stays deleted.
pub async fn sweep_plots(db: &DatabaseConnection) -> Result<u64, DbErr> {
    let (minutes, hours) = (now_ms() - MINUTES_MS, now_ms() - HOURS_MS);
    let mut deleted = 0;
    loop {
        let mut piece = gauge_minute::delete_before(db, minutes, hours, PIECE).await?;
        for (step, at) in usage_span::STEPS.into_iter().zip([minutes, hours]) {
            piece += usage_span::delete_before(db, step, at, PIECE).await?;
        }
        if piece == 0 {
            return Ok(deleted);
        }
        deleted += piece;
        tokio::time::sleep(BREATH).await;
    }
}
