//! A balancer as small as can be: each connection goes to one of the processes whose `/readyz` answers 200, in turn.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How often processes are asked.
const EVERY: Duration = Duration::from_millis(100);

/// A balancer; dropped, it and its connections end.
#[derive(Debug)]
pub struct Balancer {
    address: SocketAddr,
    processes: Arc<Processes>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Processes {
    addresses: Vec<SocketAddr>,
    ready: Vec<AtomicBool>,
    turn: AtomicUsize,
}

impl Balancer {
    /// A balancer before processes that need not run yet; clients come to `listener`.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn before(listener: TcpListener, addresses: Vec<SocketAddr>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let ready = addresses.iter().map(|_| AtomicBool::new(false)).collect();
        let processes = Arc::new(Processes { addresses, ready, turn: AtomicUsize::new(0) });
        let mut tasks = JoinSet::new();
        for number in 0..processes.addresses.len() {
            tasks.spawn(keep_asking(Arc::clone(&processes), number));
        }
        tasks.spawn(serve(listener, Arc::clone(&processes)));
        Ok(Self { address, processes, _tasks: tasks })
    }

    /// Where clients come in.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether a process gets connections.
    pub fn is_ready(&self, number: usize) -> bool {
        self.processes.ready[number].load(Ordering::Relaxed)
    }
}

async fn keep_asking(processes: Arc<Processes>, number: usize) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tick.tick().await;
        let answer = tokio::time::timeout(Duration::from_secs(2), ask(processes.addresses[number])).await;
        processes.ready[number].store(matches!(answer, Ok(Ok(true))), Ordering::Relaxed);
    }
}

async fn ask(address: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: balancer\r\nConnection: close\r\n\r\n").await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    Ok(&head == b"HTTP/1.1 200")
}

async fn serve(listener: TcpListener, processes: Arc<Processes>) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let processes = Arc::clone(&processes);
        connections.spawn(async move {
            let Some(mut server) = processes.connect().await else { return };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

impl Processes {
    /// A connection to the next process that is ready and takes it.
    async fn connect(&self) -> Option<TcpStream> {
        // One turn for each connection: others take theirs meanwhile.
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        for further in 0..self.addresses.len() {
            let number = (first + further) % self.addresses.len();
            if self.ready[number].load(Ordering::Relaxed)
                && let Ok(stream) = TcpStream::connect(self.addresses[number]).await
            {
                return Some(stream);
            }
        }
        None
    }
}
