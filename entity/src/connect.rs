//! Opening the database.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use sea_orm::sqlx::Executor;
use sea_orm::{
    ConnAcquireErr, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr, IsolationLevel, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Longest wait for a free connection: a database in trouble must not hold requests up (F35, F36).
const ACQUIRE_TIMEOUT: Duration = Duration::from_millis(900);
/// Longest wait for the lock of a database file (F37).
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections to a database file: one can write at a time, the others read.
const FILE_CONNECTIONS: u32 = 4;
/// Connections to a database server.
const SERVER_CONNECTIONS: u32 = 10;

/// A transaction in which nothing happens for this long, in milliseconds, belongs to a process that stands still: its locks
/// must be gone before others take it for dead and go on with its jobs (F8).
const FORSAKEN: &str = "2000";
/// The same for `MariaDB`, in seconds. `MySQL` has no such limit: it takes the middle for a comment.
const FORSAKEN_MARIADB: &str = "SET @grok2api = 1 /*M!100300 , SESSION idle_transaction_timeout = 2 */";

/// Takes that limit away again.
const PATIENT_MARIADB: &str = "SET @grok2api = 1 /*M!100300 , SESSION idle_transaction_timeout = 0 */";

/// Why the database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The file cannot be made or opened.
    #[error("cannot open the database {}: check that the directory belongs to the user who runs this program", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The database does not accept us.
    #[error("cannot open the database")]
    Refused(#[source] DbErr),
}

/// Opens the database file `path`, making it (readable for its owner only) and its directory if need be.
///
/// Commits wait until the disk has them (`synchronous=FULL`): what was answered with success is never lost (F39). The
/// price is one `fsync` a commit, and commits are rare: usage is written in batches, never on the way of a request.
///
/// # Errors
/// When the file cannot be made, is no database, or is locked for longer than five seconds.
pub async fn file(path: &Path) -> Result<DatabaseConnection, ConnectError> {
    make_private_file(path).map_err(|source| ConnectError::File { path: path.to_owned(), source })?;
    let mut options = ConnectOptions::new("sqlite:grok2api.db");
    let path = path.to_owned();
    quiet(&mut options)
        .max_connections(FILE_CONNECTIONS)
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            sqlite
                .filename(&path)
                .busy_timeout(LOCK_TIMEOUT)
                .foreign_keys(true)
                .pragma("journal_mode", "WAL")
                .pragma("synchronous", "FULL")
        });
    Database::connect(options).await.map_err(ConnectError::Refused)
}

/// Connects to a database server; `url` begins with `postgres://` or `mysql://`.
///
/// # Errors
/// When the server does not answer or accept us.
pub async fn server(url: &str) -> Result<DatabaseConnection, ConnectError> {
    let mut options = ConnectOptions::new(url);
    quiet(&mut options)
        .max_connections(SERVER_CONNECTIONS)
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .map_sqlx_postgres_opts(|postgres| postgres.options([("idle_in_transaction_session_timeout", FORSAKEN)]))
        .map_sqlx_mysql_pool_opts(|pool| {
            pool.after_connect(|connection, _| {
                Box::pin(async move { connection.execute(FORSAKEN_MARIADB).await.map(drop) })
            })
        });
    Database::connect(options).await.map_err(ConnectError::Refused)
}

/// Lets a transaction stand still between two statements for as long as it likes, where servers end those that do:
/// for whoever reads or writes everything, on a connection of its own that is closed afterwards.
///
/// # Errors
/// When the database does not answer.
pub async fn take_time(tx: &impl ConnectionTrait) -> Result<(), DbErr> {
    let patience = match tx.get_database_backend() {
        DbBackend::Postgres => "SET LOCAL idle_in_transaction_session_timeout = 0",
        DbBackend::MySql => PATIENT_MARIADB,
        _ => return Ok(()),
    };
    tx.execute_unprepared(patience).await.map(drop)
}

/// A transaction that writes. Dropped without [`Writing::commit`], nothing of it is written.
#[derive(Debug)]
pub struct Writing {
    transaction: DatabaseTransaction,
    _turn: Option<Turn>,
}

impl Writing {
    /// Writes everything.
    ///
    /// # Errors
    /// When the database does not answer or refuses. Whether everything or nothing is written is unknown if it did not
    /// answer.
    pub async fn commit(self) -> Result<(), DbErr> {
        self.transaction.commit().await
    }

    /// Writes nothing.
    ///
    /// # Errors
    /// When the database does not answer; nothing is written then either.
    pub async fn rollback(self) -> Result<(), DbErr> {
        self.transaction.rollback().await
    }
}

impl Deref for Writing {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.transaction
    }
}

/// Begins a transaction that will write, holding the write lock from the start.
///
/// A transaction that reads first and wants to write later fails at once on `SQLite` when another one was faster. There,
/// the writers of a process take turns, first come, first served, before they ask for a connection: those who wait keep
/// none from readers, and nobody waits for long while others come and go. On `MySQL` what others commit meanwhile is
/// seen, as it is elsewhere: what is counted after a lock was waited for must not be older than the lock.
///
/// # Errors
/// When the database does not answer, or other writers hold on for longer than five seconds.
pub async fn begin_write(db: &DatabaseConnection) -> Result<Writing, DbErr> {
    begin_in_turn(db, Place::InLine).await
}

/// As [`begin_write`], before all others but one: for the few whose delay would hold up everything, such as signs of life.
///
/// # Errors
/// As [`begin_write`].
pub async fn begin_write_first(db: &DatabaseConnection) -> Result<Writing, DbErr> {
    begin_in_turn(db, Place::First).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    InLine,
}

async fn begin_in_turn(db: &DatabaseConnection, place: Place) -> Result<Writing, DbErr> {
    let backend = db.get_database_backend();
    let turn = if backend == DbBackend::Sqlite {
        let turn = tokio::time::timeout(LOCK_TIMEOUT, Turns::of(db).take(place)).await;
        Some(turn.ok().flatten().ok_or(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?)
    } else {
        None
    };
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        isolation_level: (backend == DbBackend::MySql).then_some(IsolationLevel::ReadCommitted),
        ..TransactionOptions::default()
    };
    Ok(Writing { transaction: db.begin_with_options(options).await?, _turn: turn })
}

/// Who of this process writes to a file. One of the line waits for its turn at a time, so that those who may go first
/// wait for two at most.
#[derive(Debug)]
struct Turns {
    line: Semaphore,
    turn: Arc<Semaphore>,
}

impl Turns {
    fn of(db: &DatabaseConnection) -> Arc<Self> {
        static FILES: LazyLock<Mutex<HashMap<PathBuf, Weak<Turns>>>> = LazyLock::new(Mutex::default);

        let file = db.get_sqlite_connection_pool().connect_options().get_filename().to_owned();
        let mut files = FILES.lock();
        let known = files.get(&file).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let turns = Arc::new(Self { line: Semaphore::new(1), turn: Arc::new(Semaphore::new(1)) });
            files.retain(|_, others| others.strong_count() > 0);
            files.insert(file, Arc::downgrade(&turns));
            turns
        })
    }

    async fn take(self: Arc<Self>, place: Place) -> Option<Turn> {
        let in_line = match place {
            Place::First => None,
            Place::InLine => Some(self.line.acquire().await.ok()?),
        };
        let permit = Arc::clone(&self.turn).acquire_owned().await.ok()?;
        drop(in_line);
        Some(Turn { _permit: permit, _turns: self })
    }
}

/// A turn to write, until it is dropped. It keeps the line together.
#[derive(Debug)]
struct Turn {
    _permit: OwnedSemaphorePermit,
    _turns: Arc<Turns>,
}

/// Statements stay out of logs and traces: they carry stored data.
fn quiet(options: &mut ConnectOptions) -> &mut ConnectOptions {
    options.sqlx_logging(false).record_stmt_in_spans(false)
}

/// The journal beside the file takes over its permissions.
fn make_private_file(path: &Path) -> std::io::Result<()> {
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(dir)?;
    }
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}
