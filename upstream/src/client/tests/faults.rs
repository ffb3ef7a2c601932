//! Upstreams that refuse, vanish, lie and loiter.

use super::*;
use crate::error::{AccountEffect, ErrorKind};
use crate::testing::{Served, Step, open_head, response, serve};
use bytes::Bytes;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

async fn chat_error(upstream: &Served) -> UpstreamError {
    let error = client(&upstream.url("")).chat(&token(), &CALL, &settings("")).await.unwrap_err();
    assert_clean(&error);
    error
}

/// An address on which nobody listens.
async fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn f45_a_refused_connection_is_unreachable() {
    let error = client(&closed_port().await).chat(&token(), &CALL, &settings("")).await.unwrap_err();
    assert_eq!((error.kind, error.account), (ErrorKind::Unreachable, AccountEffect::None));
    assert_clean(&error);
}

#[tokio::test]
async fn f53_a_name_that_does_not_resolve_is_unreachable_and_no_accounts_fault() {
    // An empty label never reaches a name server.
    let error = client("https://nothing..invalid").chat(&token(), &CALL, &settings("")).await.unwrap_err();
    assert_eq!((error.kind, error.account), (ErrorKind::Unreachable, AccountEffect::None));
    assert_clean(&error);
}

/// A listener that answers no more handshakes, because nobody takes the connections it has.
async fn deaf_listener() -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = timeout(Duration::from_millis(200), TcpStream::connect(listener.local_addr().unwrap())).await
    {
        waiting.push(stream.unwrap());
    }
    (listener, waiting)
}

#[tokio::test]
async fn f45_a_connection_that_does_not_come_about_is_a_timeout() {
    let (listener, _waiting) = deaf_listener().await;
    let base = format!("http://{}", listener.local_addr().unwrap());
    let grok = GrokWeb::new(&UpstreamConfig { connect_timeout_ms: 100, ..config(&base) }).unwrap();
    let error = grok.chat(&token(), &CALL, &settings("")).await.unwrap_err();
    assert_eq!((error.kind, error.account), (ErrorKind::Timeout, AccountEffect::None));
    assert_eq!(error.delivery, crate::error::Delivery::NotAccepted);
    assert_clean(&error);
}

#[tokio::test]
async fn f51_an_error_with_a_success_status_is_an_error() {
    let body = r#"{"error":{"code":8,"message":"Too many requests","details":[]}}"#;
    let upstream = serve("127.0.0.1", move |_| response(200, &[], body)).await;
    let error = client(&upstream.url("")).rate_limits(&token(), "grok-3", &settings("")).await.unwrap_err();
    assert_eq!((error.kind, error.account), (ErrorKind::RateLimited, AccountEffect::CoolForModel));
    assert_clean(&error);
}

#[tokio::test]
async fn f45_short_calls_end_at_their_deadline() {
    let upstream = serve("127.0.0.1", |_| vec![Step::Hang]).await;
    let grok = GrokWeb::new(&UpstreamConfig { request_timeout_ms: 100, ..config(&upstream.url("")) }).unwrap();
    let begun = Instant::now();
    let error = grok.rate_limits(&token(), "grok-3", &settings("")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(begun.elapsed() < Duration::from_secs(4));
    upstream.client_left().await;
    // A body that stops half way counts in the same deadline.
    let upstream = serve("127.0.0.1", |_| vec![open_head(&[]), Step::Send(Bytes::from_static(b"{")), Step::Hang]).await;
    let grok = GrokWeb::new(&UpstreamConfig { request_timeout_ms: 100, ..config(&upstream.url("")) }).unwrap();
    assert_eq!(grok.rate_limits(&token(), "grok-3", &settings("")).await.unwrap_err().kind, ErrorKind::Timeout);
}

#[tokio::test]
async fn f47_a_cut_before_and_within_the_answer_is_interrupted() {
    let upstream = serve("127.0.0.1", |_| vec![Step::Close]).await;
    assert_eq!(chat_error(&upstream).await.kind, ErrorKind::Interrupted);
    let upstream = serve("127.0.0.1", |_| {
        vec![Step::Send(Bytes::from_static(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")), Step::Close]
    })
    .await;
    let body = client(&upstream.url("")).chat(&token(), &CALL, &settings("")).await.unwrap();
    let (bytes, error) = read_all(body).await;
    assert_eq!(bytes, "half");
    let error = error.unwrap();
    assert_eq!(error.kind, ErrorKind::Interrupted);
    assert_clean(&error);
}

#[tokio::test]
async fn c7_a_redirect_is_not_followed() {
    let thief = serve("127.0.0.1", |_| response(200, &[], "{}")).await;
    let target = thief.url("/steal");
    let upstream = serve("127.0.0.1", move |_| response(307, &[("location", &target)], "")).await;
    let grok = client(&upstream.url(""));
    assert_clean(&grok.chat(&token(), &CALL, &settings("")).await.unwrap_err());
    assert!(grok.rate_limits(&token(), "grok-3", &settings("")).await.is_err());
    assert_eq!((upstream.requests().len(), thief.connections()), (2, 0));
}

#[tokio::test]
async fn f51_a_page_instead_of_an_answer_is_an_error_before_its_first_byte() {
    let page = "<!doctype html><title>Just a moment...</title>";
    let upstream =
        serve("127.0.0.1", move |_| response(200, &[("content-type", "Text/HTML; charset=utf-8")], page)).await;
    let error = chat_error(&upstream).await;
    assert!(!error.message.contains('<'), "{}", error.message);
    let upstream = serve("127.0.0.1", move |_| response(403, &[("content-type", "text/html")], page)).await;
    assert_eq!(
        (chat_error(&upstream).await.kind, chat_error(&upstream).await.account),
        (ErrorKind::Blocked, AccountEffect::None)
    );
}

#[tokio::test]
async fn f43_statuses_reach_the_classification_with_their_text_and_wait() {
    let body = r#"{"error":{"code":8,"message":"Too many requests"}}"#;
    let upstream = serve("127.0.0.1", move |_| response(429, &[("retry-after", "7")], body)).await;
    let error = chat_error(&upstream).await;
    assert_eq!((error.kind, error.retry_after), (ErrorKind::RateLimited, Some(Duration::from_secs(7))));
    let upstream =
        serve("127.0.0.1", |_| response(401, &[], r#"{"error":{"code":16,"message":"invalid-credentials"}}"#)).await;
    let error = chat_error(&upstream).await;
    assert_eq!((error.kind, error.account), (ErrorKind::AccountInvalid, AccountEffect::InvalidNow));
}

#[tokio::test]
async fn an_endless_refusal_is_read_in_part_only() {
    let upstream = serve("127.0.0.1", |_| {
        let head = Bytes::from_static(b"HTTP/1.1 500 No\r\nconnection: close\r\n\r\n");
        let piece = Step::Send(Bytes::from(vec![b'x'; 64 * 1024]));
        std::iter::once(Step::Send(head)).chain(std::iter::repeat_n(piece, 1024)).chain([Step::Hang]).collect()
    })
    .await;
    let begun = Instant::now();
    assert_eq!(chat_error(&upstream).await.kind, ErrorKind::Error);
    assert!(begun.elapsed() < Duration::from_secs(4), "all of it was waited for");
    upstream.client_left().await;
}

#[tokio::test]
async fn a_refusal_without_a_text_is_classified_by_its_status() {
    let upstream = serve("127.0.0.1", |_| response(429, &[("content-encoding", "deflate")], "\u{1}\u{2}")).await;
    assert_eq!(chat_error(&upstream).await.kind, ErrorKind::RateLimited);
}

#[tokio::test]
async fn a_credential_that_cannot_be_sent_never_opens_a_connection() {
    let upstream = serve("127.0.0.1", |_| response(200, &[], "{}")).await;
    let error = client(&upstream.url("")).chat(&"canary; x=y".into(), &CALL, &settings("")).await.unwrap_err();
    assert_eq!((error.kind, error.account), (ErrorKind::AccountInvalid, AccountEffect::InvalidNow));
    assert_clean(&error);
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn an_answer_beyond_the_cap_ends_in_an_error() {
    let upstream = serve("127.0.0.1", |_| response(200, &[], vec![b'x'; 2_000_000])).await;
    let grok = GrokWeb::new(&UpstreamConfig { max_answer_bytes: 1_000_000, ..config(&upstream.url("")) }).unwrap();
    let (bytes, error) = read_all(grok.chat(&token(), &CALL, &settings("")).await.unwrap()).await;
    assert!(bytes.len() <= 1_000_000);
    assert_eq!(error.unwrap().kind, ErrorKind::Error);
}

#[tokio::test]
async fn short_answers_have_a_cap_of_their_own() {
    let upstream = serve("127.0.0.1", |_| response(200, &[], vec![b' '; 70_000])).await;
    let error = client(&upstream.url("")).rate_limits(&token(), "grok-3", &settings("")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Error);
    let upstream = serve("127.0.0.1", |_| response(200, &[], "hello")).await;
    let error = client(&upstream.url("")).rate_limits(&token(), "grok-3", &settings("")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotStream);
}
