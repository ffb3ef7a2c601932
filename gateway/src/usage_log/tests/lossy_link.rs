//! A link to a database server that can be cut at the worst moment.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Bytes that both `PostgreSQL` and `MariaDB` clients send to commit.
const COMMIT: &[u8] = b"COMMIT";

/// Passes bytes on, until it is told not to.
pub(super) struct LossyLink {
    pub(super) address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

struct State {
    server: SocketAddr,
    loses_commit: AtomicBool,
    is_away: AtomicBool,
    /// One permit for each commit whose answer was lost.
    lost: Semaphore,
    /// One permit for each connection that was refused.
    refused: Semaphore,
}

impl LossyLink {
    pub(super) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            server,
            loses_commit: AtomicBool::new(false),
            is_away: AtomicBool::new(false),
            lost: Semaphore::new(0),
            refused: Semaphore::new(0),
        });
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if shared.is_away.load(Ordering::SeqCst) {
                    shared.refused.add_permits(1);
                    continue;
                }
                let state = Arc::clone(&shared);
                tokio::spawn(async move { state.pass(client).await });
            }
        });
        Self { address, state, accepting }
    }

    /// From now on the first commit is passed on, but not its answer, and nobody gets through any more.
    pub(super) fn lose_next_commit(&self) {
        self.state.loses_commit.store(true, Ordering::SeqCst);
    }

    /// Waits for a commit whose answer was lost.
    pub(super) async fn lost(&self) {
        self.state.lost.acquire().await.unwrap().forget();
    }

    /// Waits for so many connections that were refused.
    pub(super) async fn refused(&self, count: u32) {
        self.state.refused.acquire_many(count).await.unwrap().forget();
    }

    /// Lets everybody through again.
    pub(super) fn mend(&self) {
        self.state.is_away.store(false, Ordering::SeqCst);
    }
}

impl Drop for LossyLink {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl State {
    async fn pass(&self, mut client: TcpStream) {
        let mut server = TcpStream::connect(self.server).await.unwrap();
        let (mut up, mut down) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
        let mut committing = false;
        loop {
            tokio::select! {
                read = client.read(&mut up) => {
                    let Ok(read @ 1..) = read else { return };
                    committing = up[..read].windows(COMMIT.len()).any(|bytes| bytes == COMMIT)
                        && self.loses_commit.swap(false, Ordering::SeqCst);
                    if server.write_all(&up[..read]).await.is_err() {
                        return;
                    }
                }
                read = server.read(&mut down) => {
                    let Ok(read @ 1..) = read else { return };
                    if committing {
                        // The server has answered, so it has committed; the client never hears of it.
                        self.is_away.store(true, Ordering::SeqCst);
                        self.lost.add_permits(1);
                        return;
                    }
                    if client.write_all(&down[..read]).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}
