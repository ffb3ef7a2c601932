//! A connection that speaks just enough HTTP/1.1: head, length or chunks, keep-alive.

use std::net::SocketAddr;

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const READ_BYTES: usize = 16 * 1024;
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// One connection to the server.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: TcpStream,
    /// Bytes that were read and not used yet.
    pub(crate) buffer: Vec<u8>,
}

/// What the head says about the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) length: Length,
    pub(crate) keep_alive: bool,
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Known(usize),
    Chunked,
}

impl Connection {
    pub(crate) async fn open(addr: SocketAddr) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(addr).await.context("cannot connect")?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, buffer: Vec::new() })
    }

    pub(crate) async fn send(&mut self, request: &[u8]) -> anyhow::Result<()> {
        self.socket.write_all(request).await.context("cannot send")
    }

    /// Reads what there is, at least one byte.
    pub(crate) async fn read(&mut self) -> anyhow::Result<()> {
        self.buffer.reserve(READ_BYTES);
        let read = self.socket.read_buf(&mut self.buffer).await.context("cannot read")?;
        ensure!(read > 0, "the connection has ended");
        Ok(())
    }

    /// Reads the head of an answer; what follows stays in the buffer.
    pub(crate) async fn head(&mut self) -> anyhow::Result<Head> {
        loop {
            if let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                let head = parse_head(&self.buffer[..end])?;
                self.buffer.drain(..end + 4);
                return Ok(head);
            }
            ensure!(self.buffer.len() < MAX_HEAD_BYTES, "the head does not end");
            self.read().await?;
        }
    }
}

fn parse_head(head: &[u8]) -> anyhow::Result<Head> {
    let text = std::str::from_utf8(head).context("the head is no text")?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let mut parsed = Head { status: status.context("no status")?, length: Length::Known(0), keep_alive: true };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            parsed.length = Length::Known(value.parse().context("a wrong length")?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case("chunked") {
                bail!("unknown transfer encoding {value}");
            }
            parsed.length = Length::Chunked;
        } else if name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close") {
            parsed.keep_alive = false;
        }
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_how_the_body_ends() -> anyhow::Result<()> {
        let chunked = parse_head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive")?;
        assert_eq!(chunked, Head { status: 200, length: Length::Chunked, keep_alive: true });
        let known = parse_head(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 12\r\nconnection: close")?;
        assert_eq!(known, Head { status: 429, length: Length::Known(12), keep_alive: false });
        assert!(parse_head(b"nonsense").is_err());
        Ok(())
    }
}
