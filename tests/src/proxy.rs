//! A way to a server that can be slowed down, blocked or cut, as networks are.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It arrives.
    Open,
    /// Each piece arrives so much later.
    Slow(Duration),
    /// Connections stand and nothing arrives, until the way is open again.
    Blocked,
    /// Connections end, and new ones end at once.
    Cut,
}

/// A way to a server; dropped, it is cut.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    way: watch::Sender<Way>,
    _serving: JoinSet<()>,
}

impl Proxy {
    /// An open way to `target`.
    ///
    /// # Errors
    /// No port is free.
    pub async fn to(target: &str) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (way, watching) = watch::channel(Way::Open);
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, target.to_owned(), watching));
        Ok(Self { address, way, _serving: serving })
    }

    /// Where it is entered, as `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Changes it, for connections that stand as well.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn serve(listener: TcpListener, target: String, way: watch::Receiver<Way>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(connect(client, target.clone(), way.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn connect(client: TcpStream, target: String, mut way: watch::Receiver<Way>) -> io::Result<()> {
    passable(&mut way).await?;
    let mut server = TcpStream::connect(target).await?;
    let mut client = client;
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.split(), server.split());
    let mut back = way.clone();
    tokio::select! {
        there = carry(&mut from_client, &mut to_server, &mut way) => there,
        here = carry(&mut from_server, &mut to_client, &mut back) => here,
    }
}

async fn carry(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    way: &mut watch::Receiver<Way>,
) -> io::Result<()> {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let cut = async {
            let _ = way.clone().wait_for(|way| *way == Way::Cut).await;
        };
        let length = tokio::select! {
            read = from.read(&mut piece) => read?,
            () = cut => return Err(io::ErrorKind::ConnectionReset.into()),
        };
        if length == 0 {
            return to.shutdown().await;
        }
        passable(way).await?;
        to.write_all(&piece[..length]).await?;
    }
}

/// Waits until something may pass.
async fn passable(way: &mut watch::Receiver<Way>) -> io::Result<()> {
    let now = *way.wait_for(|way| *way != Way::Blocked).await.map_err(|_| io::ErrorKind::ConnectionReset)?;
    match now {
        Way::Slow(by) => tokio::time::sleep(by).await,
        Way::Cut => return Err(io::ErrorKind::ConnectionReset.into()),
        Way::Open | Way::Blocked => {}
    }
    Ok(())
}
