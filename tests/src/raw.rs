//! Connections of clients that no library would make: what is sent is what stands in the test.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;

/// Longest a test waits for anything on such a connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection.
#[derive(Debug)]
pub struct RawConnection {
    socket: TcpStream,
}

/// An answer as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawAnswer {
    /// Its status.
    pub status: u16,
    /// Everything before the body.
    pub head: String,
    /// Everything behind the head, up to the end of the connection.
    pub body: String,
}

impl RawConnection {
    /// Connects to the server at `url`.
    ///
    /// # Panics
    /// When it does not listen.
    pub async fn open(url: &str) -> Self {
        let address: Option<SocketAddr> = url.strip_prefix("http://").and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("{url} is no address"));
        let socket = TcpStream::connect(address).await.unwrap_or_else(|error| panic!("cannot connect: {error}"));
        Self { socket }
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The server has closed, or takes nothing.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        tokio::time::timeout(PATIENCE, self.socket.write_all(bytes.as_ref())).await?
    }

    /// Sends bytes, then reads to the end of the connection: the answer, if one came.
    ///
    /// # Panics
    /// When the connection does not end.
    pub async fn ask(mut self, bytes: impl AsRef<[u8]>) -> Option<RawAnswer> {
        // A server that has heard enough closes.
        let _ = self.send(bytes).await;
        let mut all = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.socket.read_to_end(&mut all)).await;
        assert!(read.is_ok(), "the connection does not end; so far: {}", String::from_utf8_lossy(&all));
        RawAnswer::parse(&String::from_utf8_lossy(&all))
    }

    /// Waits until the server has ended the connection in order, or cut it; reads what comes before.
    ///
    /// # Panics
    /// When it does not.
    pub async fn ended(&mut self) {
        let mut bytes = [0; 4096];
        let ended = async { while matches!(self.socket.read(&mut bytes).await, Ok(1..)) {} };
        assert!(tokio::time::timeout(PATIENCE, ended).await.is_ok(), "the connection does not end");
    }

    /// Waits until the server has cut the connection, without taking anything from it.
    ///
    /// # Panics
    /// When it does not.
    pub async fn cut(&self) {
        let cut = tokio::time::timeout(PATIENCE, self.socket.ready(Interest::ERROR)).await;
        assert!(cut.is_ok(), "the connection is not cut");
    }
}

impl RawAnswer {
    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() })
    }

    /// Asserts that it is an error in the shape of all errors, and its connection's last.
    ///
    /// # Panics
    /// When it is not.
    pub fn expect_error(&self, status: u16, code: &str) {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        assert_eq!((self.status, body["error"]["code"].as_str()), (status, Some(code)), "{self:?}");
        for line in ["connection: close", "x-request-id: ", "content-type: application/json", "nosniff"] {
            assert!(self.head.contains(line), "{line} is missing in {}", self.head);
        }
    }
}
