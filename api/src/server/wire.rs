//! The socket as hyper sees it: a peer that takes nothing for too long is cut, and what hyper refuses by itself is
//! answered as everything else is.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::between::Between;
use super::unread;

/// After a refusal the client may go on sending for so long: who closes on unread bytes takes the answer back.
const LINGER: Duration = Duration::from_secs(1);
/// The name whose presence in a header block is noted.
const LENGTH: &[u8; 15] = b"content-length:";

/// A socket with a limit for writes that stall.
pub(super) struct Wire {
    socket: TcpStream,
    between: Between,
    stall: Duration,
    /// Runs while the peer takes nothing. Made when a write stalls and dropped when one succeeds, so that the writes of a
    /// client that reads cost no timer.
    stalled: Option<Pin<Box<Sleep>>>,
    head: Head,
    refusal: Option<Refusal>,
}

/// What is said to a client whose header block hyper refuses.
struct Refusal {
    answer: Bytes,
    /// Runs once everything is said.
    linger: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    pub(super) fn new(socket: TcpStream, between: Between, stall: Duration) -> Self {
        Self { socket, between, stall, stalled: None, head: Head::default(), refusal: None }
    }

    /// Writes what the socket takes.
    fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = Pin::new(&mut self.socket).poll_write(cx, bytes) {
            self.stalled = None;
            self.between.took(*written.as_ref().unwrap_or(&0));
            return Poll::Ready(written);
        }
        self.between.stall();
        let limit = self.stall;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(timer.as_mut().poll(cx));
        // What is unsent would otherwise stay with the system, which goes on asking the peer to take it.
        let _ = socket2::SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
        metrics::counter!("grok2api_connections_cut_total", "reason" => "write_stall").increment(1);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.socket).poll_read(cx, buffer))?;
        if !this.head.is_over && this.head.reads_length(&buffer.filled()[before..]) {
            this.between.set_length(true);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.head.is_over {
            // Who is answered speaks next, and begins with a header block.
            this.head = Head::default();
            this.between.set_length(false);
        }
        if this.refusal.is_none() {
            let Some(answer) = unread::answer_instead_of(bytes) else { return this.write(cx, bytes) };
            this.refusal = Some(Refusal { answer, linger: None });
        }
        while let Some(answer) = this.refusal.as_ref().map(|refusal| refusal.answer.clone()).filter(Buf::has_remaining)
        {
            let written = ready!(this.write(cx, &answer))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            if let Some(refusal) = &mut this.refusal {
                refusal.answer.advance(written);
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
        let Some(refusal) = &mut this.refusal else { return Poll::Ready(Ok(())) };
        let linger = refusal.linger.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        let mut bytes = [0; 1024];
        while linger.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut this.socket).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Looks for one name in a header block as it comes. Hyper forgets a `Content-Length` beside a `Transfer-Encoding`, which
/// is how requests are smuggled past a proxy that sees it otherwise (H10).
#[derive(Debug, Default)]
struct Head {
    /// The beginning of the line, in lower case.
    line: [u8; LENGTH.len()],
    /// Bytes of the line so far.
    length: usize,
    has_begun: bool,
    is_over: bool,
}

impl Head {
    /// Takes the next bytes. True if the name's line begins in them.
    fn reads_length(&mut self, bytes: &[u8]) -> bool {
        let mut found = false;
        for byte in bytes {
            match byte {
                b'\n' if self.length > 0 => self.length = 0,
                b'\n' if self.has_begun => {
                    self.is_over = true;
                    return found;
                }
                b'\n' | b'\r' => {}
                byte => {
                    self.has_begun = true;
                    if let Some(place) = self.line.get_mut(self.length) {
                        *place = byte.to_ascii_lowercase();
                    }
                    self.length += 1;
                    found |= self.length == LENGTH.len() && self.line == *LENGTH;
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(head: &str, piece: usize) -> (bool, bool) {
        let mut reader = Head::default();
        let mut found = false;
        for piece in head.as_bytes().chunks(piece) {
            found |= !reader.is_over && reader.reads_length(piece);
        }
        (found, reader.is_over)
    }

    #[test]
    fn h10_a_length_is_found_in_a_header_block_and_not_behind_it() {
        for piece in [1, 7, 4096] {
            assert_eq!(finds("\r\nPOST / HTTP/1.1\r\nContent-LENGTH: 3\r\n\r\nabc", piece), (true, true));
            assert_eq!(finds("POST / HTTP/1.1\nhost: a\ncontent-length:3\n\n", piece), (true, true));
            assert_eq!(
                finds("POST / HTTP/1.1\r\nx-content-length: 3\r\n\r\ncontent-length: 3\r\n", piece),
                (false, true)
            );
            assert_eq!(
                finds("POST / HTTP/1.1\r\nx: content-length: 3\r\ncontent-lengths: 3\r\n", piece),
                (false, false)
            );
        }
    }
}
