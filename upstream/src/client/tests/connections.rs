//! Connections of our own: kept, closed, replaced, and never given a request twice.

use super::*;
use crate::client::endpoints::Endpoints;
use crate::client::idle::Idle;
use crate::client::tls::{Roots, tls_config};
use crate::client::transport::Transport;
use crate::client::wire::{SendFault, Wire};
use crate::error::ErrorKind;
use crate::testing::{Step, open_head, read_request, response, serve};
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::rt::ReadBufCursor;
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;

const LINE: &[u8] = b"{\"result\":{}}\n";

fn transport(base: &str) -> (Transport, Endpoints) {
    crate::client::install_crypto();
    let endpoints = Endpoints::new(&base.parse().unwrap()).unwrap();
    let tls = tls_config(Roots::SystemIfAny).unwrap();
    (Transport::new(&endpoints, None, &tls, Duration::from_secs(2)), endpoints)
}

pub(super) async fn post(transport: &Transport, endpoints: &Endpoints) -> Result<Bytes, UpstreamError> {
    let response = transport.post(&endpoints.chat, HeaderMap::new(), Bytes::from_static(b"{}")).await?;
    Ok(response.into_body().collect().await.unwrap().to_bytes())
}

/// A whole chunked answer, one byte at a time.
fn trickle() -> Vec<Step> {
    let text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{\"a\"\r\nA;x=y\r\n:1}\n{\"b\":2\r\n1\r\n}\r\n0\r\n\r\n";
    text.bytes().map(|byte| Step::Send(Bytes::copy_from_slice(&[byte]))).collect()
}

#[tokio::test]
async fn an_answer_in_pieces_of_one_byte_is_whole_and_leaves_its_connection_for_the_next() {
    let upstream = serve("127.0.0.1", |_| trickle()).await;
    let grok = client(&upstream.url(""));
    for _ in 0..5 {
        let body = grok.chat(&token(), &CALL, &settings("")).await.unwrap();
        assert_eq!(read_all(body).await, ("{\"a\":1}\n{\"b\":2}".as_bytes().into(), None));
    }
    assert_eq!((upstream.requests().len(), upstream.connections()), (5, 1));
}

#[tokio::test]
async fn one_connection_serves_chats_and_short_calls_alike() {
    let upstream = serve("127.0.0.1", |_| response(200, &[], "{}")).await;
    let grok = client(&upstream.url(""));
    read_all(grok.chat(&token(), &CALL, &settings("")).await.unwrap()).await;
    grok.rate_limits(&token(), "grok-3", &settings("")).await.unwrap();
    assert_eq!((upstream.requests().len(), upstream.connections()), (2, 1));
}

#[tokio::test]
async fn calls_at_the_same_time_have_connections_of_their_own_and_all_are_kept() {
    let upstream = serve("127.0.0.1", |_| response(200, &[], "{}\n")).await;
    let grok = client(&upstream.url(""));
    for _ in 0..3 {
        let mut bodies = Vec::new();
        for _ in 0..10 {
            bodies.push(grok.chat(&token(), &CALL, &settings("")).await.unwrap());
        }
        for body in bodies {
            assert_eq!(read_all(body).await.0, "{}\n");
        }
    }
    assert_eq!((upstream.requests().len(), upstream.connections()), (30, 10));
}

#[tokio::test]
async fn a_connection_with_more_to_come_is_closed_and_not_used_again() {
    let open = || Step::Send(Bytes::from_static(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"));
    let chunk = || Step::Send(Bytes::from_static(b"3\r\n{}\n\r\n"));
    let upstream = serve("127.0.0.1", move |_| vec![open(), chunk(), Step::Hang]).await;
    let grok = client(&upstream.url(""));
    for calls in 1..=3 {
        let mut body = grok.chat(&token(), &CALL, &settings("")).await.unwrap();
        assert_eq!(body.next_chunk().await.unwrap().unwrap(), "{}\n");
        drop(body);
        upstream.client_left().await;
        assert_eq!(upstream.connections(), calls);
    }
}

#[tokio::test]
async fn leaving_before_the_answer_begins_closes_the_connection() {
    let upstream = serve("127.0.0.1", |_| vec![Step::Hang]).await;
    let grok = client(&upstream.url(""));
    let (call_token, call_settings) = (token(), settings(""));
    let mut call = Box::pin(grok.chat(&call_token, &CALL, &call_settings));
    while upstream.requests().is_empty() {
        tokio::select! {
            biased;
            _ = &mut call => panic!("nothing was answered"),
            () = tokio::task::yield_now() => {}
        }
    }
    drop(call);
    upstream.client_left().await;
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_leaves_none() {
    let upstream =
        serve("127.0.0.1", |_| vec![open_head(&[]), Step::Send(Bytes::from_static(LINE)), Step::Close]).await;
    let grok = client(&upstream.url(""));
    for _ in 0..2 {
        let body = grok.chat(&token(), &CALL, &settings("")).await.unwrap();
        assert_eq!(read_all(body).await, (LINE.into(), None));
    }
    assert_eq!((upstream.requests().len(), upstream.connections()), (2, 2));
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_replaced() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (transport, endpoints) = transport(&format!("http://{}", listener.local_addr().unwrap()));
    let hang_up = Arc::new(Notify::new());
    let told = Arc::clone(&hang_up);
    let upstream = tokio::spawn(async move {
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(read_request(&mut stream).await.is_some());
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
            told.notified().await;
        }
    });
    for _ in 0..3 {
        assert_eq!(post(&transport, &endpoints).await.unwrap(), "{}");
        assert!(transport.idle().has_open(), "it was kept");
        hang_up.notify_one();
        while transport.idle().has_open() {
            tokio::task::yield_now().await;
        }
    }
    upstream.await.unwrap();
}

/// A peer that is gone as soon as somebody looks a second time. Nothing can be written to it.
#[derive(Default)]
struct Vanishing {
    looks: usize,
}

impl hyper::rt::Read for Vanishing {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, _: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        self.looks += 1;
        if self.looks == 1 { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

impl hyper::rt::Write for Vanishing {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        panic!("the request went to a peer that was gone")
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_request_of_which_nothing_was_sent_goes_to_another_connection() {
    let upstream = serve("127.0.0.1", |_| response(200, &[], LINE)).await;
    let (transport, endpoints) = transport(&upstream.url(""));
    for _ in 0..3 {
        transport.idle().put(Wire::new(Box::new(Vanishing::default())).await.unwrap());
    }
    assert_eq!(post(&transport, &endpoints).await.unwrap(), LINE);
    assert_eq!((upstream.requests().len(), transport.idle().len()), (1, 1));
    assert_eq!(upstream.requests()[0].body, b"{}");
}

#[tokio::test]
async fn a_request_that_may_have_arrived_is_not_sent_again() {
    // The second request on a connection is read and never answered.
    let upstream =
        serve("127.0.0.1", |seen| if seen.body == b"first" { response(200, &[], LINE) } else { vec![Step::Close] })
            .await;
    let (transport, endpoints) = transport(&upstream.url(""));
    let first = transport.post(&endpoints.chat, HeaderMap::new(), Bytes::from_static(b"first")).await.unwrap();
    first.into_body().collect().await.unwrap();
    let error = post(&transport, &endpoints).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Interrupted);
    assert_eq!((upstream.requests().len(), upstream.connections(), transport.idle().len()), (2, 1, 0));
    assert_clean(&error);
}

#[tokio::test]
async fn a_large_request_is_sent_while_its_answer_is_waited_for() {
    // Larger than what the sockets hold, so that it takes many turns.
    let upstream = serve("127.0.0.1", |_| response(200, &[], "{}\n")).await;
    let message = "x".repeat(16 * 1024 * 1024);
    let grok = client(&upstream.url(""));
    let call = ChatCall { message: &message, ..CALL };
    assert_eq!(read_all(grok.chat(&token(), &call, &settings("")).await.unwrap()).await.0, "{}\n");
    assert!(upstream.requests()[0].body.len() > message.len());
}

#[tokio::test]
async fn an_answer_that_outruns_its_request_is_still_read() {
    // The server refuses after the head and takes no more: what is left of the body has nowhere to go.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let refusing = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 64]).await.unwrap();
        stream.write_all(b"HTTP/1.1 413 No\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
        stream
    });
    let message = "x".repeat(16 * 1024 * 1024);
    let call = ChatCall { message: &message, ..CALL };
    let error = client(&base).chat(&token(), &call, &settings("")).await.unwrap_err();
    assert_ne!(error.kind, ErrorKind::Interrupted);
    assert_clean(&error);
    drop(refusing.await.unwrap());
}

#[tokio::test]
async fn a_wire_gives_an_unsent_request_back_as_it_was() {
    let (ours, theirs) = tokio::io::duplex(1024);
    let wire = Wire::new(Box::new(TokioIo::new(ours))).await.unwrap();
    drop(theirs);
    let mut request = Request::new(Full::new(Bytes::from_static(b"body")));
    *request.uri_mut() = "/path".parse().unwrap();
    match wire.send(request, &Arc::<Idle>::default()).await {
        Err(SendFault::Unsent(back)) => {
            assert_eq!(back.uri(), "/path");
            assert_eq!(back.into_body().collect().await.unwrap().to_bytes(), "body");
        }
        Err(SendFault::Interrupted) => panic!("nothing was sent"),
        Ok(_) => panic!("nobody answered"),
    }
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_few_and_do_not_stay() {
    let idle = Arc::<Idle>::default();
    let mut peers = Vec::new();
    for _ in 0..1500 {
        let (ours, theirs) = tokio::io::duplex(64);
        idle.put(Wire::new(Box::new(TokioIo::new(ours))).await.unwrap());
        peers.push(theirs);
    }
    assert_eq!(idle.len(), 1024);
    tokio::time::sleep(Duration::from_secs(54)).await;
    assert!(idle.take().is_some());
    assert_eq!(idle.len(), 1023);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(idle.len(), 0, "somebody looks after them when nobody calls");
    // The one that was in use has its time from when it came back.
    let (ours, _theirs) = tokio::io::duplex(64);
    idle.put(Wire::new(Box::new(TokioIo::new(ours))).await.unwrap());
    tokio::time::sleep(Duration::from_secs(54)).await;
    assert_eq!(idle.len(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(idle.len(), 0);
}
