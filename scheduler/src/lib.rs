//! What becomes due, and when?
//!
//! The times follow from the settings alone, the time from the database's clock, and each tick is a row that exists once:
//! any number of schedulers may run, and any of them may die, stand still, or have a wrong clock (I6, F24–F27).

mod timetable;

use std::time::Duration;

use grok2api_config::{Settings, SettingsHandle};
use grok2api_entity::schedule::Name;
use grok2api_queue::Jobs;
use grok2api_queue::ticks::{self, Timetable as _};
use rand::Rng;
use sea_orm::DbErr;
use tokio_util::sync::CancellationToken;

pub use timetable::Timetable;

/// Longest time between two looks at the database's clock and the settings.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Schedulers come up to this much later than something is due, so that not all come in the same moment.
const SPREAD_MS: u64 = 250;

/// Says what is due, for as long as it runs.
#[derive(Clone)]
pub struct Scheduler {
    jobs: Jobs,
    settings: SettingsHandle,
}

impl Scheduler {
    /// Makes jobs of `jobs` when the settings of the moment say so.
    pub fn new(jobs: Jobs, settings: SettingsHandle) -> Self {
        Self { jobs, settings }
    }

    /// Makes ticks until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let mut known = false;
        let mut failures = 0_u32;
        while !stop.is_cancelled() {
            let looked = self.look(&mut known).await;
            let pause = match looked {
                Ok(pause) => {
                    failures = 0;
                    pause
                }
                Err(error) => {
                    failures += 1;
                    if failures == 3 {
                        tracing::warn!(error = %error, "nothing can be scheduled while the database does not answer");
                    }
                    LOOK_EVERY
                }
            };
            let spread = Duration::from_millis(rand::rng().random_range(0..SPREAD_MS));
            tokio::select! {
                () = tokio::time::sleep(pause + spread) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Makes what is due, and says how long to wait until the next look.
    async fn look(&self, known: &mut bool) -> Result<Duration, DbErr> {
        if !*known {
            ticks::ensure(self.jobs.db()).await?;
            *known = true;
        }
        let settings = self.settings.snapshot();
        let now = ticks::database_time(self.jobs.db()).await?;
        make_due(&self.jobs, &settings, now).await?;
        let next = Name::ALL.into_iter().filter_map(|name| Timetable::of(&settings, name).next(now)).min();
        // Counted by this machine's steady clock: a step of the other one changes nothing.
        let until = next.map_or(LOOK_EVERY, |next| Duration::from_millis(u64::try_from(next - now).unwrap_or(0)));
        Ok(until.min(LOOK_EVERY))
    }
}

/// Makes the ticks that are due at `now`, a time just read from the database's clock. Answers how many.
///
/// # Errors
/// The database does not answer.
pub async fn make_due(jobs: &Jobs, settings: &Settings, now: i64) -> Result<usize, DbErr> {
    let jitter = Duration::from_secs(settings.schedules.jitter_secs);
    let mut made = 0;
    for row in ticks::schedules(jobs.db()).await? {
        let timetable = Timetable::of(settings, row.name);
        // Only a look: whether it is due is decided once the row is taken.
        if ticks::due(&row, &timetable, now).is_none() {
            continue;
        }
        if let Some(tick) = ticks::make(jobs, row.name, &timetable, jitter).await? {
            made += 1;
            tracing::debug!(schedule = row.name.as_str(), due_ms = tick.due_ms, job_id = %tick.job_id, "due");
        }
    }
    Ok(made)
}
