//! TLS to the upstream: straight, and through every kind of proxy.

use super::connections::post;
use super::proxies::socks5;
use super::*;
use crate::client::endpoints::Endpoints;
use crate::client::proxy::Proxy;
use crate::client::transport::Transport;
use crate::error::ErrorKind;
use crate::testing::{Seen, read_request};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A certificate for the name `localhost` and its key, made for these tests and good for a hundred years.
const CERT: &[u8] = include_bytes!("fixtures/localhost.cert.der");
const KEY: &[u8] = include_bytes!("fixtures/localhost.key.der");

type Requests = Arc<Mutex<Vec<Seen>>>;

fn acceptor() -> TlsAcceptor {
    crate::client::install_crypto();
    let key = PrivateKeyDer::try_from(KEY.to_vec()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    TlsAcceptor::from(Arc::new(config.with_single_cert(vec![CertificateDer::from(CERT.to_vec())], key).unwrap()))
}

/// Trusts that certificate and no other.
fn trusting() -> Arc<ClientConfig> {
    crate::client::install_crypto();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(CERT.to_vec())).unwrap();
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// An https upstream that says `{}` to everything.
async fn upstream() -> (SocketAddr, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (addr, requests) = (listener.local_addr().unwrap(), Requests::default());
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor().accept(stream).await else { return };
                while let Some(request) = read_request(&mut stream).await {
                    seen.lock().unwrap().push(request);
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
                }
            });
        }
    });
    (addr, requests)
}

/// A proxy that grants every tunnel, over TLS or not.
async fn tunnel_proxy(over_tls: bool) -> (SocketAddr, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (addr, requests) = (listener.local_addr().unwrap(), Requests::default());
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                if over_tls {
                    grant(acceptor().accept(stream).await.unwrap(), &seen).await;
                } else {
                    grant(stream, &seen).await;
                }
            });
        }
    });
    (addr, requests)
}

async fn grant(mut stream: impl AsyncRead + AsyncWrite + Unpin, seen: &Requests) {
    let request = read_request(&mut stream).await.unwrap();
    let port: u16 = request.header("host").unwrap().rsplit_once(':').unwrap().1.parse().unwrap();
    seen.lock().unwrap().push(request);
    stream.write_all(b"HTTP/1.1 200 Granted\r\n\r\n").await.unwrap();
    let mut there = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let _ = copy_bidirectional(&mut stream, &mut there).await;
}

fn transport(base: &str, proxy_url: &str) -> (Transport, Endpoints) {
    let endpoints = Endpoints::new(&base.parse().unwrap()).unwrap();
    let proxy = (!proxy_url.is_empty()).then(|| Proxy::read(&proxy_url.into()).unwrap());
    (Transport::new(&endpoints, proxy.as_ref(), &trusting(), Duration::from_secs(5)), endpoints)
}

#[tokio::test]
async fn an_https_upstream_is_reached_straight_and_its_connection_is_kept() {
    let (addr, requests) = upstream().await;
    let (transport, endpoints) = transport(&format!("https://localhost:{}", addr.port()), "");
    for _ in 0..3 {
        assert_eq!(post(&transport, &endpoints).await.unwrap(), "{}");
        assert_eq!(transport.idle().len(), 1);
    }
    let seen = requests.lock().unwrap();
    assert!(seen[2].head.starts_with("POST /rest/app-chat/conversations/new HTTP/1.1\r\n"), "{}", seen[2].head);
    assert_eq!(seen[2].header("host"), Some(format!("localhost:{}", addr.port()).as_str()));
}

#[tokio::test]
async fn c7_nothing_is_sent_to_a_host_with_another_name() {
    let (addr, requests) = upstream().await;
    let (transport, endpoints) = transport(&format!("https://127.0.0.1:{}", addr.port()), "");
    let error = post(&transport, &endpoints).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert_clean(&error);
    assert!(requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn c7_a_tunnel_hides_everything_from_an_http_proxy_and_its_password_from_the_upstream() {
    let (addr, requests) = upstream().await;
    let base = format!("https://localhost:{}", addr.port());
    for over_tls in [false, true] {
        let (proxy, asked) = tunnel_proxy(over_tls).await;
        let scheme = if over_tls { "https" } else { "http" };
        let (transport, endpoints) =
            transport(&base, &format!("{scheme}://user:canary-pass@localhost:{}", proxy.port()));
        for _ in 0..2 {
            assert_eq!(post(&transport, &endpoints).await.unwrap(), "{}");
        }
        let asked = asked.lock().unwrap();
        assert_eq!(asked.len(), 1, "one tunnel serves both calls");
        assert!(asked[0].head.starts_with(&format!("CONNECT localhost:{} HTTP/1.1\r\n", addr.port())));
        assert_eq!(asked[0].header("proxy-authorization"), Some("Basic dXNlcjpjYW5hcnktcGFzcw=="));
    }
    for seen in requests.lock().unwrap().iter() {
        assert!(seen.head.starts_with("POST /rest/"), "{}", seen.head);
        assert_eq!(seen.header("proxy-authorization"), None);
    }
}

#[tokio::test]
async fn tls_goes_through_socks5_with_the_name_left_to_the_proxy() {
    let (addr, requests) = upstream().await;
    let (proxy, asked) = socks5(addr).await;
    let (transport, endpoints) = transport("https://localhost", &format!("socks5://user:canary-pass@{proxy}"));
    assert_eq!(post(&transport, &endpoints).await.unwrap(), "{}");
    assert_eq!(*asked.lock().unwrap(), ["user canary-pass localhost"]);
    assert_eq!(requests.lock().unwrap()[0].header("host"), Some("localhost"));
}
