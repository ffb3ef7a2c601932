//! Response bodies that cannot eat the memory: inflated as they come, counted, and cut at a cap (F50).

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, Response};
use http_body::Body;
use tokio::io::AsyncRead;
use tokio_util::io::{StreamReader, poll_read_buf};

use crate::relay::Relay;

/// How much is inflated at a time.
const PIECE_BYTES: usize = 16 * 1024;

/// Below this size a body may have any ratio: a short one of equal lines is no bomb.
const RATIO_FLOOR_BYTES: u64 = 1024 * 1024;

/// Largest window of a zstd body, as a power of two: the 8 MiB that RFC 9659 allows for HTTP.
const ZSTD_WINDOW_LOG: u32 = 23;

/// What a body may be at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimits {
    /// Bytes after inflating.
    pub(crate) max_bytes: u64,
    /// Bytes that one received byte may become.
    pub(crate) max_ratio: u64,
}

/// Why a body ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyFault {
    /// More bytes than allowed, or inflated beyond the ratio.
    TooLarge,
    /// Not what its coding says, or a coding that we did not offer.
    Undecodable,
    /// The connection ended early.
    Cut,
}

/// A response body with caps. Without a coding it hands the network's own buffers through.
pub(crate) struct CappedBody<B> {
    source: Source<B>,
    limits: BodyLimits,
    delivered: u64,
}

enum Source<B> {
    Plain(B),
    Coded(Box<Inflater>),
    /// Ended, well or not.
    Done,
}

struct Inflater {
    reader: Pin<Box<dyn AsyncRead + Send + Sync>>,
    received: Arc<AtomicU64>,
    buffer: BytesMut,
}

/// The connection broke off, told to a decoder that knows errors of input and output only.
#[derive(Debug, thiserror::Error)]
#[error("the connection broke off")]
struct Lost;

/// The coded bytes as they come, counted.
struct Received<B> {
    body: B,
    count: Arc<AtomicU64>,
}

impl<B: Body<Data = Bytes> + Send + Sync + Unpin + 'static> CappedBody<B> {
    pub(crate) fn new(response: Response<B>, limits: BodyLimits) -> Result<Self, BodyFault> {
        let coding = Coding::of(response.headers())?;
        let source = match coding {
            Coding::Identity => Source::Plain(response.into_body()),
            Coding::Gzip | Coding::Brotli | Coding::Zstd => {
                Source::Coded(Box::new(Inflater::new(coding, response.into_body())))
            }
        };
        Ok(Self { source, limits, delivered: 0 })
    }

    /// The next piece, never an empty one. After the end or a fault there is nothing more.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyFault>>> {
        let (piece, received) = match &mut self.source {
            Source::Plain(body) => (ready!(poll_data(body, cx)).map(|data| data.map_err(|_| BodyFault::Cut)), None),
            Source::Coded(inflater) => {
                (ready!(inflater.poll_piece(cx)), Some(inflater.received.load(Ordering::Relaxed)))
            }
            Source::Done => (None, None),
        };
        let piece = piece.map(|piece| piece.and_then(|piece| self.count(piece, received)));
        if !matches!(piece, Some(Ok(_))) {
            // Lets go of the connection and the decoder's window at once.
            self.source = Source::Done;
        }
        Poll::Ready(piece)
    }

    /// The next piece. Dropping the future loses nothing.
    pub(crate) async fn next_piece(&mut self) -> Option<Result<Bytes, BodyFault>> {
        let mut relay = Relay::default();
        std::future::poll_fn(|cx| relay.poll(cx, |cx| self.poll_piece(cx))).await
    }

    fn count(&mut self, piece: Bytes, received: Option<u64>) -> Result<Bytes, BodyFault> {
        self.delivered = self.delivered.saturating_add(piece.len() as u64);
        let bomb = received.is_some_and(|received| {
            self.delivered > RATIO_FLOOR_BYTES && self.delivered / received.max(1) >= self.limits.max_ratio
        });
        if bomb || self.delivered > self.limits.max_bytes { Err(BodyFault::TooLarge) } else { Ok(piece) }
    }
}

impl Inflater {
    fn new(coding: Coding, body: impl Body<Data = Bytes> + Send + Sync + Unpin + 'static) -> Self {
        let received = Arc::new(AtomicU64::new(0));
        let input = StreamReader::new(Received { body, count: Arc::clone(&received) });
        let reader: Pin<Box<dyn AsyncRead + Send + Sync>> = match coding {
            Coding::Brotli => Box::pin(BrotliDecoder::new(input)),
            Coding::Zstd => {
                let window = [DParameter::window_log_max(ZSTD_WINDOW_LOG)];
                let mut decoder = ZstdDecoder::with_params(input, &window);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
            Coding::Gzip | Coding::Identity => {
                let mut decoder = GzipDecoder::new(input);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
        };
        Self { reader, received, buffer: BytesMut::new() }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyFault>>> {
        self.buffer.reserve(PIECE_BYTES);
        let read = ready!(poll_read_buf(self.reader.as_mut(), cx, &mut self.buffer));
        Poll::Ready(match read {
            Ok(0) => None,
            Ok(_) => Some(Ok(self.buffer.split().freeze())),
            Err(error) => Some(Err(fault(&error))),
        })
    }
}

impl<B: Body<Data = Bytes> + Unpin> Stream for Received<B> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let data = ready!(poll_data(&mut self.body, cx));
        if let Some(Ok(data)) = &data {
            self.count.fetch_add(data.len() as u64, Ordering::Relaxed);
        }
        Poll::Ready(data.map(|data| data.map_err(|_| io::Error::other(Lost))))
    }
}

/// The next data of a body; trailers are left out, so are empty pieces.
fn poll_data<B: Body<Data = Bytes> + Unpin>(
    body: &mut B,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, B::Error>>> {
    loop {
        match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if !data.is_empty() => return Poll::Ready(Some(Ok(data))),
                Ok(_) | Err(_) => {}
            },
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => return Poll::Ready(None),
        }
    }
}

fn fault(error: &io::Error) -> BodyFault {
    let from_network = error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<Lost>);
    if from_network || error.kind() == io::ErrorKind::UnexpectedEof { BodyFault::Cut } else { BodyFault::Undecodable }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Identity,
    Gzip,
    Brotli,
    Zstd,
}

impl Coding {
    fn of(headers: &HeaderMap) -> Result<Self, BodyFault> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let coding = match (values.next(), values.next()) {
            (None, _) => return Ok(Self::Identity),
            (Some(one), None) => one.to_str().unwrap_or_default().trim().to_ascii_lowercase(),
            (Some(_), Some(_)) => return Err(BodyFault::Undecodable),
        };
        match coding.as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "br" => Ok(Self::Brotli),
            "zstd" => Ok(Self::Zstd),
            _ => Err(BodyFault::Undecodable),
        }
    }
}
