//! What becomes due by itself.

use std::time::Duration;

use grok2api_entity::job::Kind;
use grok2api_queue::{Jobs, NewJob, now_ms};
use rand::Rng;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::cache::SWEEP_PATIENCE_MS;

/// The store is swept this often, in milliseconds.
const SWEEP_EVERY_MS: i64 = 60_000;

/// Makes the jobs that become due, until `stop` is cancelled. Any number of processes may do this: a job's id is made of
/// what it is and when it was due, so there is one for all.
pub async fn keep_scheduling(jobs: Jobs, stop: CancellationToken) {
    loop {
        let due = now_ms() / SWEEP_EVERY_MS;
        let id = id_of(Kind::SweepMedia, due);
        match jobs.find(id).await {
            Ok(None) => {
                let new = NewJob { id, ..NewJob::new(Kind::SweepMedia, SWEEP_PATIENCE_MS) };
                if let Err(error) = jobs.submit(new).await {
                    tracing::debug!(error = %error, "a sweep was not scheduled; perhaps another process was faster");
                }
            }
            Ok(Some(_)) => {}
            Err(error) => tracing::debug!(error = %error, "what is due could not be looked up"),
        }
        let next = (due + 1) * SWEEP_EVERY_MS - now_ms();
        // Replicas should not all come in the same moment.
        let pause = u64::try_from(next).unwrap_or(0) + rand::rng().random_range(0..2_000);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(pause)) => {}
            () = stop.cancelled() => return,
        }
    }
}

fn id_of(kind: Kind, due: i64) -> Uuid {
    let mut name = [0; 16];
    let kind = kind.as_str().as_bytes();
    let fits = kind.len().min(8);
    name[..fits].copy_from_slice(&kind[..fits]);
    name[8..].copy_from_slice(&due.to_be_bytes());
    Uuid::from_bytes(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_job_for_each_time_it_is_due() {
        assert_eq!(id_of(Kind::SweepMedia, 7), id_of(Kind::SweepMedia, 7));
        assert_ne!(id_of(Kind::SweepMedia, 7), id_of(Kind::SweepMedia, 8));
    }
}
