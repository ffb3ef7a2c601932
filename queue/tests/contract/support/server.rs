//! Servers of one test alone, to be hurt.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::wait_for;

/// A Redis that forgets everything when it dies.
pub(crate) struct OwnRedis {
    port: u16,
    child: Option<Child>,
}

impl OwnRedis {
    pub(crate) async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { port, child: None };
        server.restart().await;
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) async fn restart(&mut self) {
        let port = self.port.to_string();
        let child = Command::new("redis-server")
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        let client = redis::Client::open(self.url()).unwrap();
        wait_for("Redis to answer", async || client.get_multiplexed_async_connection().await.is_ok()).await;
    }

    /// Kills it. Nothing was saved.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How a [`Line`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quality {
    /// It works.
    Good,
    /// Whatever is sent stays on its way.
    Silent,
    /// It is cut, and cannot be taken up again.
    Cut,
}

/// A line to a server that can be made worse.
pub(crate) struct Line {
    pub(crate) port: u16,
    quality: watch::Sender<Quality>,
    /// Connections that were refused, or came while it was silent.
    pub(crate) in_vain: Arc<AtomicUsize>,
}

impl Line {
    pub(crate) async fn to(server: &'static str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (quality, watching) = watch::channel(Quality::Good);
        let in_vain = Arc::new(AtomicUsize::new(0));
        let vain = Arc::clone(&in_vain);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *watching.borrow() != Quality::Good {
                    vain.fetch_add(1, Ordering::SeqCst);
                }
                if *watching.borrow() != Quality::Cut {
                    tokio::spawn(carry(client, server, watching.clone()));
                }
            }
        });
        Self { port, quality, in_vain }
    }

    pub(crate) fn becomes(&self, quality: Quality) {
        self.quality.send_replace(quality);
    }
}

async fn carry(client: TcpStream, server: &'static str, mut quality: watch::Receiver<Quality>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let (up, down) = (quality.clone(), quality.clone());
    tokio::select! {
        () = pass(from_client, to_server, up) => {}
        () = pass(from_server, to_client, down) => {}
        _ = quality.wait_for(|quality| *quality == Quality::Cut) => {}
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut quality: watch::Receiver<Quality>,
) {
    let mut buffer = [0; 16 * 1024];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        if quality.wait_for(|quality| *quality == Quality::Good).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
