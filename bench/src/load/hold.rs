//! Opens streams that wait, and holds them until it is told to let go.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::sync::{mpsc, watch};

use super::body::Framing;
use super::connection::Connection;
use super::dialect;
use super::lane::{Plan, Seen};
use super::options::Options;
use super::report::Report;

/// Streams are let go after this time even if nobody says so.
const LONGEST: Duration = Duration::from_mins(4);

/// Opens all lanes, prints how many are open, waits for the end of standard input, and reports.
pub(crate) async fn run(plan: &Arc<Plan>, options: &Options) -> anyhow::Result<Report> {
    let (opened, mut opening) = mpsc::channel(options.lanes.max(1));
    let (let_go, held) = watch::channel(false);
    let mut lanes = tokio::task::JoinSet::new();
    for number in 0..options.lanes {
        lanes.spawn(lane(Arc::clone(plan), number, options.delay_of(number), opened.clone(), held.clone()));
    }
    drop(opened);
    let mut open: u64 = 0;
    for _ in 0..options.lanes {
        open += u64::from(opening.recv().await == Some(true));
    }
    writeln!(std::io::stdout(), "open {open}")?;
    std::io::stdout().flush()?;
    let input_ended = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    let _ = tokio::time::timeout(LONGEST, input_ended).await; // either way they are let go now
    let_go.send(true).ok();
    let mut seen = Seen::default();
    while let Some(lane) = lanes.join_next().await {
        if let Err(error) = lane.context("a lane has panicked")? {
            seen.error(&error);
        }
    }
    Ok(Report { open, ..seen.report() })
}

/// One stream: open when its first token is there, and still open when it is let go.
async fn lane(
    plan: Arc<Plan>,
    number: usize,
    delay: Duration,
    opened: mpsc::Sender<bool>,
    mut held: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    tokio::time::sleep(delay).await;
    let limit = Duration::from_secs(plan.options.timeout_secs);
    let first = tokio::time::timeout(limit, open(&plan, number)).await.context("no first token in time").flatten();
    opened.send(first.is_ok()).await.ok();
    let mut connection = first?;
    let mut heard: usize = 0;
    loop {
        tokio::select! {
            _ = held.wait_for(|let_go| *let_go) => return Ok(()),
            read = connection.read() => read.context("a waiting stream has ended")?,
        }
        heard += connection.buffer.len(); // a sign of life, which the client ignores
        ensure!(heard < 1 << 20, "a waiting stream does not wait");
        connection.buffer.clear();
    }
}

async fn open(plan: &Plan, number: usize) -> anyhow::Result<Connection> {
    let mut connection = Connection::open(plan.options.addr).await?;
    let request = dialect::request(&plan.options, number)?;
    connection.send(&request.bytes).await?;
    let head = connection.head().await?;
    ensure!(head.status == 200, "status {}", head.status);
    let mut framing = Framing::new(head.length);
    let mut check = plan.expected.check();
    loop {
        let used = framing.take(&connection.buffer, |bytes| check.take(bytes))?;
        connection.buffer.drain(..used);
        if check.tokens > 0 {
            connection.buffer = Vec::new();
            return Ok(connection);
        }
        connection.read().await?;
    }
}
