//! Changes in the records: rows are read under lock, changed as [`next`] says, and written back in as few statements as
//! there are different changes.
//!
//! Every transaction locks the rows of jobs first and those of requests then, each in the order of their ids, so that two
//! writers wait for each other but never in a circle.

use std::collections::{BTreeSet, HashMap};

use grok2api_entity::usage_span::{Figures, Spans};
use grok2api_entity::{generation, job, job_attempt, usage_hour};
use sea_orm::ActiveValue::{self, NotSet, Set};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Value};
use uuid::Uuid;

use crate::change::{Change, Note, clean, next, settled};
use crate::ticket::insertable;

/// Characters kept of an attempt's outcome.
const OUTCOME: usize = 40;

/// Makes changes. Answers the rows as they then are, in the order of the changes; `None` where the job had changed hands
/// and nothing was changed (I2).
pub(crate) async fn apply(
    tx: &impl ConnectionTrait,
    changes: &[&Change],
    now: i64,
) -> Result<Vec<Option<job::Model>>, DbErr> {
    insert(tx, changes, now).await?;
    let before = lock(tx, changes).await?;
    let mut after = before.clone();
    let mut answers = Vec::with_capacity(changes.len());
    let mut notes = Vec::new();
    let mut requests = BTreeSet::new();
    for change in changes {
        if let Change::Insert(new) = change {
            answers.push(Some(new.model(now)));
            continue;
        }
        let Some(row) = after.get_mut(&change.id()) else {
            answers.push(None);
            continue;
        };
        let answer = next(row, change, now);
        if let Some(new) = &answer {
            if let Change::Note { note, .. } = change {
                notes.push((new.clone(), note));
            }
            requests.extend(new.generation_id.filter(|_| change.concerns_request(row, new)));
            row.clone_from(new);
        }
        answers.push(answer);
    }
    write(tx, &before, &after).await?;
    for (row, note) in notes {
        note_attempts(tx, &row, note, now).await?;
    }
    settle(tx, requests, now).await?;
    Ok(answers)
}

async fn insert(tx: &impl ConnectionTrait, changes: &[&Change], now: i64) -> Result<(), DbErr> {
    let new = changes.iter().filter_map(|change| match change {
        Change::Insert(new) => Some(new.model(now)),
        _ => None,
    });
    let rows: Vec<job::ActiveModel> = new.map(insertable).collect();
    if !rows.is_empty() {
        job::Entity::insert_many(rows).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// The rows that are to change, locked.
async fn lock(tx: &impl ConnectionTrait, changes: &[&Change]) -> Result<HashMap<Uuid, job::Model>, DbErr> {
    let ids: BTreeSet<Uuid> =
        changes.iter().filter(|change| !matches!(change, Change::Insert(_))).map(|change| change.id()).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = job::Entity::find()
        .filter(job::Column::Id.is_in(few_lengths(ids)))
        .order_by_asc(job::Column::Id)
        .lock_exclusive()
        .all(tx)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// As many values as the next power of two, the last one repeated: few texts of statements, which are prepared once.
fn few_lengths(ids: impl IntoIterator<Item = Uuid>) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = ids.into_iter().collect();
    if let Some(last) = ids.last().copied() {
        ids.resize(ids.len().next_power_of_two(), last);
    }
    ids
}

/// Writes the rows that are different. Rows that change alike are changed together, and each only from its own epoch.
async fn write(
    tx: &impl ConnectionTrait,
    before: &HashMap<Uuid, job::Model>,
    after: &HashMap<Uuid, job::Model>,
) -> Result<(), DbErr> {
    let mut groups: Vec<(i64, job::ActiveModel, Vec<Uuid>)> = Vec::new();
    for old in before.values() {
        let Some(new) = after.get(&old.id).filter(|new| *new != old) else { continue };
        let difference = difference(old, new);
        match groups.iter_mut().find(|(epoch, alike, _)| *epoch == old.epoch && *alike == difference) {
            Some((_, _, ids)) => ids.push(old.id),
            None => groups.push((old.epoch, difference, vec![old.id])),
        }
    }
    for (epoch, difference, mut ids) in groups {
        ids.sort_unstable();
        let count = ids.len();
        let update = job::Entity::update_many().set(difference).filter(job::Column::Epoch.eq(epoch));
        let done = update.filter(job::Column::Id.is_in(few_lengths(ids))).exec(tx).await?;
        if done.rows_affected != count as u64 {
            return Err(DbErr::Custom("a job changed while its row was locked".to_owned()));
        }
    }
    Ok(())
}

fn set<T: PartialEq + Clone + Into<Value>>(old: &T, new: &T) -> ActiveValue<T> {
    if old == new { NotSet } else { Set(new.clone()) }
}

/// The columns that change. What a job is and where it belongs never does.
fn difference(old: &job::Model, new: &job::Model) -> job::ActiveModel {
    job::ActiveModel {
        id: NotSet,
        kind: NotSet,
        state: set(&old.state, &new.state),
        step: set(&old.step, &new.step),
        epoch: set(&old.epoch, &new.epoch),
        crashes: set(&old.crashes, &new.crashes),
        tries: set(&old.tries, &new.tries),
        progress: set(&old.progress, &new.progress),
        args: NotSet,
        owner: NotSet,
        generation_id: NotSet,
        holder: set(&old.holder, &new.holder),
        account_id: set(&old.account_id, &new.account_id),
        upstream_id: set(&old.upstream_id, &new.upstream_id),
        run_at: set(&old.run_at, &new.run_at),
        deadline_at: set(&old.deadline_at, &new.deadline_at),
        error_code: set(&old.error_code, &new.error_code),
        error_message: set(&old.error_message, &new.error_message),
        created_at: NotSet,
        started_at: set(&old.started_at, &new.started_at),
        finished_at: set(&old.finished_at, &new.finished_at),
    }
}

/// Writes down the upstream calls that a note tells of.
async fn note_attempts(tx: &impl ConnectionTrait, row: &job::Model, note: &Note, now: i64) -> Result<(), DbErr> {
    use job_attempt::{ActiveModel, Column, Entity};

    if let (Some(number), Some(account_id)) = (note.attempt, row.account_id) {
        let attempt = ActiveModel {
            job_id: Set(row.id),
            epoch: Set(row.epoch),
            number: Set(number),
            account_id: Set(account_id),
            started_at: Set(now),
            finished_at: Set(None),
            outcome: Set(None),
        };
        // It is there already when the answer of an earlier commit got lost.
        let columns = [Column::JobId, Column::Epoch, Column::Number];
        let keep = OnConflict::columns(columns).do_nothing_on(columns).to_owned();
        Entity::insert(attempt).on_conflict(keep).exec_without_returning(tx).await?;
    }
    if let Some((number, outcome)) = &note.attempt_outcome {
        let over = ActiveModel {
            finished_at: Set(Some(now)),
            outcome: Set(Some(clean(outcome, OUTCOME))),
            ..ActiveModel::default()
        };
        let this = Entity::update_many().set(over).filter(Column::JobId.eq(row.id));
        this.filter(Column::Epoch.eq(row.epoch)).filter(Column::Number.eq(*number)).exec(tx).await?;
    }
    Ok(())
}

/// Brings requests to where their jobs are. Whoever ends the last job of a request waited for the lock of those who
/// ended the others, and so sees what they did.
async fn settle(tx: &impl ConnectionTrait, ids: BTreeSet<Uuid>, now: i64) -> Result<(), DbErr> {
    use generation::{ActiveModel, Column, Entity};

    if ids.is_empty() {
        return Ok(());
    }
    let ids = few_lengths(ids);
    let requests =
        Entity::find().filter(Column::Id.is_in(ids.clone())).order_by_asc(Column::Id).lock_exclusive().all(tx).await?;
    let jobs = job::Entity::find().filter(job::Column::GenerationId.is_in(ids)).order_by_asc(job::Column::Id);
    let mut of_request: HashMap<Uuid, Vec<job::Model>> = HashMap::new();
    for job in jobs.all(tx).await? {
        of_request.entry(job.generation_id.unwrap_or_default()).or_default().push(job);
    }
    let mut videos = Vec::new();
    for old in requests {
        let new = settled(&old, of_request.get(&old.id).map_or(&[], Vec::as_slice), now);
        if new == old {
            continue;
        }
        let changed = ActiveModel {
            state: set(&old.state, &new.state),
            progress: set(&old.progress, &new.progress),
            pending: set(&old.pending, &new.pending),
            error_code: set(&old.error_code, &new.error_code),
            error_message: set(&old.error_message, &new.error_message),
            completed_at: set(&old.completed_at, &new.completed_at),
            ..ActiveModel::default()
        };
        Entity::update_many().set(changed).filter(Column::Id.eq(old.id)).exec(tx).await?;
        let is_made = new.state == generation::State::Completed && old.state != new.state;
        videos.extend((is_made && new.kind == generation::Kind::Video).then_some(new));
    }
    count(tx, &videos, now).await
}

/// Adds videos to the use of their hour. Nobody need be there when a video is made, so it counts then, in the same commit,
/// and not when somebody is shown it.
async fn count(tx: &impl ConnectionTrait, made: &[generation::Model], now: i64) -> Result<(), DbErr> {
    let hour = usage_hour::hour_of(now);
    let mut hours: HashMap<(&str, &str), usage_hour::Model> = HashMap::new();
    let mut spans = Spans::default();
    for video in made {
        spans.add(now, &video.model, &video.owner, &Figures { videos: 1, ..Figures::default() });
        let of = hours.entry((&video.model, &video.owner));
        of.or_insert_with(|| usage_hour::Model::empty(hour, &video.model, &video.owner)).videos += 1;
    }
    usage_hour::add(tx, &hours.into_values().collect::<Vec<_>>()).await?;
    spans.store(tx).await
}
