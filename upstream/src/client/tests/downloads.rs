//! Files of the asset host: asked for with the right credential, at the right place, and in bounded time.

use std::time::Duration;

use super::*;
use crate::asset::{AssetKind, AssetPath, TRUSTED_HOSTS, normalize};
use crate::client::{BuildError, Download, DownloadLimits};
use crate::error::{AccountEffect, Delivery, ErrorKind};
use crate::testing::{Served, Step, open_head, response, serve};

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(20);

fn path(raw: &str) -> AssetPath {
    normalize(&TRUSTED_HOSTS, raw).unwrap()
}

fn picture() -> AssetPath {
    path("users/u/generated/a/image.jpg")
}

/// A client whose chats go nowhere and whose files lie on `assets`.
fn client_of(assets: &str) -> GrokWeb {
    let config = UpstreamConfig { assets_base_url: assets.parse().unwrap(), ..config("http://127.0.0.1:9") };
    GrokWeb::new(&config).unwrap()
}

async fn download(assets: &Served) -> Result<Download, UpstreamError> {
    client_of(&assets.url("")).download(&token(), &picture(), &settings("")).await
}

async fn refused(status: u16, headers: &'static [(&str, &str)], body: &'static str) -> UpstreamError {
    let assets = serve("127.0.0.1", move |_| response(status, headers, body)).await;
    let error = download(&assets).await.unwrap_err();
    assert_clean(&error);
    error
}

async fn read(mut file: Download) -> (Vec<u8>, Option<UpstreamError>) {
    let mut bytes = Vec::new();
    loop {
        match file.next_piece().await {
            Ok(Some(piece)) => {
                assert!(!piece.is_empty());
                bytes.extend_from_slice(&piece);
            }
            Ok(None) => {
                assert_eq!(file.received_bytes(), bytes.len() as u64);
                return (bytes, None);
            }
            Err(error) => {
                assert_eq!(file.next_piece().await, Ok(None), "nothing follows an error");
                assert_clean(&error);
                return (bytes, Some(error));
            }
        }
    }
}

#[tokio::test]
async fn c7_a_file_is_asked_for_with_the_cookies_of_a_chat_and_nothing_of_a_body() {
    let assets = serve("127.0.0.1", |_| response(200, &[("content-type", "image/jpeg")], "the picture")).await;
    let grok = client_of(&assets.url("/files/"));
    let asked = path("users/u/generated/a%20b/image.jpg?cache=1");
    let file = grok.download(&token(), &asked, &settings("")).await.unwrap();
    assert_eq!((file.declared_bytes(), file.content_type()), (Some(11), Some("image/jpeg")));
    assert_eq!(read(file).await, (b"the picture".to_vec(), None));
    let seen = &assets.requests()[0];
    assert!(
        seen.head.starts_with("GET /files/users/u/generated/a%20b/image.jpg?cache=1 HTTP/1.1\r\n"),
        "{}",
        seen.head
    );
    let cookie = format!("sso-rw={TOKEN};sso={TOKEN};cf_clearance=canary-clearance");
    assert_eq!(seen.header("cookie"), Some(cookie.as_str()));
    assert_eq!((seen.header("accept-encoding"), seen.header("x-own")), (Some("identity"), Some("canary-extra")));
    assert!(seen.header("content-type").is_none() && seen.header("origin").is_none());
}

#[tokio::test]
async fn a_file_without_a_length_is_read_to_its_end() {
    let assets = serve("127.0.0.1", |_| vec![open_head(&[]), Step::Send("whole".into()), Step::Close]).await;
    let file = download(&assets).await.unwrap();
    assert_eq!(file.declared_bytes(), None);
    assert_eq!(read(file).await, (b"whole".to_vec(), None));
}

#[tokio::test]
async fn c7_a_redirect_of_a_file_is_not_followed() {
    let thief = serve("127.0.0.1", |_| response(200, &[], "{}")).await;
    let target = thief.url("/users/u/generated/a/image.jpg");
    let assets = serve("127.0.0.1", move |_| response(302, &[("location", &target)], "")).await;
    let error = download(&assets).await.unwrap_err();
    assert_eq!((error.kind, error.account), (ErrorKind::Error, AccountEffect::None));
    assert_clean(&error);
    assert_eq!((assets.requests().len(), thief.connections()), (1, 0));
}

#[tokio::test]
async fn a_missing_file_is_told_from_every_other_refusal() {
    let missing = refused(404, &[], r#"{"error":{"code":5,"message":"Not found"}}"#).await;
    assert_eq!((missing.kind, missing.account), (ErrorKind::NotFound, AccountEffect::None));
    assert_eq!(refused(404, &[("content-type", "text/html")], "<html>no</html>").await.kind, ErrorKind::NotFound);
    let foreign = refused(403, &[], r#"{"error":{"code":7,"message":"Permission denied"}}"#).await;
    assert_eq!((foreign.kind, foreign.account), (ErrorKind::Blocked, AccountEffect::Strike));
    let challenge = refused(403, &[("content-type", "text/html")], "<!doctype html><title>Just a moment</title>").await;
    assert_eq!((challenge.kind, challenge.account), (ErrorKind::Blocked, AccountEffect::None));
    assert_eq!(refused(401, &[], "").await.kind, ErrorKind::AccountInvalid);
    let limited = refused(429, &[("retry-after", "7")], "").await;
    assert_eq!((limited.kind, limited.retry_after), (ErrorKind::RateLimited, Some(Duration::from_secs(7))));
    for status in [500, 502, 503] {
        assert_eq!(refused(status, &[], "").await.kind, ErrorKind::Error);
    }
}

#[tokio::test]
async fn f51_a_page_in_place_of_a_file_is_refused() {
    let page = refused(200, &[("content-type", "Text/HTML; charset=utf-8")], "<!doctype html>").await;
    assert_eq!(page.kind, ErrorKind::NotStream);
    assert_eq!(refused(200, &[("content-encoding", "gzip")], "xx").await.kind, ErrorKind::Error);
}

#[tokio::test]
async fn f5_a_file_that_is_cut_off_is_never_whole() {
    let assets = serve("127.0.0.1", |_| {
        vec![Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".into()), Step::Close]
    })
    .await;
    let (bytes, error) = read(download(&assets).await.unwrap()).await;
    assert_eq!((bytes, error.unwrap().kind), (b"half".to_vec(), ErrorKind::Interrupted));
}

#[tokio::test]
async fn i7_silence_ends_a_download_before_and_within_the_file() {
    let limits = DownloadLimits { idle: SHORT, total: LONG };
    let silent = serve("127.0.0.1", |_| vec![Step::Hang]).await;
    let grok = client_of(&silent.url(""));
    let error = grok.download_within(limits, &token(), &picture(), &settings("")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert_clean(&error);
    silent.client_left().await;
    let stalled = serve("127.0.0.1", |_| {
        vec![Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".into()), Step::Hang]
    })
    .await;
    let file = client_of(&stalled.url("")).download_within(limits, &token(), &picture(), &settings("")).await.unwrap();
    let (bytes, error) = read(file).await;
    let error = error.unwrap();
    assert_eq!((bytes, error.kind), (b"half".to_vec(), ErrorKind::Timeout));
    assert!(error.message.contains("silent"), "{error}");
    stalled.client_left().await;
}

#[tokio::test]
async fn i7_a_file_that_never_ends_is_given_up_in_time() {
    let endless = serve("127.0.0.1", |_| {
        let piece = Step::Send(vec![b'x'; 64 * 1024].into());
        std::iter::once(open_head(&[])).chain(std::iter::repeat_n(piece, 100_000)).collect()
    })
    .await;
    let limits = DownloadLimits { idle: LONG, total: SHORT };
    let file = client_of(&endless.url("")).download_within(limits, &token(), &picture(), &settings("")).await.unwrap();
    let error = read(file).await.1.unwrap();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.message.contains("whole"), "{error}");
    endless.client_left().await;
}

#[tokio::test]
async fn files_go_through_their_own_proxy_or_through_that_of_chats() {
    let proxy = serve("127.0.0.1", |_| response(200, &[], "by the chats' way")).await;
    let own = serve("127.0.0.1", |_| response(200, &[], "by the files' way")).await;
    let direct = serve("127.0.0.1", |_| response(200, &[], "direct")).await;
    let grok = client_of(&direct.url(""));
    let url_of = |served: &Served| format!("http://user:canary-pass@{}", served.addr);
    for (chats, files, expected) in [
        (String::new(), String::new(), "direct"),
        (url_of(&proxy), String::new(), "by the chats' way"),
        (url_of(&proxy), url_of(&own), "by the files' way"),
        (String::new(), url_of(&own), "by the files' way"),
    ] {
        let mut settings = settings(&chats);
        settings.grok.cache_proxy_url = files.into();
        let file = grok.download(&token(), &picture(), &settings).await.unwrap();
        assert_eq!(read(file).await.0, expected.as_bytes());
    }
    let mut settings = settings("");
    settings.grok.cache_proxy_url = "http://192.0.2.1:3128".into();
    let error = grok.download(&token(), &picture(), &settings).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable, "no credential in clear text to another machine");
    assert_clean(&error);
}

#[tokio::test]
async fn c7_plain_http_to_another_machine_is_no_asset_host() {
    for (address, good) in
        [("http://127.0.0.1:1/x", true), ("http://assets.example", false), ("https://u:p@a.example", false)]
    {
        let config = UpstreamConfig { assets_base_url: address.parse().unwrap(), ..config("http://127.0.0.1:9") };
        match GrokWeb::new(&config) {
            Ok(_) => assert!(good, "{address}"),
            Err(error) => assert!(!good && matches!(error, BuildError::AssetsUrl(_)), "{address}: {error}"),
        }
    }
}

#[test]
fn a_video_may_take_longer_than_a_picture() {
    let (picture, video) = (DownloadLimits::for_kind(AssetKind::Image), DownloadLimits::for_kind(AssetKind::Video));
    assert_eq!((picture.idle.as_secs(), picture.total.as_secs(), video.total.as_secs()), (30, 30, 300));
}

#[tokio::test]
async fn i3_an_error_says_whether_the_upstream_can_have_taken_the_call() {
    let answered = |status: u16, body: &'static str| async move {
        let upstream = serve("127.0.0.1", move |_| response(status, &[], body)).await;
        client(&upstream.url("")).chat(&token(), &CALL, &settings("")).await.unwrap_err().delivery
    };
    for status in [400, 401, 403, 404, 429] {
        assert_eq!(answered(status, "").await, Delivery::NotAccepted, "{status}");
    }
    for status in [302, 500, 502, 503] {
        assert_eq!(answered(status, "").await, Delivery::Answered, "{status}");
    }
    let cut = serve("127.0.0.1", |_| vec![Step::Close]).await;
    let error = client(&cut.url("")).chat(&token(), &CALL, &settings("")).await.unwrap_err();
    assert_eq!((error.kind, error.delivery), (ErrorKind::Interrupted, Delivery::Unknown));
    let nobody = client("http://127.0.0.1:9").chat(&token(), &CALL, &settings("")).await.unwrap_err();
    assert_eq!((nobody.kind, nobody.delivery), (ErrorKind::Unreachable, Delivery::NotAccepted));
    let unsendable = client(&cut.url("")).chat(&"canary; x=y".into(), &CALL, &settings("")).await.unwrap_err();
    assert_eq!((unsendable.kind, unsendable.delivery), (ErrorKind::AccountInvalid, Delivery::NotAccepted));
}
