//! Sums of the use by day, and the end of what nobody asks for any more.

use std::sync::Arc;

use async_trait::async_trait;
use grok2api_entity::connect::begin_write;
use grok2api_entity::failure::Code;
use grok2api_entity::job::Step;
use grok2api_entity::usage_day::{DAY_MS, day_of, sum_up};
use grok2api_entity::{bulk, meta, tick, usage_hour};
use grok2api_queue::{Claimed, End, Failure, Handler, Lost, Note};
use sea_orm::{DbErr, EntityTrait, QueryOrder};

use crate::Workshop;
use crate::outcome::again;

/// Row of table `meta`: the first day whose sums may still change, in Unix milliseconds.
const SUMMED_UNTIL: &str = "usage_day_until";
/// Days that are summed up by one job at most; the next one goes on.
const DAYS: usize = 400;
/// Days before today whose sums may still change: what could not be written at once is counted where it belongs.
const LATE_DAYS: i64 = 2;
/// Rows deleted by one statement, and statements of one job.
const PRUNE: (u64, u32) = (500, 20);

/// Sums up.
pub(crate) struct Rollup {
    shop: Arc<Workshop>,
}

/// Why it went no further.
enum Cut {
    Lost,
    Database(DbErr),
}

impl From<DbErr> for Cut {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl Rollup {
    pub(crate) fn new(shop: Arc<Workshop>) -> Self {
        Self { shop }
    }

    async fn work(&self, job: &mut Claimed) -> Result<End, Cut> {
        let (settings, now) = self.shop.terms(job).await?;
        let today = day_of(now);
        // Where nothing was ever used there is only today.
        let first = self.first_day(job, today).await?.unwrap_or(today);
        for day in (first..=today).step_by(usize::try_from(DAY_MS).unwrap_or(usize::MAX)).take(DAYS) {
            if job.can_be_passed_on() {
                return Ok(End::HandOver);
            }
            let until = (day + DAY_MS).min(today - LATE_DAYS * DAY_MS).to_string();
            // The day's sums and how far they go, or nothing; and only while the job is ours.
            let written = job.step_with(Note::default(), move |tx| {
                let until = until.clone();
                Box::pin(async move {
                    sum_up(tx, day).await?;
                    meta::set(tx, SUMMED_UNTIL, &until).await
                })
            });
            written.await.map_err(|Lost| Cut::Lost)?;
        }
        let oldest = now - i64::from(settings.schedules.keep_ticks_days) * DAY_MS;
        for _ in 0..PRUNE.1 {
            if tick::delete_before(job.jobs().db(), oldest, PRUNE.0).await? < PRUNE.0 {
                break;
            }
        }
        // With bulk work goes the list of what failed of it; one that large takes its time by itself.
        let oldest = now - i64::try_from(settings.jobs.keep_days).unwrap_or(DAY_MS) * DAY_MS;
        let tx = begin_write(job.jobs().db()).await?;
        bulk::delete_before(&*tx, oldest, 10).await?;
        tx.commit().await?;
        Ok(End::Completed)
    }

    /// The day to begin with; `None` when nothing was ever used.
    async fn first_day(&self, job: &Claimed, today: i64) -> Result<Option<i64>, DbErr> {
        let db = job.jobs().db();
        if let Some(until) = meta::get(db, SUMMED_UNTIL).await?.and_then(|text| text.parse::<i64>().ok()) {
            return Ok(Some(until.min(today)));
        }
        let oldest = usage_hour::Entity::find().order_by_asc(usage_hour::Column::Hour).one(db).await?;
        Ok(oldest.map(|hour| day_of(hour.hour)))
    }
}

#[async_trait]
impl Handler for Rollup {
    async fn run(&self, job: &mut Claimed) -> Result<End, Lost> {
        match self.work(job).await {
            Ok(end) => Ok(end),
            Err(Cut::Lost) => Err(Lost),
            Err(Cut::Database(error)) => {
                tracing::warn!(error = %error, "the use could not be summed up");
                let failure = Failure::new(Code::InternalError, "The records cannot be reached.");
                Ok(again(job.row(), Step::Start, failure))
            }
        }
    }
}
