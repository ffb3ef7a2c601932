//! How is 1 GiB put into little more than nothing?
//!
//! One line without an end, compressed. All but the first block of each coding look alike, so that one block is compressed
//! once and sent again and again. Only the checksum at the end would tell, and nobody should read so far.

use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use bytes::Bytes;
use http::{HeaderValue, header};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::plan::{End, Plan};

/// What one block unpacks to.
const BLOCK_BYTES: usize = 1 << 20;
/// How many blocks follow the first two.
const REPEATED: u64 = 1_022;

/// Content codings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Brotli,
    Zstd,
}

impl Coding {
    /// The coding of that name, as in `Content-Encoding`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "gzip" => Some(Self::Gzip),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// A response that unpacks to 1 GiB.
pub(crate) async fn plan(coding: Coding) -> std::io::Result<Plan> {
    let (first, repeated) = match coding {
        Coding::Gzip => blocks(GzipEncoder::new(Vec::new())).await?,
        Coding::Brotli => blocks(BrotliEncoder::with_quality(Vec::new(), async_compression::Level::Fastest)).await?,
        Coding::Zstd => blocks(ZstdEncoder::new(Vec::new())).await?,
    };
    let mut plan = Plan::pieces(vec![first]);
    plan.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    plan.end = End::Repeat { piece: repeated, left: REPEATED, gap: std::time::Duration::ZERO };
    Ok(plan)
}

/// An encoder whose output so far can be looked at.
trait Packs: AsyncWrite + Unpin {
    fn packed(&self) -> &[u8];
}

impl Packs for GzipEncoder<Vec<u8>> {
    fn packed(&self) -> &[u8] {
        self.get_ref()
    }
}

impl Packs for BrotliEncoder<Vec<u8>> {
    fn packed(&self) -> &[u8] {
        self.get_ref()
    }
}

impl Packs for ZstdEncoder<Vec<u8>> {
    fn packed(&self) -> &[u8] {
        self.get_ref()
    }
}

/// The first two blocks, and one that can follow them any number of times.
async fn blocks(mut encoder: impl Packs) -> std::io::Result<(Bytes, Bytes)> {
    let block = vec![b' '; BLOCK_BYTES];
    encoder.write_all(br#"{"result":{"response":{"token":""#).await?;
    for _ in 0..2 {
        encoder.write_all(&block).await?;
        encoder.flush().await?;
    }
    let begin = encoder.packed().len();
    encoder.write_all(&block).await?;
    encoder.flush().await?;
    let (first, repeated) = encoder.packed().split_at(begin);
    Ok((Bytes::copy_from_slice(first), Bytes::copy_from_slice(repeated)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
    use tokio::io::{AsyncRead, AsyncReadExt};

    use super::*;

    /// Unpacks the first 8 MiB.
    async fn unpacked(mut decoder: impl AsyncRead + Unpin) -> Vec<u8> {
        let mut text = vec![0; 8 << 20];
        decoder.read_exact(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn f50_each_coding_unpacks_to_one_endless_line() {
        for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
            let plan = plan(coding).await.unwrap();
            let End::Repeat { piece, left, .. } = &plan.end else { panic!("not repeated") };
            let packed: Vec<u8> = plan.lines.iter().flat_map(|line| line.to_vec()).chain(piece.repeat(7)).collect();
            let text = match coding {
                Coding::Gzip => unpacked(GzipDecoder::new(&packed[..])).await,
                Coding::Brotli => unpacked(BrotliDecoder::new(&packed[..])).await,
                Coding::Zstd => unpacked(ZstdDecoder::new(&packed[..])).await,
            };
            assert!(text.starts_with(br#"{"result":{"response":{"token":"   "#));
            assert!(text[100..].iter().all(|byte| *byte == b' '), "{coding:?}");
            let sent = u64::try_from(piece.len()).unwrap() * left;
            assert!(sent < 4 << 20, "{coding:?} sends {sent} bytes");
        }
    }
}
