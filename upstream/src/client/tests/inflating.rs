//! Compressed answers: streamed, whole, cut, and bombs (F50).

use super::*;
use crate::error::ErrorKind;
use crate::testing::{Served, Step, open_head, response, serve};
use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};

const CODINGS: [&str; 3] = ["gzip", "br", "zstd"];
const MIB: usize = 1024 * 1024;

/// What an inflated bomb may cost before it is noticed.
const BOMB_BUDGET: usize = 8 * MIB;

fn encoder(coding: &str, target: Vec<u8>) -> Box<dyn Encoder> {
    match coding {
        "gzip" => Box::new(GzipEncoder::new(target)),
        "br" => Box::new(BrotliEncoder::with_quality(target, async_compression::Level::Fastest)),
        _ => Box::new(ZstdEncoder::new(target)),
    }
}

trait Encoder: AsyncWrite + Unpin + Send {
    fn written(&self) -> &Vec<u8>;
}

impl Encoder for GzipEncoder<Vec<u8>> {
    fn written(&self) -> &Vec<u8> {
        self.get_ref()
    }
}

impl Encoder for BrotliEncoder<Vec<u8>> {
    fn written(&self) -> &Vec<u8> {
        self.get_ref()
    }
}

impl Encoder for ZstdEncoder<Vec<u8>> {
    fn written(&self) -> &Vec<u8> {
        self.get_ref()
    }
}

async fn compressed(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = encoder(coding, Vec::new());
    encoder.write_all(bytes).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.written().clone()
}

/// Zeros, many times what they take on the wire.
async fn bomb(coding: &str) -> Bytes {
    let mut encoder = encoder(coding, Vec::new());
    for _ in 0..64 {
        encoder.write_all(&vec![0; MIB]).await.unwrap();
    }
    encoder.shutdown().await.unwrap();
    let once = encoder.written();
    // Members and frames may follow each other, up to 1 GiB; a brotli stream cannot be continued so.
    if coding == "br" { once.clone().into() } else { once.repeat(16).into() }
}

/// Lines that differ from each other.
fn lines(count: u32) -> String {
    let mut text = String::new();
    for i in 0..count {
        text.push_str(&serde_json::json!({ "line": i.wrapping_mul(2_654_435_761) }).to_string());
        text.push('\n');
    }
    text
}

async fn serve_coded(coding: &'static str, bytes: Bytes) -> Served {
    serve("127.0.0.1", move |_| response(200, &[("content-encoding", coding)], bytes.clone())).await
}

async fn chat(grok: &GrokWeb) -> AnswerBody {
    grok.chat(&token(), &CALL, &settings("")).await.unwrap()
}

#[tokio::test]
async fn compressed_answers_come_out_whole() {
    let text = lines(40_000);
    for coding in CODINGS {
        let upstream = serve_coded(coding, compressed(coding, text.as_bytes()).await.into()).await;
        let (bytes, error) = read_all(chat(&client(&upstream.url(""))).await).await;
        assert!(bytes == text.as_bytes() && error.is_none(), "{coding}: {error:?}, {} bytes", bytes.len());
    }
}

#[tokio::test]
async fn each_flushed_line_comes_at_once() {
    for coding in CODINGS {
        let mut encoder = encoder(coding, Vec::new());
        encoder.write_all(b"{\"first\":1}\n").await.unwrap();
        encoder.flush().await.unwrap();
        let first = Bytes::from(encoder.written().clone());
        let upstream = serve("127.0.0.1", move |_| {
            vec![open_head(&[("content-encoding", coding)]), Step::Send(first.clone()), Step::Hang]
        })
        .await;
        let mut body = chat(&client(&upstream.url(""))).await;
        assert_eq!(body.next_chunk().await.unwrap().unwrap(), "{\"first\":1}\n", "{coding}");
        drop(body);
        upstream.client_left().await;
    }
}

#[tokio::test]
async fn f50_a_bomb_is_noticed_by_its_ratio() {
    for coding in CODINGS {
        let upstream = serve_coded(coding, bomb(coding).await).await;
        let (bytes, error) = read_all(chat(&client(&upstream.url(""))).await).await;
        let error = error.unwrap();
        assert_eq!(error.kind, ErrorKind::Error, "{coding}");
        assert!(bytes.len() <= BOMB_BUDGET, "{coding}: {} bytes", bytes.len());
        assert_clean(&error);
    }
}

#[tokio::test]
async fn f50_a_patient_bomb_is_cut_at_the_cap() {
    for coding in CODINGS {
        let upstream = serve_coded(coding, bomb(coding).await).await;
        let config = UpstreamConfig {
            max_inflate_ratio: 1_000_000_000,
            max_answer_bytes: 3 * MIB as u64,
            ..config(&upstream.url(""))
        };
        let (bytes, error) = read_all(chat(&GrokWeb::new(&config).unwrap()).await).await;
        assert_eq!(error.unwrap().kind, ErrorKind::Error, "{coding}");
        assert!(bytes.len() <= 3 * MIB, "{coding}: {} bytes", bytes.len());
    }
}

#[tokio::test]
async fn f50_a_bomb_in_a_refusal_is_read_in_part() {
    for coding in CODINGS {
        let bytes = bomb(coding).await;
        let upstream = serve("127.0.0.1", move |_| response(503, &[("content-encoding", coding)], bytes.clone())).await;
        let error = client(&upstream.url("")).chat(&token(), &CALL, &settings("")).await.unwrap_err();
        assert_clean(&error);
    }
}

#[tokio::test]
async fn f50_a_window_beyond_eight_mebibytes_is_refused() {
    // A zstd frame head that asks for a window of 128 MiB, then an empty last block.
    let frame = Bytes::from_static(&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, 0x01, 0x00, 0x00]);
    let upstream = serve_coded("zstd", frame).await;
    let (bytes, error) = read_all(chat(&client(&upstream.url(""))).await).await;
    assert!(bytes.is_empty());
    assert_eq!(error.unwrap().kind, ErrorKind::Error);
}

#[tokio::test]
async fn f47_a_compressed_answer_cut_short_is_interrupted() {
    let text = lines(9_000);
    for coding in CODINGS {
        let whole = Bytes::from(compressed(coding, text.as_bytes()).await);
        let half = whole.slice(..whole.len() / 2);
        // Once by the transfer's own account, once by the coding's.
        let upstream = serve_coded(coding, half.clone()).await;
        let (_, error) = read_all(chat(&client(&upstream.url(""))).await).await;
        assert_eq!(error.unwrap().kind, ErrorKind::Interrupted, "{coding}");
        let upstream = serve("127.0.0.1", move |_| {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: 999999\r\n\r\n");
            vec![Step::Send(head.into()), Step::Send(half.clone()), Step::Close]
        })
        .await;
        let (_, error) = read_all(chat(&client(&upstream.url(""))).await).await;
        assert_eq!(error.unwrap().kind, ErrorKind::Interrupted, "{coding}");
    }
}

#[tokio::test]
async fn what_is_not_its_coding_is_an_error() {
    for coding in ["gzip", "br", "zstd", "deflate", "gzip, br", "compress"] {
        let upstream = serve_coded(coding, Bytes::from_static(b"\xff\xff\xffnot compressed at all")).await;
        let outcome = client(&upstream.url("")).chat(&token(), &CALL, &settings("")).await;
        let error = match outcome {
            Ok(body) => read_all(body).await.1.unwrap(),
            Err(error) => error,
        };
        assert!(matches!(error.kind, ErrorKind::Error | ErrorKind::Interrupted), "{coding} {error:?}");
        assert_clean(&error);
    }
}
