//! Bringing a database to the newest schema, once, whoever else tries at the same time.

use std::collections::BTreeSet;

use sea_orm::sea_query::Query;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait,
};
use sea_orm_migration::{MigratorTrait, SchemaManager, seaql_migrations};

use crate::Migrator;

/// The lock that keeps two processes from migrating at once; any number no one else uses.
const LOCK: i64 = 0x6732_6170_6901;

/// Why the schema cannot be brought up.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database was used by a newer release.
    #[error(
        "the database was made by a newer release (it has {}): run that release, or restore a backup of before the upgrade",
        .names.join(", ")
    )]
    Newer {
        /// The steps this release does not know.
        names: Vec<String>,
    },
    /// Another process holds the lock for too long.
    #[error("another process is bringing up the same database and does not finish: try again later")]
    Busy,
    /// The database refused a step.
    #[error("the database refused")]
    Database(#[source] DbErr),
}

/// One step and whether it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Name of the step.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
}

/// Whether the database has all steps and no unknown ones: one read, no write.
///
/// # Errors
/// When the database has steps this release does not know, or does not answer.
pub async fn is_current(db: &DatabaseConnection) -> Result<bool, MigrateError> {
    // A fresh database has no table of steps; asking the catalogue first would cost every start a query.
    let applied = match applied(db).await {
        Ok(applied) => applied,
        Err(_) => applied_by_catalogue(db).await.map_err(MigrateError::Database)?,
    };
    Ok(steps(&applied)?.iter().all(|step| step.applied))
}

/// All steps, and which of them the database has. Writes nothing.
///
/// # Errors
/// As [`is_current`].
pub async fn status(db: &DatabaseConnection) -> Result<Vec<Step>, MigrateError> {
    steps(&applied_by_catalogue(db).await.map_err(MigrateError::Database)?)
}

/// Takes the missing steps; returns how many there were.
///
/// Several processes may do this at once: one works, the others wait and find nothing to do. On `SQLite` and
/// `PostgreSQL` a failed step leaves the database as it was.
///
/// # Errors
/// As [`is_current`], and when a step fails or another process does not finish.
pub async fn bring_up(db: &DatabaseConnection) -> Result<usize, MigrateError> {
    if is_current(db).await? {
        return Ok(0);
    }
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let work = db.begin_with_options(options).await.map_err(MigrateError::Database)?;
    lock(&work).await?;
    let outcome = take_steps(&work).await;
    unlock(&work).await.map_err(MigrateError::Database)?;
    let taken = outcome?;
    work.commit().await.map_err(MigrateError::Database)?;
    Ok(taken)
}

async fn take_steps(work: &DatabaseTransaction) -> Result<usize, MigrateError> {
    let pending = Migrator::get_pending_migrations(work).await.map_err(MigrateError::Database)?.len();
    Migrator::up(work, None).await.map_err(MigrateError::Database)?;
    Ok(pending)
}

/// Keeps others out: `SQLite` by the write transaction itself, the servers by a named lock.
async fn lock(work: &DatabaseTransaction) -> Result<(), MigrateError> {
    let backend = work.get_database_backend();
    match backend {
        DbBackend::Postgres => {
            let sql = format!("SELECT pg_advisory_xact_lock({LOCK})");
            work.execute_raw(Statement::from_string(backend, sql)).await.map_err(MigrateError::Database)?;
        }
        DbBackend::MySql => {
            let sql = "SELECT GET_LOCK('grok2api.migration', 60) AS taken";
            let row = work.query_one_raw(Statement::from_string(backend, sql)).await.map_err(MigrateError::Database)?;
            let taken = row.map(|row| row.try_get::<Option<i64>>("", "taken")).transpose();
            if taken.map_err(MigrateError::Database)?.flatten() != Some(1) {
                return Err(MigrateError::Busy);
            }
        }
        _ => {}
    }
    Ok(())
}

async fn unlock(work: &DatabaseTransaction) -> Result<(), DbErr> {
    let backend = work.get_database_backend();
    if backend == DbBackend::MySql {
        let sql = "SELECT RELEASE_LOCK('grok2api.migration')";
        work.query_one_raw(Statement::from_string(backend, sql)).await?;
    }
    Ok(())
}

async fn applied(db: &DatabaseConnection) -> Result<BTreeSet<String>, DbErr> {
    let select = Query::select().column(seaql_migrations::Column::Version).from(seaql_migrations::Entity).take();
    db.query_all(&select).await?.iter().map(|row| row.try_get("", "version")).collect()
}

async fn applied_by_catalogue(db: &DatabaseConnection) -> Result<BTreeSet<String>, DbErr> {
    if SchemaManager::new(db).has_table("seaql_migrations").await? { applied(db).await } else { Ok(BTreeSet::new()) }
}

fn steps(applied: &BTreeSet<String>) -> Result<Vec<Step>, MigrateError> {
    let known: Vec<String> = Migrator::migrations().iter().map(|step| step.name().to_owned()).collect();
    let names: Vec<String> = applied.iter().filter(|name| !known.contains(name)).cloned().collect();
    if !names.is_empty() {
        return Err(MigrateError::Newer { names });
    }
    Ok(known.into_iter().map(|name| Step { applied: applied.contains(&name), name }).collect())
}
