//! Small servers for this crate's tests: HTTP by hand, so that every byte on the wire can be chosen.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// What the server does next.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Send(Bytes),
    /// Waits until the client goes away.
    Hang,
    /// Ends the connection.
    Close,
}

/// A server, and what it has seen.
pub(crate) struct Served {
    pub(crate) addr: SocketAddr,
    requests: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    left: Arc<Notify>,
}

impl Served {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Waits until a client has gone away while the server was hanging.
    pub(crate) async fn client_left(&self) {
        self.left.notified().await;
    }
}

/// Serves on a free port of the address; `answer` chooses what follows each request.
pub(crate) async fn serve(ip: &str, answer: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) -> Served {
    let listener = TcpListener::bind((ip, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let served = Served { addr, requests: Arc::default(), connections: Arc::default(), left: Arc::default() };
    let (requests, connections) = (Arc::clone(&served.requests), Arc::clone(&served.connections));
    let (left, answer) = (Arc::clone(&served.left), Arc::new(answer));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::SeqCst);
            let (requests, answer, left) = (Arc::clone(&requests), Arc::clone(&answer), Arc::clone(&left));
            tokio::spawn(async move {
                while let Some(seen) = read_request(&mut stream).await {
                    let steps = answer(&seen);
                    requests.lock().unwrap().push(seen);
                    if !play(&mut stream, steps, &left).await {
                        return;
                    }
                }
            });
        }
    });
    served
}

/// Plays the steps; false when the connection is over.
async fn play(stream: &mut TcpStream, steps: Vec<Step>, left: &Notify) -> bool {
    for step in steps {
        match step {
            Step::Send(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    left.notify_one();
                    return false;
                }
            }
            Step::Hang => {
                let _ = stream.read(&mut [0; 1]).await;
                left.notify_one();
                return false;
            }
            Step::Close => return false,
        }
    }
    true
}

/// Reads a head and as much body as it announces.
pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let mut seen = Seen { head: String::from_utf8(head).unwrap(), body: Vec::new() };
    let length = seen.header("content-length").map_or(0, |text| text.parse().unwrap());
    seen.body.resize(length, 0);
    stream.read_exact(&mut seen.body).await.ok()?;
    Some(seen)
}

/// A whole response with its length.
pub(crate) fn response(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Vec<Step> {
    let body = body.into();
    let mut head = format!("HTTP/1.1 {status} Some\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    vec![Step::Send(head.into()), Step::Send(body)]
}

/// The head of a response whose body ends with the connection.
pub(crate) fn open_head(headers: &[(&str, &str)]) -> Step {
    let mut head = "HTTP/1.1 200 OK\r\nconnection: close\r\n".to_owned();
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    Step::Send(head.into())
}
