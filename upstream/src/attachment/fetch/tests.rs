//! The guarded fetch against servers it may see (127.0.0.1) and honeypots that it must never touch (127.0.0.2).

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use super::*;
use crate::attachment::dns::LookupFuture;
use crate::attachment::image::samples;
use crate::testing::{Served, Step, open_head, response, serve};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Instant;

const PUBLIC: &str = "127.0.0.1";
const HONEYPOT: &str = "127.0.0.2";
const HOST: &str = "pictures.example.com";

/// A name server whose answers are laid down in advance, one after the other; the last one stays.
struct Script(Mutex<VecDeque<Vec<IpAddr>>>);

impl Script {
    fn lookup(answers: &[&[&str]]) -> Arc<dyn Lookup> {
        let answers = answers.iter().map(|answer| answer.iter().map(|ip| ip.parse().unwrap()).collect());
        Arc::new(Self(Mutex::new(answers.collect())))
    }
}

impl Lookup for Script {
    fn lookup(&self, _name: String) -> LookupFuture {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(std::future::ready(answer.ok_or_else(|| std::io::Error::other("no such name"))))
    }
}

fn config(ports: &[u16]) -> FetchConfig {
    FetchConfig {
        allow_http: true,
        allow_ports: ports.to_vec(),
        timeout_ms: 5_000,
        max_bytes: 100_000,
        ..FetchConfig::default()
    }
}

/// A fetcher for which 127.0.0.1 is a public host and every other address of this machine is not.
fn fetcher(config: &FetchConfig, answers: &[&[&str]]) -> Fetcher {
    let mut guard = Guard::new(config);
    guard.treat_as_public = vec![PUBLIC.parse().unwrap()];
    Fetcher::with_parts(config, guard, &Script::lookup(answers)).unwrap()
}

async fn fetch(fetcher: &Fetcher, url: &str) -> Result<Bytes, FetchFault> {
    fetcher.fetch(url, &ByteBudget::new(1 << 20)).await
}

fn at(served: &Served) -> String {
    format!("http://{HOST}:{}/a.png?token=x#part", served.addr.port())
}

#[tokio::test]
async fn m7_a_fetch_brings_the_bytes_and_shows_nothing_of_us() {
    let server = serve(PUBLIC, |_| response(200, &[("content-type", "text/plain")], samples::png(4, 4))).await;
    let fetcher = fetcher(&config(&[server.addr.port()]), &[&[PUBLIC]]);
    assert_eq!(fetch(&fetcher, &at(&server)).await.unwrap(), samples::png(4, 4));
    let seen = &server.requests()[0];
    let mut names: Vec<_> =
        seen.head.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "accept-encoding", "host", "user-agent"]);
    assert!(seen.head.starts_with("GET /a.png?token=x HTTP/1.1"));
    assert_eq!(seen.header("user-agent"), Some("grok2api-image-fetch"));
    assert_eq!(seen.header("host"), Some(format!("{HOST}:{}", server.addr.port()).as_str()));
}

#[tokio::test]
async fn m2_a_name_of_a_private_host_is_never_dialled() {
    let honeypot = serve(HONEYPOT, |_| response(200, &[], samples::png(4, 4))).await;
    let port = honeypot.addr.port();
    for answer in [&[HONEYPOT][..], &[PUBLIC, HONEYPOT], &[HONEYPOT, PUBLIC], &["::ffff:127.0.0.2"], &["::1"], &[]] {
        let fetcher = fetcher(&config(&[port]), &[answer]);
        assert_eq!(fetch(&fetcher, &at(&honeypot)).await, Err(FetchFault::NotFetched), "{answer:?}");
    }
    assert_eq!(honeypot.connections(), 0);
}

#[tokio::test]
async fn m1_forbidden_addresses_are_refused_before_any_packet() {
    let honeypot = serve(HONEYPOT, |_| response(200, &[], samples::png(4, 4))).await;
    let port = honeypot.addr.port();
    let fetcher = fetcher(&config(&[port]), &[&[PUBLIC]]);
    for url in [
        format!("http://127.0.0.2:{port}/"),
        format!("http://2130706434:{port}/"),
        format!("http://0x7f.2:{port}/"),
        format!("http://[::ffff:127.0.0.2]:{port}/"),
        format!("http://user@{HOST}:{port}/"),
        format!("ftp://{HOST}:{port}/"),
        format!("http://localhost:{port}/"),
        "http://".to_owned(),
        "/etc/passwd".to_owned(),
    ] {
        assert_eq!(fetch(&fetcher, &url).await, Err(FetchFault::NotFetched), "{url}");
    }
    assert_eq!(honeypot.connections(), 0);
}

#[tokio::test]
async fn m5_a_redirect_to_a_private_host_is_not_followed() {
    let honeypot = serve(HONEYPOT, |_| response(200, &[], samples::png(4, 4))).await;
    for target in
        [honeypot.url("/x"), honeypot.url("/x").replace("127.0.0.2", "0x7f000002"), "file:///etc/passwd".to_owned()]
    {
        let server = serve(PUBLIC, move |_| response(302, &[("location", &target)], "")).await;
        let ports = [server.addr.port(), honeypot.addr.port()];
        let fetcher = fetcher(&config(&ports), &[&[PUBLIC]]);
        assert_eq!(fetch(&fetcher, &at(&server)).await, Err(FetchFault::NotFetched));
        assert_eq!(server.requests().len(), 1);
    }
    assert_eq!(honeypot.connections(), 0);
}

#[tokio::test]
async fn f65_a_name_that_changes_its_address_between_lookups_gains_nothing() {
    let honeypot = serve(HONEYPOT, |_| response(200, &[], samples::png(4, 4))).await;
    let port = honeypot.addr.port();
    let target = format!("http://{HOST}:{port}/second");
    let server = serve(PUBLIC, move |_| response(302, &[("location", &target)], "")).await;
    let fetcher = fetcher(&config(&[server.addr.port(), port]), &[&[PUBLIC], &[HONEYPOT]]);
    assert_eq!(fetch(&fetcher, &at(&server)).await, Err(FetchFault::NotFetched));
    // The same name again: nothing was kept from the time when it was public.
    assert_eq!(fetch(&fetcher, &at(&server)).await, Err(FetchFault::NotFetched));
    assert_eq!((server.requests().len(), honeypot.connections()), (1, 0));
}

#[tokio::test]
async fn m5_three_redirects_are_followed_and_a_fourth_is_not() {
    let server = serve(PUBLIC, |seen| {
        let left: u32 = seen.head.split_whitespace().nth(1).unwrap()[1..].parse().unwrap();
        match left {
            0 => response(200, &[], samples::gif(2, 2, 1)),
            _ => response(307, &[("location", &(left - 1).to_string())], "ignored"),
        }
    })
    .await;
    let fetcher = fetcher(&config(&[server.addr.port()]), &[&[PUBLIC]]);
    let url = |hops: u32| format!("http://{HOST}:{}/{hops}", server.addr.port());
    assert_eq!(fetch(&fetcher, &url(3)).await.unwrap(), samples::gif(2, 2, 1));
    assert_eq!(server.requests().len(), 4);
    assert_eq!(fetch(&fetcher, &url(4)).await, Err(FetchFault::NotFetched));
}

#[tokio::test]
async fn m9_the_cap_holds_for_announced_streamed_and_inflated_bodies() {
    let announced = serve(PUBLIC, |_| response(200, &[("x", "y")], vec![0; 100_001])).await;
    let streamed = serve(PUBLIC, |_| {
        let piece = Step::Send(vec![0; 50_000].into());
        vec![open_head(&[]), piece.clone(), piece.clone(), piece.clone(), piece, Step::Hang]
    })
    .await;
    for server in [&announced, &streamed] {
        let fetcher = fetcher(&config(&[server.addr.port()]), &[&[PUBLIC]]);
        assert_eq!(fetch(&fetcher, &at(server)).await, Err(FetchFault::TooLarge));
    }
    streamed.client_left().await;
    // Members of 100 equal bytes: small on the wire, beyond the cap when inflated.
    let bomb: Vec<u8> = gzip(&vec![7; 60_000]).await.repeat(2);
    let inflated = serve(PUBLIC, move |_| response(200, &[("content-encoding", "gzip")], bomb.clone())).await;
    let fetcher = fetcher(&config(&[inflated.addr.port()]), &[&[PUBLIC]]);
    assert_eq!(fetch(&fetcher, &at(&inflated)).await, Err(FetchFault::TooLarge));
}

async fn gzip(bytes: &[u8]) -> Vec<u8> {
    use tokio::io::AsyncWriteExt;
    let mut encoder = async_compression::tokio::write::GzipEncoder::new(Vec::new());
    encoder.write_all(bytes).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

#[tokio::test]
async fn m12_pictures_share_the_budget_of_their_request() {
    let server = serve(PUBLIC, |_| response(200, &[], vec![0; 60_000])).await;
    let fetcher = fetcher(&config(&[server.addr.port()]), &[&[PUBLIC]]);
    let budget = ByteBudget::new(100_000);
    assert!(fetcher.fetch(&at(&server), &budget).await.is_ok());
    assert_eq!(fetcher.fetch(&at(&server), &budget).await, Err(FetchFault::OverBudget));
}

#[tokio::test]
async fn m9_one_deadline_covers_silence_and_drips() {
    for steps in [vec![Step::Hang], vec![open_head(&[]), Step::Send(Bytes::from_static(b"x")), Step::Hang]] {
        let server = serve(PUBLIC, move |_| steps.clone()).await;
        let config = FetchConfig { timeout_ms: 150, ..config(&[server.addr.port()]) };
        let begun = Instant::now();
        assert_eq!(fetch(&fetcher(&config, &[&[PUBLIC]]), &at(&server)).await, Err(FetchFault::NotFetched));
        assert!(begun.elapsed() < Duration::from_secs(4));
        server.client_left().await;
    }
}

#[tokio::test]
async fn m9_a_head_beyond_its_cap_is_refused() {
    let long = "x".repeat(9_000);
    let server =
        serve(PUBLIC, move |_| response(200, &[("a", &long), ("b", &long), ("c", &long), ("d", &long)], "x")).await;
    let fetcher = fetcher(&config(&[server.addr.port()]), &[&[PUBLIC]]);
    assert_eq!(fetch(&fetcher, &at(&server)).await, Err(FetchFault::NotFetched));
}

#[tokio::test]
async fn m8_other_answers_are_not_fetched() {
    for steps in [
        response(404, &[], "x"),
        response(204, &[], ""),
        response(206, &[], "x"),
        response(302, &[], ""),
        response(500, &[], "x"),
        response(200, &[("content-encoding", "deflate")], "x"),
        response(200, &[("content-encoding", "gzip")], "x"),
        vec![Step::Close],
        vec![Step::Send(Bytes::from_static(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")), Step::Close],
    ] {
        let server = serve(PUBLIC, move |_| steps.clone()).await;
        let fetcher = fetcher(&config(&[server.addr.port()]), &[&[PUBLIC]]);
        assert_eq!(fetch(&fetcher, &at(&server)).await, Err(FetchFault::NotFetched));
    }
    let nobody = fetcher(&config(&[9]), &[]);
    assert_eq!(fetch(&nobody, &format!("http://{HOST}:9/")).await, Err(FetchFault::NotFetched));
}
