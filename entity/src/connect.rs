//! Opening the database.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};

/// Longest wait for a free connection: a database in trouble must not hold requests up (F36).
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(1);
/// Connections to a database file: one can write at a time, the others read.
const FILE_CONNECTIONS: u32 = 4;
/// Connections to a database server.
const SERVER_CONNECTIONS: u32 = 10;

/// A transaction in which nothing happens for this long, in milliseconds, belongs to a process that stands still: it must
/// not keep its locks from those who take over (F8).
const FORSAKEN: &str = "5000";

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
                .busy_timeout(Duration::from_secs(5))
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
        .map_sqlx_postgres_opts(|postgres| postgres.options([("idle_in_transaction_session_timeout", FORSAKEN)]));
    Database::connect(options).await.map_err(ConnectError::Refused)
}

/// Begins a transaction that will write, holding the write lock from the start.
///
/// A transaction that reads first and wants to write later fails at once on `SQLite` when another one was faster.
///
/// # Errors
/// When the database does not answer, or another writer holds on for longer than five seconds.
pub async fn begin_write(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    db.begin_with_options(options).await
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
