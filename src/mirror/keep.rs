//! Keeping the mirror while a process serves.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Mirror, MirrorError};

/// How often changes are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often the mirror is looked at as a whole, and kept for this folder.
const RENEW_EVERY: Duration = Duration::from_secs(3);

impl Mirror {
    /// Copies changes until `stop`. Ends early, with the error, when another data folder has taken the mirror.
    ///
    /// # Errors
    /// [`MirrorError::Superseded`].
    pub(crate) async fn keep(&self, stop: CancellationToken) -> Result<(), MirrorError> {
        let mut renewed: Option<Instant> = None;
        let mut is_failing = false;
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => return Ok(()),
            }
            let thorough = is_failing || renewed.is_none_or(|at| at.elapsed() >= RENEW_EVERY);
            match self.attend(thorough).await {
                Ok(()) => {
                    if thorough {
                        renewed = Some(Instant::now());
                    }
                    if std::mem::take(&mut is_failing) {
                        tracing::info!("the mirror in Redis has everything again");
                    }
                }
                Err(error @ MirrorError::Superseded { .. }) => return Err(error),
                // One line for a whole outage (L6): changes stay noted in the database.
                Err(error) if !is_failing => {
                    is_failing = true;
                    let because = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                    tracing::warn!(%error, because, "changes are not mirrored; they are sent as soon as Redis is back");
                }
                Err(_) => {}
            }
        }
    }
}
