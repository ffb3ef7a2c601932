//! How much work waits and runs, and for how long the oldest has waited.

use std::sync::Arc;
use std::time::Duration;

use grok2api_entity::job::{Column, Entity, Kind, State};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::jobs::Jobs;
use crate::kinds::ALL;
use crate::time::{now_ms, within};

/// How long a survey is believed.
const AGE: Duration = Duration::from_secs(1);
/// Longest wait for a survey: whoever reads metrics gives up soon.
const PATIENCE: Duration = Duration::from_secs(2);

/// The work of one kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Survey {
    /// Which work.
    pub kind: Kind,
    /// Jobs that wait for a worker.
    pub queued: u64,
    /// Jobs that a worker has.
    pub running: u64,
    /// For how long the job that has been due longest has waited; nothing when none is due.
    pub oldest: Duration,
}

/// The latest survey.
#[derive(Default)]
pub(crate) struct Surveyed(Mutex<Option<(Instant, Arc<[Survey]>)>>);

impl Jobs {
    /// The work of all processes by kind, as of the last second; those who ask at once share one look.
    ///
    /// # Errors
    /// The database does not answer within 2 s.
    pub async fn survey(&self) -> Result<Arc<[Survey]>, DbErr> {
        let mut known = self.inner.surveyed.0.lock().await;
        if let Some((at, survey)) = &*known
            && at.elapsed() < AGE
        {
            return Ok(Arc::clone(survey));
        }
        let survey: Arc<[Survey]> = within(PATIENCE, self.count_all()).await?.into();
        *known = Some((Instant::now(), Arc::clone(&survey)));
        Ok(survey)
    }

    async fn count_all(&self) -> Result<Vec<Survey>, DbErr> {
        // All kinds are named so that the index, which begins with the kind, is used.
        let counted: Vec<(Kind, State, i64, i64)> = Entity::find()
            .select_only()
            .column(Column::Kind)
            .column(Column::State)
            .column_as(Column::Id.count(), "jobs")
            .column_as(Column::RunAt.min(), "first")
            .filter(Column::Kind.is_in(ALL))
            .filter(Column::State.is_in([State::Queued, State::Running]))
            .group_by(Column::Kind)
            .group_by(Column::State)
            .into_tuple()
            .all(self.db())
            .await?;
        let now = now_ms();
        let of = |kind: Kind, state: State| {
            let found = counted.iter().find(|counted| counted.0 == kind && counted.1 == state);
            found.map_or((0, now), |(_, _, jobs, first)| (u64::try_from(*jobs).unwrap_or(0), *first))
        };
        let survey = |kind: Kind| {
            let ((queued, first), (running, _)) = (of(kind, State::Queued), of(kind, State::Running));
            let oldest = Duration::from_millis(u64::try_from(now - first).unwrap_or(0));
            Survey { kind, queued, running, oldest }
        };
        Ok(ALL.into_iter().map(survey).collect())
    }
}
