//! The hostile connections: each is opened again as soon as it is closed.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::load::Spread;

/// Between the bytes of a slow header.
const DRIP: Duration = Duration::from_secs(3);
/// Between the bytes by which a deaf client finds out whether the server is still there.
const PROBE: Duration = Duration::from_secs(2);
/// Time over which the connections are opened first.
const RAMP: Duration = Duration::from_secs(5);
/// After a failure to connect.
const PAUSE: Duration = Duration::from_secs(1);
/// Requests that a deaf client sends at once, far more than the system keeps answers for.
const QUESTIONS: usize = 400;

/// How many connections, and for how long.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Whom to besiege: a server on this machine.
    #[arg(long)]
    addr: SocketAddr,
    #[arg(long)]
    slow: usize,
    #[arg(long)]
    deaf: usize,
    #[arg(long)]
    secs: u64,
}

/// What became of the connections.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Milliseconds from the connection to its end, of slow headers.
    pub(crate) slow: Spread,
    /// The same, of those that never read.
    pub(crate) deaf: Spread,
    /// Connections that were open when the time was over.
    pub(crate) open: usize,
    /// Milliseconds that the oldest of these was open: a slow header, and one that never reads.
    pub(crate) oldest_open: (u32, u32),
    /// Connections that could not be opened.
    pub(crate) failed: usize,
}

/// A kind of hostile client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Slow,
    Deaf,
}

/// What became of one connection.
#[derive(Debug, Clone, Copy)]
enum End {
    Closed(Kind, Duration),
    Open(Kind, Duration),
    Failed,
}

/// Opens all, says so, keeps them up until the time is over, and reports as one line of JSON.
pub(crate) async fn command(options: Options) -> anyhow::Result<()> {
    anyhow::ensure!(options.addr.ip().is_loopback(), "only servers on this machine are besieged");
    let (told, mut ends) = mpsc::channel(1024);
    let end = Instant::now() + RAMP + Duration::from_secs(options.secs);
    let all = options.slow + options.deaf;
    for number in 0..all {
        let kind = if number < options.slow { Kind::Slow } else { Kind::Deaf };
        let delay = RAMP.mul_f64(crate::run::float(u64::try_from(number)?) / crate::run::float(u64::try_from(all)?));
        tokio::spawn(keep_up(kind, options.addr, number, delay, end, told.clone()));
    }
    drop(told);
    tokio::spawn(async {
        tokio::time::sleep(RAMP).await;
        // Nobody listens any more when this fails.
        let _ = writeln!(std::io::stdout(), "laid").and_then(|()| std::io::stdout().flush());
    });
    let (mut slow, mut deaf, mut seen) = (Vec::new(), Vec::new(), Seen::default());
    while let Some(end) = ends.recv().await {
        match end {
            End::Closed(kind, after) => {
                let times = if kind == Kind::Slow { &mut slow } else { &mut deaf };
                times.push(u32::try_from(after.as_millis())?);
            }
            End::Open(kind, since) => {
                seen.open += 1;
                let oldest = if kind == Kind::Slow { &mut seen.oldest_open.0 } else { &mut seen.oldest_open.1 };
                *oldest = (*oldest).max(u32::try_from(since.as_millis())?);
            }
            End::Failed => seen.failed += 1,
        }
    }
    seen.slow = Spread::of(slow);
    seen.deaf = Spread::of(deaf);
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&seen)?)?;
    Ok(())
}

async fn keep_up(kind: Kind, addr: SocketAddr, number: usize, delay: Duration, end: Instant, told: mpsc::Sender<End>) {
    tokio::time::sleep(delay).await;
    while Instant::now() < end {
        let Ok(socket) = connect(addr, number).await else {
            told.send(End::Failed).await.ok();
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let opened = Instant::now();
        let closed = async {
            match kind {
                Kind::Slow => drip(socket).await,
                Kind::Deaf => ask(socket).await,
            }
        };
        let outcome = match tokio::time::timeout_at(end, closed).await {
            Ok(()) => End::Closed(kind, opened.elapsed()),
            Err(_) => End::Open(kind, opened.elapsed()),
        };
        told.send(outcome).await.ok();
    }
}

/// From one of several addresses: one has not enough ports for a long siege.
async fn connect(addr: SocketAddr, number: usize) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let host = u8::try_from(number % 8).unwrap_or(0) + 2;
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, host)), 0))?;
    socket.connect(addr).await
}

/// Until the server ends it.
async fn drip(mut socket: TcpStream) {
    if socket.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\nx: ").await.is_err() {
        return;
    }
    let mut byte = [0];
    loop {
        match tokio::time::timeout(DRIP, socket.read(&mut byte)).await {
            Ok(Ok(1..)) => {}
            Ok(Ok(0) | Err(_)) => return,
            Err(_silence) => {
                if socket.write_all(b"a").await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Until the server cuts it: nothing is ever read. A server whose system gave up in silence is found out by a byte.
async fn ask(mut socket: TcpStream) {
    let questions = "GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n".repeat(QUESTIONS);
    if socket.write_all(questions.as_bytes()).await.is_err() {
        return;
    }
    while tokio::time::timeout(PROBE, socket.ready(Interest::ERROR)).await.is_err() {
        match socket.try_write(b"G") {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
