//! The history of every job, kept by the database itself: a trigger writes down each step and each change of hands, in
//! the same commit. From it, and from when which process was struck, comes what befell which job.

use std::collections::HashMap;

use anyhow::Result;
use grok2api_entity::job::{State, Step};
use sea_orm::{
    ActiveEnum, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, FromQueryResult, Statement, TryGetable,
};
use uuid::Uuid;

use super::strikes::{Calm, Strike};
use crate::ledger::{Blow, Hurt, Sightings};

const SQLITE: &str = "
CREATE TABLE chaos_probe (beat bigint NOT NULL);
INSERT INTO chaos_probe VALUES (0);
CREATE TABLE chaos_worker (id blob NOT NULL, pid bigint NOT NULL);
CREATE TABLE chaos_trail (seq integer PRIMARY KEY AUTOINCREMENT, at bigint NOT NULL, job blob NOT NULL,
  epoch bigint NOT NULL, state text NOT NULL, step text NOT NULL, holder blob, crashes bigint NOT NULL);
CREATE TRIGGER chaos_new_worker AFTER INSERT ON worker BEGIN
  INSERT INTO chaos_worker VALUES (NEW.id, NEW.pid);
END;
CREATE TRIGGER chaos_job AFTER UPDATE ON job WHEN NEW.epoch <> OLD.epoch OR NEW.step <> OLD.step BEGIN
  INSERT INTO chaos_trail (at, job, epoch, state, step, holder, crashes) VALUES
    (cast(unixepoch('subsec') * 1000 AS integer), NEW.id, NEW.epoch, NEW.state, NEW.step, NEW.holder, NEW.crashes);
END;";

const POSTGRES: &str = "
CREATE TABLE chaos_probe (beat bigint NOT NULL);
INSERT INTO chaos_probe VALUES (0);
CREATE TABLE chaos_worker (id uuid NOT NULL, pid bigint NOT NULL);
CREATE TABLE chaos_trail (seq bigserial PRIMARY KEY, at bigint NOT NULL, job uuid NOT NULL,
  epoch bigint NOT NULL, state text NOT NULL, step text NOT NULL, holder uuid, crashes bigint NOT NULL);
CREATE FUNCTION chaos_new_worker() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO chaos_worker VALUES (NEW.id, NEW.pid);
  RETURN NULL;
END $$;
CREATE FUNCTION chaos_job() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO chaos_trail (at, job, epoch, state, step, holder, crashes) VALUES
    (extract(epoch FROM clock_timestamp()) * 1000, NEW.id, NEW.epoch, NEW.state, NEW.step, NEW.holder, NEW.crashes);
  RETURN NULL;
END $$;
CREATE TRIGGER chaos_new_worker AFTER INSERT ON worker FOR EACH ROW EXECUTE FUNCTION chaos_new_worker();
CREATE TRIGGER chaos_job AFTER UPDATE ON job FOR EACH ROW
  WHEN (NEW.epoch <> OLD.epoch OR NEW.step <> OLD.step) EXECUTE FUNCTION chaos_job();";

/// One step of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    at: i64,
    job: Uuid,
    epoch: i64,
    state: State,
    step: Step,
    holder: Option<Uuid>,
    crashes: i64,
}

impl FromQueryResult for Mark {
    fn from_query_result(row: &sea_orm::QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            at: row.try_get(prefix, "at")?,
            job: row.try_get(prefix, "job")?,
            epoch: row.try_get(prefix, "epoch")?,
            state: State::try_from_value(&row.try_get(prefix, "state")?)?,
            step: Step::try_from_value(&row.try_get(prefix, "step")?)?,
            holder: Option::<Uuid>::try_get(row, prefix, "holder")?,
            crashes: row.try_get(prefix, "crashes")?,
        })
    }
}

/// Lets the database keep the history.
pub(super) async fn keep(db: &DatabaseConnection) -> Result<()> {
    let statements = if db.get_database_backend() == DbBackend::Sqlite { SQLITE } else { POSTGRES };
    db.execute_unprepared(statements).await?;
    Ok(())
}

/// What befell the jobs.
pub(super) async fn sightings(db: &DatabaseConnection, strikes: &[Strike], calm: &Calm) -> Result<Sightings> {
    let backend = db.get_database_backend();
    let names = db.query_all_raw(Statement::from_string(backend, "SELECT id, pid FROM chaos_worker")).await?;
    let names = names.iter().map(|row| Ok((row.try_get("", "id")?, row.try_get("", "pid")?)));
    let names = names.collect::<Result<HashMap<Uuid, i64>, DbErr>>()?;
    let columns = "SELECT at, job, epoch, state, step, holder, crashes FROM chaos_trail ORDER BY seq";
    let trail = Mark::find_by_statement(Statement::from_string(backend, columns)).all(db).await?;
    let mut of_job: HashMap<Uuid, Vec<&Mark>> = HashMap::new();
    for mark in &trail {
        of_job.entry(mark.job).or_default().push(mark);
    }
    let court = Court { strikes, names: &names, calm };
    let mut seen = Sightings::default();
    for marks in of_job.values() {
        court.follow(marks, &mut seen);
    }
    Ok(seen)
}

/// Says who was struck when.
struct Court<'a> {
    strikes: &'a [Strike],
    names: &'a HashMap<Uuid, i64>,
    calm: &'a Calm,
}

impl Court<'_> {
    /// The last blow that a worker got before a time.
    fn strike(&self, holder: Option<Uuid>, before: i64) -> Option<&Strike> {
        let pid = self.names.get(&holder?)?;
        self.strikes.iter().rfind(|strike| i64::from(strike.pid) == *pid && strike.at <= before)
    }

    fn follow(&self, marks: &[&Mark], seen: &mut Sightings) {
        for (index, mark) in marks.iter().enumerate() {
            let before = index.checked_sub(1).map(|index| marks[index]);
            let from = before.map_or(0, |before| before.epoch);
            let is_claim = mark.state == State::Running && mark.epoch > from;
            // I2: hands change one epoch at a time, and within an epoch not at all.
            let kept = before.is_none_or(|before| mark.epoch > before.epoch || mark.holder == before.holder);
            if !(from..=from + 1).contains(&mark.epoch) || !kept {
                seen.broken_fences.push(format!("{}: from {before:?} to {mark:?}", mark.job));
            }
            let taken_over = before.filter(|before| mark.crashes > before.crashes && mark.epoch > before.epoch);
            if let Some(before) = taken_over {
                self.taken_over(before, mark, marks.get(index + 1).copied(), seen);
            } else if before.is_some_and(|before| before.state == State::Running) && is_claim {
                seen.broken_fences.push(format!("{}: claimed while another had it: {mark:?}", mark.job));
            }
        }
        let Some(last) = marks.last().filter(|last| last.state == State::Running) else { return };
        let dead = self.strike(last.holder, i64::MAX).is_some_and(|strike| strike.blow == Blow::Killed);
        seen.still_held += usize::from(dead);
    }

    /// A job that was taken from its worker, and perhaps claimed again.
    fn taken_over(&self, before: &Mark, free: &Mark, claimed: Option<&Mark>, seen: &mut Sightings) {
        let strike = self.strike(before.holder, free.at);
        let blow = strike.map_or(Blow::None, |strike| strike.blow);
        // The step that it was taken in: it may have come to it in the same commit.
        seen.hurt.insert(Hurt { job: before.job, epoch: before.epoch, step: free.step, blow });
        let Some(strike) = strike.filter(|strike| strike.blow == Blow::Killed) else { return };
        let after = |at: i64| std::time::Duration::from_millis(u64::try_from(at - strike.at).unwrap_or(0));
        if !self.calm.between(strike.at, free.at) {
            seen.disturbed.push(after(free.at));
            return;
        }
        seen.freed.push(after(free.at));
        if let Some(claimed) = claimed.filter(|mark| mark.state == State::Running) {
            seen.resumed.push(after(claimed.at));
        }
    }
}
