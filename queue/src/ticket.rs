//! What the queue carries: an id and a version, nothing else (J2).

use std::fmt;
use std::str::FromStr;

use grok2api_entity::job::{self, Kind, State, Step};
use sea_orm::{ActiveModelTrait, IntoActiveModel};
use uuid::Uuid;

use crate::time::now_ms;

/// A word to the workers: this job is due. Whether it still is, only its row knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// What is to be done; says which list the ticket lies in.
    pub kind: Kind,
    /// The job.
    pub id: Uuid,
    /// The job's epoch when the ticket was written. A job that has changed hands since ignores it (I2).
    pub epoch: i64,
    /// Not before this time, in Unix milliseconds.
    pub run_at: i64,
}

impl Ticket {
    /// The ticket of a queued job.
    pub fn of(job: &job::Model) -> Self {
        Self { kind: job.kind, id: job.id, epoch: job.epoch, run_at: job.run_at }
    }
}

/// A ticket's text in a list: id and epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stub {
    pub(crate) id: Uuid,
    pub(crate) epoch: i64,
}

impl fmt::Display for Stub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.id.simple(), self.epoch)
    }
}

impl FromStr for Stub {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (id, epoch) = text.split_once(':').ok_or(())?;
        Ok(Self { id: Uuid::try_parse(id).map_err(drop)?, epoch: epoch.parse().map_err(drop)? })
    }
}

/// A job to be made.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its id, version 7.
    pub id: Uuid,
    /// What is to be done.
    pub kind: Kind,
    /// Id of the client key that asks; empty for the gateway itself.
    pub owner: String,
    /// The request it belongs to.
    pub generation_id: Option<Uuid>,
    /// What it needs to know, as JSON; ids, no secrets, no content.
    pub args: String,
    /// Not before this time, in Unix milliseconds.
    pub run_at: i64,
    /// Given up after this time, in Unix milliseconds.
    pub deadline_at: i64,
}

impl NewJob {
    /// A job that is due at once and may take `patience_ms`, in milliseconds, from now.
    pub fn new(kind: Kind, patience_ms: i64) -> Self {
        let now = now_ms();
        Self {
            id: Uuid::now_v7(),
            kind,
            owner: String::new(),
            generation_id: None,
            args: String::from("{}"),
            run_at: now,
            deadline_at: now.saturating_add(patience_ms),
        }
    }

    pub(crate) fn ticket(&self) -> Ticket {
        Ticket { kind: self.kind, id: self.id, epoch: 0, run_at: self.run_at }
    }

    /// Its row when it is made, at `now` in Unix milliseconds.
    pub(crate) fn model(&self, now: i64) -> job::Model {
        job::Model {
            id: self.id,
            kind: self.kind,
            state: State::Queued,
            step: Step::Start,
            epoch: 0,
            crashes: 0,
            tries: 0,
            progress: 0,
            args: self.args.clone(),
            owner: self.owner.clone(),
            generation_id: self.generation_id,
            holder: None,
            account_id: None,
            upstream_id: None,
            run_at: self.run_at,
            deadline_at: self.deadline_at,
            error_code: None,
            error_message: None,
            created_at: now,
            started_at: None,
            finished_at: None,
        }
    }
}

/// A row to be inserted.
pub(crate) fn insertable(row: job::Model) -> job::ActiveModel {
    row.into_active_model().reset_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stub_reads_what_it_writes_and_nothing_else() {
        let stub = Stub { id: Uuid::now_v7(), epoch: 7 };
        assert_eq!(stub.to_string().parse(), Ok(stub));
        for text in ["", "x:1", "7", &stub.id.to_string(), &format!("{}:x", stub.id)] {
            assert_eq!(text.parse::<Stub>(), Err(()), "{text}");
        }
    }
}
