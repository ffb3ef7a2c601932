//! The jobs of the house: made, found, followed, cancelled.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use grok2api_entity::generation;
use grok2api_entity::job::{self, Kind, State};
use grok2api_entity::job_attempt;
use parking_lot::Mutex;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::change::Change;
use crate::control::Rules;
use crate::news::{Hub, News, Watching, is_over};
use crate::survey::Surveyed;
use crate::ticket::{NewJob, Ticket, insertable};
use crate::time::{in_time, now_ms};
use crate::transport::Transport;
use crate::writer::{WriteError, Writer};

/// How long a count of waiting jobs is believed.
const COUNT_AGE: Duration = Duration::from_secs(1);

/// Those who wait for a job look at its row this often when no news comes.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How many jobs may wait (F67).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Of one kind.
    pub queued: u64,
    /// Of one kind and one client key.
    pub queued_per_owner: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { queued: 100_000, queued_per_owner: 10_000 }
    }
}

/// Why a job was not made, changed or found.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// As many jobs wait as may wait.
    #[error("Too many jobs are waiting. Try again later.")]
    Full {
        /// When to ask again.
        retry_after: Duration,
    },
    /// The database refused.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The database does not answer.
    #[error("the database does not answer")]
    Database(#[from] DbErr),
}

/// The jobs. Clones share everything.
#[derive(Clone)]
pub struct Jobs {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) db: DatabaseConnection,
    pub(crate) writer: Writer,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) hub: Hub,
    bounds: Mutex<Bounds>,
    counted: Mutex<HashMap<(Kind, String), Counted>>,
    pub(crate) surveyed: Surveyed,
    pub(crate) rules: Rules,
}

/// Waiting jobs of a kind, and of one owner if one is named, as they were counted, and how many were made here since.
struct Counted {
    at: Instant,
    queued: u64,
}

impl Jobs {
    /// Jobs of `db`, delivered by `transport`, which must tell the same `hub`.
    pub fn new(db: DatabaseConnection, transport: Arc<dyn Transport>, hub: Hub) -> Self {
        let writer = Writer::start(&db);
        let (bounds, counted, surveyed) = (Mutex::default(), Mutex::default(), Surveyed::default());
        let rules = Rules::default();
        Self { inner: Arc::new(Inner { db, writer, transport, hub, bounds, counted, surveyed, rules }) }
    }

    /// How many jobs may wait, from now on.
    pub fn set_bounds(&self, bounds: Bounds) {
        *self.inner.bounds.lock() = bounds;
    }

    /// The records.
    pub fn db(&self) -> &DatabaseConnection {
        &self.inner.db
    }

    /// News of this process and, through the transport, of others.
    pub fn hub(&self) -> &Hub {
        &self.inner.hub
    }

    /// Delivers tickets and news.
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.inner.transport
    }

    /// Whether one more job of this kind may wait. Ask before anything is written.
    ///
    /// # Errors
    /// [`QueueError::Full`], or the database does not answer.
    pub async fn admit(&self, kind: Kind, owner: &str) -> Result<(), QueueError> {
        let bounds = *self.inner.bounds.lock();
        let queued = self.queued(kind).await?;
        let full = || QueueError::Full { retry_after: Duration::from_secs(if queued > 1_000 { 30 } else { 5 }) };
        if queued >= bounds.queued {
            return Err(full());
        }
        // Nobody has more waiting than there are in all.
        let crowded = queued >= bounds.queued_per_owner && !owner.is_empty();
        if crowded && self.count(kind, owner).await? >= bounds.queued_per_owner {
            return Err(full());
        }
        Ok(())
    }

    /// Jobs of a kind that wait, as of the last second.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn queued(&self, kind: Kind) -> Result<u64, DbErr> {
        self.count(kind, "").await
    }

    /// Jobs of a kind that wait, of `owner` or, with an empty name, of all.
    async fn count(&self, kind: Kind, owner: &str) -> Result<u64, DbErr> {
        let key = (kind, owner.to_owned());
        if let Some(known) = self.inner.counted.lock().get(&key).filter(|known| known.at.elapsed() < COUNT_AGE) {
            return Ok(known.queued);
        }
        let mut waiting =
            job::Entity::find().filter(job::Column::Kind.eq(kind)).filter(job::Column::State.eq(State::Queued));
        if !owner.is_empty() {
            waiting = waiting.filter(job::Column::Owner.eq(owner));
        }
        let at = Instant::now();
        let queued = in_time(waiting.count(&self.inner.db)).await?;
        let mut counted = self.inner.counted.lock();
        counted.retain(|_, known| known.at.elapsed() < COUNT_AGE);
        counted.insert(key, Counted { at, queued });
        Ok(queued)
    }

    /// Jobs were made here: those who come within the same second are told so.
    pub(crate) fn made(&self, kind: Kind, owner: &str, jobs: u64) {
        for ((of, whose), known) in self.inner.counted.lock().iter_mut() {
            if *of == kind && (whose.is_empty() || whose == owner) {
                known.queued += jobs;
            }
        }
    }

    /// Writes new jobs within the caller's transaction; hand the tickets to [`Jobs::deliver`] after its commit.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn insert(tx: &impl ConnectionTrait, jobs: Vec<NewJob>) -> Result<Vec<Ticket>, DbErr> {
        let tickets = jobs.iter().map(NewJob::ticket).collect();
        if !jobs.is_empty() {
            let now = now_ms();
            let rows = jobs.iter().map(|new| insertable(new.model(now)));
            job::Entity::insert_many(rows).exec_without_returning(tx).await?;
        }
        Ok(tickets)
    }

    /// Tells the workers of committed jobs. What does not get through now is repeated by the sweeper.
    pub async fn deliver(&self, tickets: &[Ticket]) {
        if tickets.is_empty() {
            return;
        }
        if let Err(error) = self.inner.transport.push(tickets).await {
            tracing::warn!(error = %error, jobs = tickets.len(), "accepted work could not be announced: it is repeated soon");
        }
    }

    /// Makes a job and tells the workers. When this returns, it is on disk.
    ///
    /// # Errors
    /// When the database refuses: there is no job then.
    pub async fn submit(&self, new: NewJob) -> Result<Uuid, QueueError> {
        let (id, ticket, request) = (new.id, new.ticket(), new.generation_id);
        self.made(new.kind, &new.owner, 1);
        self.inner.writer.write(Change::Insert(new), request).await?;
        self.deliver(&[ticket]).await;
        Ok(id)
    }

    /// A job.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn find(&self, id: Uuid) -> Result<Option<job::Model>, DbErr> {
        in_time(job::Entity::find_by_id(id).one(&self.inner.db)).await
    }

    /// The jobs of a request, in the order they were made.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn of_generation(&self, id: Uuid) -> Result<Vec<job::Model>, DbErr> {
        let jobs = job::Entity::find().filter(job::Column::GenerationId.eq(id)).order_by_asc(job::Column::Id);
        in_time(jobs.all(&self.inner.db)).await
    }

    /// How many upstream calls a request took so far, and the account of the last one.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn calls_of(&self, generation: Uuid) -> Result<(u32, Option<Uuid>), DbErr> {
        let jobs: Vec<Uuid> = self.of_generation(generation).await?.iter().map(|job| job.id).collect();
        let made = self.attempts_of(&jobs).await?;
        Ok((u32::try_from(made.len()).unwrap_or(u32::MAX), made.last().map(|call| call.account_id)))
    }

    /// The upstream calls of these jobs, in the order they were made.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn attempts_of(&self, jobs: &[Uuid]) -> Result<Vec<job_attempt::Model>, DbErr> {
        let made = job_attempt::Entity::find().filter(job_attempt::Column::JobId.is_in(jobs.iter().copied()));
        let mut made = made.all(&self.inner.db).await?;
        made.sort_by_key(|attempt| (attempt.started_at, attempt.job_id, attempt.epoch, attempt.number));
        Ok(made)
    }

    /// Ends a job that nobody wants any more, whatever it is doing. Its worker's next write is refused; the worker is told
    /// at once, ends its upstream call and frees the account (J8). Answers the row, or `None` when it was over already.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn cancel(&self, job: &job::Model) -> Result<Option<job::Model>, QueueError> {
        let change = Change::Cancel { id: job.id };
        let Some(row) = self.inner.writer.write(change, job.generation_id).await? else { return Ok(None) };
        self.inner.transport.announce(&[News::of(&row)]).await;
        if let Err(error) = self.inner.transport.remove(Ticket::of(job)).await {
            tracing::debug!(error = %error, "the ticket of a cancelled job stays; its row refuses it");
        }
        Ok(Some(row))
    }

    /// Waits until a request has come to its end or `deadline` has passed, and answers its row as it stands then.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn finished(&self, id: Uuid, deadline: Instant) -> Result<Option<generation::Model>, DbErr> {
        let mut following = self.follow(id);
        loop {
            let row = following.look().await?;
            let over = row.as_ref().is_none_or(|row| generation_is_over(row.state));
            if over || Instant::now() >= deadline {
                return Ok(row);
            }
            following.wait(deadline).await;
        }
    }

    /// Follows a request: look, wait, look again.
    pub fn follow(&self, generation: Uuid) -> Following {
        Following { watching: self.inner.hub.watch(generation), jobs: self.clone(), id: generation }
    }
}

/// Whether a request of this state is at its end.
pub fn generation_is_over(state: generation::State) -> bool {
    use generation::State as S;
    matches!(state, S::Completed | S::Failed | S::Cancelled)
}

/// Follows one request.
pub struct Following {
    watching: Watching,
    jobs: Jobs,
    id: Uuid,
}

impl Following {
    /// The row as it stands.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn look(&self) -> Result<Option<generation::Model>, DbErr> {
        in_time(generation::Entity::find_by_id(self.id).one(&self.jobs.inner.db)).await
    }

    /// Waits for news of the request, for a second at most, and not beyond `deadline`. `Some` is the progress of one of
    /// its jobs that has not come to its end; `None` means that it is time to look.
    pub async fn wait(&mut self, deadline: Instant) -> Option<i32> {
        let until = deadline.min(Instant::now() + LOOK_EVERY);
        match tokio::time::timeout_at(until, self.watching.next()).await {
            Ok(Some(news)) if !news.over => Some(news.progress),
            Ok(Some(_) | None) | Err(_) => None,
        }
    }
}

/// Whether a job is at its end.
pub fn job_is_over(job: &job::Model) -> bool {
    is_over(job.state)
}
