//! Changes of many jobs in few transactions: a commit waits for the disk, and many can wait for it together.

use std::time::Duration;

use grok2api_entity::connect::begin_write_first;
use grok2api_entity::job;
use sea_orm::{DatabaseConnection, DbBackend, DbErr, RuntimeErr, SqlErr};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use crate::apply::apply;
use crate::change::Change;
use crate::time::{in_time, now_ms};

/// Changes that may wait to be written (I7).
const WAITING: usize = 1024;
/// Changes of one transaction.
const BATCH: usize = 64;
/// Transactions that a database server runs side by side for us.
const LANES: usize = 2;
/// A change that the database refuses is tried this many times: two writers may have been in each other's way.
const TRIES: u32 = 3;
/// Pause before another try.
const PAUSE: Duration = Duration::from_millis(20);
/// Time that refused changes are tried for, one by one, while others wait behind them.
const ONE_BY_ONE: Duration = Duration::from_secs(5);

type Answer = Result<Option<job::Model>, WriteError>;

/// Why a change was not made.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the database does not take the change")]
pub struct WriteError(#[source] DbErr);

struct Waiting {
    change: Change,
    answer: oneshot::Sender<Answer>,
}

/// Takes changes and writes them. Clones share the lanes.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    lanes: Vec<mpsc::Sender<Waiting>>,
}

impl Writer {
    /// Starts writing to `db`. Ends when the last clone is gone and everything is written.
    pub(crate) fn start(db: &DatabaseConnection) -> Self {
        let lanes = match db.get_database_backend() {
            DbBackend::Sqlite => 1,
            _ => LANES,
        };
        let start = |_| {
            let (sender, receiver) = mpsc::channel(WAITING);
            tokio::spawn(write_all(db.clone(), receiver));
            sender
        };
        Self { lanes: (0..lanes).map(start).collect() }
    }

    /// Makes a change of a job that belongs to `request`. Answers the row as it then is; `None` when the job had changed
    /// hands. An error says that the change may not have been made: it can be made again.
    pub(crate) async fn write(&self, change: Change, request: Option<Uuid>) -> Answer {
        // The jobs of one request go one way, so that they do not wait for each other's transactions.
        let key = request.unwrap_or_else(|| change.id()).as_u128();
        let lane = usize::try_from(key % self.lanes.len() as u128).unwrap_or(0);
        let (answer, answered) = oneshot::channel();
        let gone = || WriteError(DbErr::Custom("the writer has ended".to_owned()));
        self.lanes[lane].send(Waiting { change, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

async fn write_all(db: DatabaseConnection, mut receiver: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut batch, BATCH).await > 0 {
        // Whoever asked may be gone: nobody has use for a job that is claimed for nobody.
        batch.retain(|waiting| !matches!(waiting.change, Change::Claim { .. }) || !waiting.answer.is_closed());
        if batch.is_empty() {
            continue;
        }
        let changes: Vec<&Change> = batch.iter().map(|waiting| &waiting.change).collect();
        match write_together(&db, &changes).await {
            Ok(rows) => {
                for (waiting, row) in batch.drain(..).zip(rows) {
                    let _ = waiting.answer.send(Ok(row));
                }
            }
            Err(error) if is_refusal(&error) => write_each(&db, &mut batch).await,
            Err(error) => {
                for waiting in batch.drain(..) {
                    let _ = waiting.answer.send(Err(WriteError(error.clone())));
                }
            }
        }
    }
}

/// One that cannot be written must not take the others along.
async fn write_each(db: &DatabaseConnection, batch: &mut Vec<Waiting>) {
    let until = Instant::now() + ONE_BY_ONE;
    for waiting in batch.drain(..) {
        let answer = write_one(db, &waiting.change, until).await;
        let _ = waiting.answer.send(answer.map_err(WriteError));
    }
}

async fn write_one(db: &DatabaseConnection, change: &Change, until: Instant) -> Result<Option<job::Model>, DbErr> {
    let mut tried = 0;
    loop {
        tried += 1;
        match write_together(db, &[change]).await {
            Ok(rows) => return Ok(rows.into_iter().next().flatten()),
            Err(error) if tried < TRIES && Instant::now() < until && may_pass(&error) => {
                tokio::time::sleep(PAUSE * tried).await;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn write_together(db: &DatabaseConnection, changes: &[&Change]) -> Result<Vec<Option<job::Model>>, DbErr> {
    in_time(async {
        // Many changes at once: whoever comes with one waits behind them.
        let tx = begin_write_first(db).await?;
        let rows = apply(&*tx, changes, now_ms()).await?;
        tx.commit().await?;
        Ok(rows)
    })
    .await
}

/// Whether the same may be taken a moment later.
fn may_pass(error: &DbErr) -> bool {
    is_refusal(error) && !matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// Whether the database answered, and refused what it was asked: asking for less may help.
pub(crate) fn is_refusal(error: &DbErr) -> bool {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => {
            cause.as_database_error().is_some()
        }
        DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => false,
        _ => true,
    }
}
