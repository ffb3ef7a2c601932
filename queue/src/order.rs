//! Requests for pictures and videos: accepted in one commit with their jobs, found and deleted by their owners only.

use std::time::Duration;

use grok2api_entity::connect::begin_write;
use grok2api_entity::generation::{self, ActiveModel, Column, Entity, Kind, State};
use grok2api_entity::{idempotency, job};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{ExprTrait, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::failpoint;
use crate::jobs::{Jobs, QueueError, generation_is_over};
use crate::ticket::{NewJob, Ticket};
use crate::time::{in_time, now_ms};
use crate::writer::is_refusal;

/// A request that the database refuses is written this many times: two with one key may have been in each other's way.
const TRIES: u32 = 5;
/// Pause before another try.
const PAUSE: Duration = Duration::from_millis(20);

/// Pictures that one upstream call draws at most.
pub const PICTURES_A_TURN: u8 = 2;

/// The parameters of a request beside model and prompt, as they are stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Order {
    /// Pictures wanted, 1 to 10; 1 for a video.
    pub n: u8,
    /// `WIDTHxHEIGHT` or `auto`, as the client wrote it; `None` when it did not.
    pub size: Option<String>,
    /// Length of a video in seconds, as the client wrote it.
    pub seconds: Option<String>,
    /// Uploaded pictures, by the ids of their assets, in the client's order.
    pub inputs: Vec<Uuid>,
    /// How the client wants pictures: `url` or `b64_json`.
    pub response_format: Option<String>,
}

/// What one job of a request is to do, as it is stored in the job's `args`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Position among the jobs of its request, from 0.
    pub index: u8,
    /// Results that are kept, of those that the upstream makes.
    pub want: u8,
}

/// A request to be accepted.
#[derive(Debug, Clone)]
pub struct NewGeneration {
    /// Its id, version 7; uploaded pictures may name it already.
    pub id: Uuid,
    /// The id that the client will see.
    pub public_id: String,
    /// What is asked for.
    pub kind: Kind,
    /// The model, as the client named it.
    pub model: String,
    /// Id of the client key.
    pub owner: String,
    /// What to draw or film.
    pub prompt: String,
    /// The other parameters.
    pub order: Order,
    /// It is given up after this time, in Unix milliseconds.
    pub deadline_at: i64,
}

/// A key under which the client may repeat its request safely (J13).
#[derive(Debug, Clone)]
pub struct RepeatKey {
    /// Stands for the `Idempotency-Key` header, compared exactly: 1 to 255 characters, best its hash.
    pub key: String,
    /// The path that the request was sent to.
    pub endpoint: &'static str,
    /// SHA-256 of the request, in hexadecimal.
    pub body_hash: String,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepted {
    /// It is on disk and will be worked on.
    New(generation::Model),
    /// The same request was accepted before, under the same key.
    Repeated(generation::Model),
    /// The key was used for another request.
    OtherBody,
    /// The key was used, and what it made is gone.
    Gone,
}

impl Jobs {
    /// Accepts a request: when this returns, it and its jobs are on disk, and the workers were told.
    ///
    /// # Errors
    /// [`QueueError::Full`], or the database refuses; there is nothing of the request then.
    pub async fn accept(&self, new: NewGeneration, key: Option<RepeatKey>) -> Result<Accepted, QueueError> {
        if let Some(key) = &key
            && let Some(earlier) = self.earlier(&new.owner, key).await?
        {
            return Ok(earlier);
        }
        let kind = job_kind(new.kind);
        self.admit(kind, &new.owner).await?;
        let jobs = turns(&new, kind);
        self.made(kind, &new.owner, jobs.len() as u64);
        let mut tried = 0;
        let written = loop {
            tried += 1;
            match in_time(self.write_request(&new, &jobs, key.as_ref())).await {
                Err(error) if tried < TRIES && is_refusal(&error) => tokio::time::sleep(PAUSE * tried).await,
                written => break written?,
            }
        };
        match (written, key) {
            (Some(row), _) => {
                failpoint::hit("after_accept").await;
                let tickets: Vec<Ticket> = jobs.iter().map(NewJob::ticket).collect();
                self.deliver(&tickets).await;
                Ok(Accepted::New(row))
            }
            // Somebody with the same key was faster by a moment.
            (None, Some(key)) => Ok(self.earlier(&new.owner, &key).await?.unwrap_or(Accepted::Gone)),
            (None, None) => Ok(Accepted::Gone),
        }
    }

    /// Writes a request with its jobs and its key, all or nothing. `None` when the key is taken.
    async fn write_request(
        &self,
        new: &NewGeneration,
        jobs: &[NewJob],
        key: Option<&RepeatKey>,
    ) -> Result<Option<generation::Model>, DbErr> {
        let tx = begin_write(self.db()).await?;
        if let Some(key) = key
            && !reserve_key(&tx, new, key).await?
        {
            tx.rollback().await?;
            return Ok(None);
        }
        let row = row(new, jobs.len());
        Entity::insert(row.clone().into_active_model().reset_all()).exec_without_returning(&*tx).await?;
        Self::insert(&*tx, jobs.to_vec()).await?;
        tx.commit().await?;
        Ok(Some(row))
    }

    /// What became of an earlier request under this key; `None` when there was none, or it is forgotten.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn earlier(&self, owner: &str, key: &RepeatKey) -> Result<Option<Accepted>, DbErr> {
        let id = (owner.to_owned(), key.key.clone());
        let used = in_time(idempotency::Entity::find_by_id(id).one(self.db())).await?;
        let Some(used) = used else { return Ok(None) };
        if used.body_hash != key.body_hash || used.endpoint != key.endpoint {
            return Ok(Some(Accepted::OtherBody));
        }
        let Some(id) = used.generation_id else { return Ok(Some(Accepted::Gone)) };
        let row = in_time(Entity::find_by_id(id).one(self.db())).await?;
        Ok(Some(row.map_or(Accepted::Gone, Accepted::Repeated)))
    }

    /// A request of this owner, by its public id; deleted ones are not found, nor those of others (K7).
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn generation(&self, owner: &str, public_id: &str) -> Result<Option<generation::Model>, DbErr> {
        let found = Entity::find()
            .filter(Column::PublicId.eq(public_id))
            .filter(Column::Owner.eq(owner))
            .filter(Column::DeletedAt.is_null());
        in_time(found.one(self.db())).await
    }

    /// Requests of this owner and kind, newest first unless `ascending`, at most `limit`, after the one named.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn generations(
        &self,
        owner: &str,
        kind: Kind,
        after: Option<&generation::Model>,
        ascending: bool,
        limit: u64,
    ) -> Result<Vec<generation::Model>, DbErr> {
        let mut page = Entity::find()
            .filter(Column::Owner.eq(owner))
            .filter(Column::Kind.eq(kind))
            .filter(Column::DeletedAt.is_null());
        if let Some(after) = after {
            let (at, id) = (after.created_at, after.id);
            let (beyond, same) = if ascending {
                (Column::CreatedAt.gt(at), Column::Id.gt(id))
            } else {
                (Column::CreatedAt.lt(at), Column::Id.lt(id))
            };
            page = page.filter(Condition::any().add(beyond).add(Column::CreatedAt.eq(at).and(same)));
        }
        let order = if ascending { sea_orm::Order::Asc } else { sea_orm::Order::Desc };
        let page = page.order_by(Column::CreatedAt, order.clone()).order_by(Column::Id, order).limit(limit);
        in_time(page.all(self.db())).await
    }

    /// Ends all open jobs of a request (J8). Answers whether any was open.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn cancel_generation(&self, id: Uuid) -> Result<bool, QueueError> {
        let mut any = false;
        for job in self.of_generation(id).await? {
            any |= !crate::job_is_over(&job) && self.cancel(&job).await?.is_some();
        }
        Ok(any)
    }

    /// Cancels what is open of a request and hides it from its owner for good.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn delete_generation(&self, id: Uuid) -> Result<(), QueueError> {
        self.cancel_generation(id).await?;
        let deleted = ActiveModel { deleted_at: Set(Some(now_ms())), ..Default::default() };
        in_time(Entity::update_many().set(deleted).filter(Column::Id.eq(id)).exec(self.db())).await?;
        Ok(())
    }

    /// Whether a request is at its end.
    pub fn is_over(row: &generation::Model) -> bool {
        generation_is_over(row.state)
    }
}

/// The kind of job that serves a kind of request.
pub fn job_kind(kind: Kind) -> job::Kind {
    match kind {
        Kind::Image | Kind::Edit => job::Kind::GenerateImage,
        Kind::Video => job::Kind::GenerateVideo,
    }
}

/// False when the key is taken.
async fn reserve_key(tx: &DatabaseTransaction, new: &NewGeneration, key: &RepeatKey) -> Result<bool, DbErr> {
    let row = idempotency::ActiveModel {
        owner: Set(new.owner.clone()),
        key: Set(key.key.clone()),
        endpoint: Set(key.endpoint.to_owned()),
        body_hash: Set(key.body_hash.clone()),
        generation_id: Set(Some(new.id)),
        created_at: Set(now_ms()),
    };
    let columns = [idempotency::Column::Owner, idempotency::Column::Key];
    let keep = OnConflict::columns(columns).do_nothing_on(columns).to_owned();
    idempotency::Entity::insert(row).on_conflict(keep).exec_without_returning(tx).await?;
    // Asked rather than counted: MariaDB counts a row that it found as one it wrote.
    let id = (new.owner.clone(), key.key.clone());
    let kept = idempotency::Entity::find_by_id(id).one(tx).await?;
    Ok(kept.is_some_and(|kept| kept.generation_id == Some(new.id)))
}

/// One job for each upstream call that the request needs.
fn turns(new: &NewGeneration, kind: job::Kind) -> Vec<NewJob> {
    let mut left = Ord::max(new.order.n, 1);
    let mut jobs = Vec::new();
    for index in 0_u8.. {
        let want = Ord::min(left, PICTURES_A_TURN);
        left -= want;
        let args = serde_json::to_string(&Turn { index, want }).unwrap_or_default();
        jobs.push(NewJob {
            id: Uuid::now_v7(),
            kind,
            owner: new.owner.clone(),
            generation_id: Some(new.id),
            args,
            run_at: now_ms(),
            deadline_at: new.deadline_at,
        });
        if left == 0 {
            break;
        }
    }
    jobs
}

fn row(new: &NewGeneration, jobs: usize) -> generation::Model {
    generation::Model {
        id: new.id,
        public_id: new.public_id.clone(),
        kind: new.kind,
        model: new.model.clone(),
        owner: new.owner.clone(),
        prompt: new.prompt.clone(),
        request: serde_json::to_string(&new.order).unwrap_or_default(),
        state: State::Queued,
        progress: 0,
        pending: i32::try_from(jobs).unwrap_or(i32::MAX),
        error_code: None,
        error_message: None,
        created_at: now_ms(),
        completed_at: None,
        deleted_at: None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn as_many_calls_are_made_as_the_pictures_need() {
        for (n, wants) in [(1, vec![1]), (2, vec![2]), (3, vec![2, 1]), (10, vec![2, 2, 2, 2, 2])] {
            let new = NewGeneration {
                id: Uuid::now_v7(),
                public_id: "img_1".to_owned(),
                kind: Kind::Image,
                model: "m".to_owned(),
                owner: "o".to_owned(),
                prompt: "p".to_owned(),
                order: Order { n, ..Order::default() },
                deadline_at: 0,
            };
            let turns: Vec<Turn> = turns(&new, job::Kind::GenerateImage)
                .iter()
                .map(|job| serde_json::from_str(&job.args).unwrap())
                .collect();
            assert_eq!(turns.iter().map(|turn| turn.want).collect::<Vec<_>>(), wants);
            assert!(turns.iter().zip(0..).all(|(turn, index)| turn.index == index));
        }
    }
}
