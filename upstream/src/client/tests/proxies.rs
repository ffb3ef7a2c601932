//! The ways out: HTTP proxies and SOCKS5, alive, dead and hostile.

use super::*;
use crate::attachment::{AttachmentLimits, Fetcher, ImageRef, resolve};
use crate::error::{AccountEffect, ErrorKind};
use crate::testing::{read_request, response, serve};
use grok2api_config::FetchConfig;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// What a proxy was asked for, in order.
pub(super) type Log = Arc<Mutex<Vec<String>>>;

/// A SOCKS5 proxy (RFC 1928, RFC 1929) that sends everything to one place.
pub(super) async fn socks5(target: SocketAddr) -> (SocketAddr, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (addr, log) = (listener.local_addr().unwrap(), Log::default());
    let asked = Arc::clone(&log);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let asked = Arc::clone(&asked);
            tokio::spawn(async move {
                let words = socks5_handshake(&mut stream).await;
                asked.lock().unwrap().push(words);
                let mut there = TcpStream::connect(target).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut there).await;
            });
        }
    });
    (addr, log)
}

/// Takes user, password and destination; grants everything.
async fn socks5_handshake(stream: &mut TcpStream) -> String {
    let mut offer = [0; 2];
    stream.read_exact(&mut offer).await.unwrap();
    let mut methods = vec![0; usize::from(offer[1])];
    stream.read_exact(&mut methods).await.unwrap();
    let mut words = String::new();
    if methods.contains(&2) {
        stream.write_all(&[5, 2]).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), 1);
        for _ in 0..2 {
            words.push_str(&read_word(stream).await);
            words.push(' ');
        }
        stream.write_all(&[1, 0]).await.unwrap();
    } else {
        stream.write_all(&[5, 0]).await.unwrap();
    }
    let mut request = [0; 4];
    stream.read_exact(&mut request).await.unwrap();
    match request[3] {
        3 => words.push_str(&read_word(stream).await),
        kind => panic!("an address of kind {kind}: the name was resolved on this side"),
    }
    stream.read_u16().await.unwrap();
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
    words
}

async fn read_word(stream: &mut TcpStream) -> String {
    let mut word = vec![0; usize::from(stream.read_u8().await.unwrap())];
    stream.read_exact(&mut word).await.unwrap();
    String::from_utf8(word).unwrap()
}

#[tokio::test]
async fn socks5_leaves_names_to_the_proxy_and_authenticates() {
    let upstream = serve("127.0.0.1", |_| response(200, &[], "{}\n")).await;
    let (proxy, asked) = socks5(upstream.addr).await;
    let grok = client("http://localhost:9");
    for scheme in ["socks5", "socks5h"] {
        let body =
            grok.chat(&token(), &CALL, &settings(&format!("{scheme}://user:canary-pass@{proxy}"))).await.unwrap();
        assert_eq!(read_all(body).await.0, "{}\n");
    }
    assert_eq!(*asked.lock().unwrap(), ["user canary-pass localhost", "user canary-pass localhost"]);
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test]
async fn an_http_proxy_gets_its_password_and_the_upstream_does_not() {
    let proxy = serve("127.0.0.1", |_| response(200, &[], "{}\n")).await;
    let grok = client("http://localhost:9/base");
    let setting = format!("http://user:canary-pass@{}", proxy.addr);
    let body = grok.chat(&token(), &CALL, &settings(&setting)).await.unwrap();
    assert_eq!(read_all(body).await.0, "{}\n");
    let seen = &proxy.requests()[0];
    assert!(seen.head.starts_with("POST http://localhost:9/base/rest/app-chat/conversations/new "), "{}", seen.head);
    assert_eq!(seen.header("proxy-authorization"), Some("Basic dXNlcjpjYW5hcnktcGFzcw=="));
}

#[tokio::test]
async fn c7_over_https_a_proxy_sees_the_host_and_nothing_of_the_account() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let setting = format!("http://user:canary-pass@{}", listener.local_addr().unwrap());
    let proxy = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let seen = read_request(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 502 No\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        seen
    });
    let error = client("https://grok.invalid").chat(&token(), &CALL, &settings(&setting)).await.unwrap_err();
    assert_eq!((error.kind, error.account), (ErrorKind::Unreachable, AccountEffect::None));
    assert_clean(&error);
    let seen = proxy.await.unwrap();
    assert!(seen.head.starts_with("CONNECT grok.invalid:443 "), "{}", seen.head);
    assert!(!seen.head.contains(TOKEN) && seen.header("cookie").is_none());
}

#[tokio::test]
async fn f53_a_dead_proxy_is_unreachable_and_no_accounts_fault() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = listener.local_addr().unwrap();
    drop(listener);
    for scheme in ["http", "socks5", "socks5h"] {
        let setting = format!("{scheme}://user:canary-pass@{dead}");
        let error = client("https://grok.invalid").chat(&token(), &CALL, &settings(&setting)).await.unwrap_err();
        assert_eq!((error.kind, error.account), (ErrorKind::Unreachable, AccountEffect::None), "{scheme}");
        assert_clean(&error);
    }
}

#[tokio::test]
async fn c7_a_credential_does_not_go_to_another_machine_in_clear_text() {
    let error =
        client("http://127.0.0.1:9").chat(&token(), &CALL, &settings("http://192.0.2.1:3128")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.message.contains("on another machine"), "{error}");
    assert_clean(&error);
}

#[tokio::test]
async fn a_changed_proxy_setting_counts_from_the_next_call() {
    let upstream = serve("127.0.0.1", |_| response(200, &[], "direct")).await;
    let proxy = serve("127.0.0.1", |_| response(200, &[], "proxied")).await;
    let grok = client(&upstream.url(""));
    let through = settings(&format!("http://{}", proxy.addr));
    for (settings, expected) in [(settings(""), "direct"), (through, "proxied"), (settings(""), "direct")] {
        assert_eq!(read_all(grok.chat(&token(), &CALL, &settings).await.unwrap()).await.0, expected);
    }
}

#[tokio::test]
async fn direct_calls_stay_direct() {
    let upstream = serve("127.0.0.1", |_| response(200, &[], "{}")).await;
    let body = client(&upstream.url("")).chat(&token(), &CALL, &settings("")).await.unwrap();
    assert_eq!(read_all(body).await.0, "{}");
    let lab = FetchConfig {
        allow_http: true,
        allow_private: true,
        allow_ports: vec![upstream.addr.port()],
        ..FetchConfig::default()
    };
    let image = ImageRef { url: &upstream.url("/") };
    let error = resolve(&Fetcher::new(&lab).unwrap(), &[image], AttachmentLimits::default()).await.unwrap_err();
    assert_eq!(error.code(), "invalid_image", "the address was reached: {error}");
}

#[tokio::test]
async fn m6_proxies_of_the_environment_are_ignored() {
    let mut this = std::process::Command::new(std::env::current_exe().unwrap());
    this.args(["--exact", "client::tests::proxies::direct_calls_stay_direct"]);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        this.env(name, "http://127.0.0.1:9");
    }
    let output = this.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}
