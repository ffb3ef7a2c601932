//! What is sent, and what good answers give.

use super::*;
use crate::attachment::Attachment;
use crate::quota::Unit;
use crate::testing::{Step, open_head, response, serve};
use bytes::Bytes;

const LINES: &str = "{\"result\":{}}\n{\"result\":{}}\n";

#[tokio::test]
async fn a_chat_call_sends_the_documented_request_and_hands_the_body_through() {
    let upstream = serve("127.0.0.1", |_| response(200, &[("content-type", "application/json")], LINES)).await;
    let grok = client(&upstream.url("/prefix/"));
    let body = grok.chat(&token(), &CALL, &settings("")).await.unwrap();
    assert_eq!(read_all(body).await, (LINES.as_bytes().into(), None));
    let seen = &upstream.requests()[0];
    assert!(seen.head.starts_with("POST /prefix/rest/app-chat/conversations/new HTTP/1.1\r\n"), "{}", seen.head);
    assert_eq!(seen.header("cookie"), Some("sso-rw=canary-token;sso=canary-token;cf_clearance=canary-clearance"));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("origin"), Some(format!("http://{}", upstream.addr).as_str()));
    assert_eq!(seen.header("x-own"), Some("canary-extra"));
    assert_eq!(seen.header("x-statsig-id"), None);
    assert_eq!(seen.header("referer"), None);
    assert_eq!(seen.header("accept-encoding"), Some("gzip, br, zstd"));
    assert!(seen.header("user-agent").unwrap().starts_with("grok2api"));
    let sent: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(sent["message"], "Hello");
}

#[tokio::test]
async fn connections_are_kept_and_attempts_have_ids_of_their_own() {
    let upstream = serve("127.0.0.1", |_| response(200, &[], LINES)).await;
    let grok = client(&upstream.url(""));
    for _ in 0..5 {
        read_all(grok.clone().chat(&token(), &CALL, &settings("")).await.unwrap()).await;
    }
    assert_eq!(upstream.connections(), 1);
    let mut ids: Vec<_> =
        upstream.requests().iter().map(|seen| seen.header("x-xai-request-id").unwrap().to_owned()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 5);
}

#[tokio::test]
async fn chunks_come_as_they_are_sent_and_dropping_the_body_ends_the_request() {
    let upstream =
        serve("127.0.0.1", |_| vec![open_head(&[]), Step::Send(Bytes::from_static(b"{\"a\":1}\n")), Step::Hang]).await;
    let mut body = client(&upstream.url("")).chat(&token(), &CALL, &settings("")).await.unwrap();
    assert_eq!(body.next_chunk().await.unwrap().unwrap(), "{\"a\":1}\n");
    drop(body);
    upstream.client_left().await;
}

#[tokio::test]
async fn an_upload_gives_the_id() {
    let upstream =
        serve("127.0.0.1", |_| response(200, &[], r#"{"fileMetadataId":"f-7","fileName":"image.png"}"#)).await;
    let file = Attachment { file_name: "image.png".to_owned(), mime_type: "image/png", bytes: "pixels".into() };
    let id = client(&upstream.url("")).upload(&token(), &file, &settings("")).await.unwrap();
    assert_eq!(id, "f-7");
    let seen = &upstream.requests()[0];
    assert!(seen.head.starts_with("POST /rest/app-chat/upload-file "));
    assert_eq!(seen.body, br#"{"fileName":"image.png","fileMimeType":"image/png","content":"cGl4ZWxz"}"#);
}

#[tokio::test]
async fn limits_are_read_for_the_budget_asked_about() {
    let answer = r#"{"windowSizeSeconds":7200,"remainingTokens":76,"totalTokens":80}"#;
    let upstream = serve("127.0.0.1", move |_| response(200, &[], answer)).await;
    let limits = client(&upstream.url("")).rate_limits(&token(), "grok-3", &settings("")).await.unwrap();
    assert_eq!((limits.unit, limits.remaining), (Some(Unit::Tokens), Some(76)));
    assert_eq!(upstream.requests()[0].body, br#"{"requestKind":"DEFAULT","modelName":"grok-3"}"#);
}

#[tokio::test]
async fn c5_the_client_shows_nothing_of_its_configuration() {
    let shown = format!("{:?}", client("http://127.0.0.1:1/canary"));
    assert!(!shown.contains("canary"), "{shown}");
}
