//! `/api/workers`: the processes that carry work out.

use std::collections::HashMap;

use grok2api_entity::job::{self, State};
use grok2api_entity::{clock, worker};
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use uuid::Uuid;

use crate::access::Admin;
use crate::error::ApiError;
use crate::state::AppState;
use crate::tags::Tag;

/// Processes that carry work out.
pub(crate) struct WorkersApi;

/// All living workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct WorkerList {
    /// `list`
    pub object: &'static str,
    /// The workers, the oldest first.
    pub data: Vec<Worker>,
    /// The time at the database, in Unix milliseconds, by which signs of life are told.
    pub now_ms: i64,
}

/// A process that carries work out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct Worker {
    /// Its id, another one after each start.
    pub id: String,
    /// `worker`
    pub object: &'static str,
    /// Name of its machine.
    pub host: String,
    /// Its process number there.
    pub pid: i64,
    /// The kinds of jobs that it takes.
    pub kinds: Vec<String>,
    /// When it began, in Unix milliseconds.
    pub started_at_ms: i64,
    /// Its last sign of life, in Unix milliseconds; it gives one each second.
    pub beat_at_ms: i64,
    /// Whether it takes nothing more.
    pub draining: bool,
    /// Jobs that it has.
    pub running: i64,
}

#[OpenApi(prefix_path = "/api/workers", tag = "Tag::Work")]
impl WorkersApi {
    /// List the processes that carry work out.
    #[oai(path = "/", method = "get", operation_id = "list_workers")]
    async fn list(&self, state: Data<&AppState>, _admin: Admin) -> Result<Json<WorkerList>, ApiError> {
        let db = state.jobs.db();
        let rows = worker::Entity::find().order_by_asc(worker::Column::Id).all(db).await?;
        let held: Vec<(Option<Uuid>, i64)> = job::Entity::find()
            .select_only()
            .column(job::Column::Holder)
            .column_as(job::Column::Id.count(), "jobs")
            .filter(job::Column::State.eq(State::Running))
            .group_by(job::Column::Holder)
            .into_tuple()
            .all(db)
            .await?;
        let held: HashMap<Uuid, i64> = held.into_iter().filter_map(|(id, jobs)| Some((id?, jobs))).collect();
        let data = rows.into_iter().map(|row| Worker {
            id: row.id.to_string(),
            object: "worker",
            host: row.host,
            pid: row.pid,
            kinds: row.kinds.split(',').filter(|kind| !kind.is_empty()).map(str::to_owned).collect(),
            started_at_ms: row.started_at,
            beat_at_ms: row.beat_at,
            draining: row.draining,
            running: held.get(&row.id).copied().unwrap_or(0),
        });
        Ok(Json(WorkerList { object: "list", data: data.collect(), now_ms: clock::read(db).await? }))
    }
}
