//! What changed in the database file and is not in the mirror yet.

use grok2api_entity::connect::begin_write;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement, Value};

use super::subject::{self, Subject};

/// Fact: which installation this is, wherever its data folder lies.
pub(super) const INSTALLATION: &str = "installation";
/// Fact: which data folder this is. It is never copied.
pub(super) const FOLDER: &str = "folder";
/// Fact: the state of the mirror as this folder left it: how many writes led to it, and who made the last one.
pub(super) const STATE: &str = "state";

/// Numbers are never used again, so that what changes once more while it is sent stays noted.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS mirror_change (
        number INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL, row TEXT NOT NULL, UNIQUE (subject, row));
    CREATE TABLE IF NOT EXISTS mirror_fact (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL)";

/// A row that changed, came or went.
#[derive(Debug, Clone)]
pub(super) struct Changed {
    pub(super) number: i64,
    pub(super) subject: Subject,
    pub(super) row: String,
}

/// Prepares the database file to note changes, from now on and in every mode.
pub(super) async fn set_up(db: &DatabaseConnection) -> Result<(), DbErr> {
    let tx = begin_write(db).await?;
    for statement in TABLES.split(';') {
        tx.execute_unprepared(statement).await?;
    }
    for subject in subject::ALL {
        for (event, row, when) in subject.triggers() {
            let (name, id) = (subject.name(), subject.id_in(row));
            let event_name = event.to_lowercase();
            // No `OR REPLACE`: the statement that fires a trigger may bring a rule of its own, which would win.
            let trigger = format!(
                "CREATE TRIGGER IF NOT EXISTS mirror_{name}_{event_name} AFTER {event} ON {name} {when} BEGIN
                    DELETE FROM mirror_change WHERE subject = '{name}' AND row = {id};
                    INSERT INTO mirror_change (subject, row) VALUES ('{name}', {id});
                END"
            );
            tx.execute_unprepared(&trigger).await?;
        }
    }
    tx.commit().await
}

/// The oldest changes.
pub(super) async fn page(db: &impl ConnectionTrait, limit: u64) -> Result<Vec<Changed>, DbErr> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = db
        .query_all_raw(with("SELECT number, subject, row FROM mirror_change ORDER BY number LIMIT ?", [limit.into()]))
        .await?;
    rows.iter()
        .map(|row| {
            let name: String = row.try_get("", "subject")?;
            let subject = Subject::parse(&name).ok_or_else(|| DbErr::Type(format!("mirror_change of {name}")))?;
            Ok(Changed { number: row.try_get("", "number")?, subject, row: row.try_get("", "row")? })
        })
        .collect()
}

/// The number of the latest change that was not sent.
pub(super) async fn newest(db: &impl ConnectionTrait) -> Result<Option<i64>, DbErr> {
    let row = db.query_one_raw(with("SELECT MAX(number) AS number FROM mirror_change", [])).await?;
    row.map_or(Ok(None), |row| row.try_get("", "number"))
}

/// These changes are in the mirror, whose state is this one now.
pub(super) async fn sent(db: &DatabaseConnection, changes: &[Changed], state: &str) -> Result<(), DbErr> {
    let (Some(first), Some(last)) = (changes.first(), changes.last()) else { return Ok(()) };
    let tx = begin_write(db).await?;
    // A page has all changes between its first and its last: later ones have higher numbers.
    let gone = "DELETE FROM mirror_change WHERE number BETWEEN ? AND ?";
    tx.execute_raw(with(gone, [first.number.into(), last.number.into()])).await?;
    set_fact(&*tx, STATE, state).await?;
    tx.commit().await
}

/// All changes up to this one are in the mirror, whose state is this one now.
pub(super) async fn sent_until(db: &DatabaseConnection, newest: Option<i64>, state: &str) -> Result<(), DbErr> {
    let tx = begin_write(db).await?;
    if let Some(newest) = newest {
        tx.execute_raw(with("DELETE FROM mirror_change WHERE number <= ?", [newest.into()])).await?;
    }
    set_fact(&*tx, STATE, state).await?;
    tx.commit().await
}

/// Forgets all changes: the rows were read from the mirror.
pub(super) async fn forget(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    db.execute_unprepared("DELETE FROM mirror_change").await.map(drop)
}

/// A fact about this data folder.
pub(super) async fn fact(db: &impl ConnectionTrait, name: &str) -> Result<Option<String>, DbErr> {
    let row = db.query_one_raw(with("SELECT value FROM mirror_fact WHERE name = ?", [name.into()])).await?;
    row.map_or(Ok(None), |row| row.try_get("", "value").map(Some))
}

/// Writes a fact, whatever was there.
pub(super) async fn set_fact(db: &impl ConnectionTrait, name: &str, value: &str) -> Result<(), DbErr> {
    let set =
        "INSERT INTO mirror_fact (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    db.execute_raw(with(set, [name.into(), value.into()])).await.map(drop)
}

fn with(sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)
}
