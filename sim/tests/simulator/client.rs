//! A small HTTP/1.1 client that shows what really came: status, headers, each chunk, and whether there was an end.

use std::time::Duration;

use grok2api_sim::Sim;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) const CHAT: &str = "/rest/app-chat/conversations/new";
pub(crate) const UPLOAD: &str = "/rest/app-chat/upload-file";
pub(crate) const LIMITS: &str = "/rest/rate-limits";
/// Nothing that is to come takes so long.
const LIMIT: Duration = Duration::from_secs(10);

/// One connection.
pub(crate) struct Client {
    socket: BufReader<TcpStream>,
}

/// One answer, read to its end.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) chunks: Vec<Vec<u8>>,
    /// The body had a proper end.
    pub(crate) complete: bool,
}

impl Reply {
    pub(crate) fn body(&self) -> Vec<u8> {
        self.chunks.concat()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body()).unwrap()
    }

    /// The lines that are JSON objects.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The answer's text: all tokens that are no thinking.
    pub(crate) fn answer(&self) -> String {
        let said = |line: &Value| {
            let event = &line["result"]["response"];
            let visible = event["isThinking"] == false && event["toolUsageCardId"].is_null();
            event["token"].as_str().filter(|_| visible).map(str::to_owned)
        };
        self.lines().iter().filter_map(said).collect()
    }
}

/// A chat body for the fast model.
pub(crate) fn prompt(message: &str) -> Value {
    json!({"message": message, "modelName": "grok-3", "modelMode": "MODEL_MODE_FAST"})
}

/// One chat call on a connection of its own, read to its end.
pub(crate) async fn chat(sim: &Sim, account: &str, message: &str) -> Reply {
    post(sim, CHAT, account, &prompt(message)).await
}

/// One call on a connection of its own, read to its end.
pub(crate) async fn post(sim: &Sim, path: &str, account: &str, body: &Value) -> Reply {
    let mut client = Client::connect(sim).await;
    client.send("POST", path, account, &body.to_string()).await;
    client.reply().await
}

/// One download.
pub(crate) async fn get(sim: &Sim, path: &str, account: &str) -> Reply {
    let mut client = Client::connect(sim).await;
    client.send("GET", path, account, "").await;
    client.reply().await
}

impl Client {
    pub(crate) async fn connect(sim: &Sim) -> Self {
        Self { socket: BufReader::new(TcpStream::connect(sim.addr()).await.unwrap()) }
    }

    /// A connection on which a chat call has begun.
    pub(crate) async fn chatting(sim: &Sim, account: &str, message: &str) -> Self {
        let mut client = Self::connect(sim).await;
        client.send("POST", CHAT, account, &prompt(message).to_string()).await;
        client
    }

    pub(crate) async fn send(&mut self, method: &str, path: &str, account: &str, body: &str) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: sim\r\ncookie: sso-rw={account};sso={account}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.socket.write_all(request.as_bytes()).await.unwrap();
    }

    /// Status and headers; `None` when the connection ends without them.
    pub(crate) async fn head(&mut self) -> Option<(u16, String)> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if timeout(LIMIT, self.socket.read_line(&mut head)).await.unwrap().unwrap_or(0) == 0 {
                return None;
            }
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some((status, head.to_ascii_lowercase()))
    }

    /// The next chunk, empty for the end of the body; `None` when the connection ends before that.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let mut size = String::new();
        timeout(LIMIT, self.socket.read_line(&mut size)).await.unwrap().ok().filter(|read| *read > 0)?;
        let mut chunk = vec![0; usize::from_str_radix(size.trim(), 16).unwrap() + 2];
        timeout(LIMIT, self.socket.read_exact(&mut chunk)).await.unwrap().ok()?;
        chunk.truncate(chunk.len() - 2);
        Some(chunk)
    }

    /// So many bytes of a body.
    pub(crate) async fn take(&mut self, bytes: usize) -> Vec<u8> {
        let mut taken = vec![0; bytes];
        timeout(LIMIT, self.socket.read_exact(&mut taken)).await.unwrap().unwrap();
        taken
    }

    /// Whether nothing at all comes within a time.
    pub(crate) async fn is_silent(&mut self, time: Duration) -> bool {
        timeout(time, self.socket.read_u8()).await.is_err()
    }

    pub(crate) async fn reply(&mut self) -> Reply {
        let (status, headers) = self.head().await.expect("a head");
        let mut reply = Reply { status, headers, chunks: Vec::new(), complete: true };
        if let Some((_, length)) = reply.headers.split_once("content-length: ") {
            let length: u64 = length.lines().next().unwrap().parse().unwrap();
            let mut body = Vec::new();
            let mut rest = (&mut self.socket).take(length);
            // A reset connection ends a body as well as a closed one.
            let _ = timeout(LIMIT, rest.read_to_end(&mut body)).await.unwrap();
            reply.complete = body.len() as u64 == length;
            reply.chunks.push(body);
            return reply;
        }
        reply.complete = self.chunks_into(&mut reply.chunks).await;
        reply
    }

    /// The chunks that are left, after the head.
    pub(crate) async fn reply_rest(&mut self) -> Vec<Vec<u8>> {
        let mut chunks = Vec::new();
        self.chunks_into(&mut chunks).await;
        chunks
    }

    /// Whether the body has come to its end.
    async fn chunks_into(&mut self, chunks: &mut Vec<Vec<u8>>) -> bool {
        loop {
            match self.chunk().await {
                None => return false,
                Some(chunk) if chunk.is_empty() => return true,
                Some(chunk) => chunks.push(chunk),
            }
        }
    }
}
