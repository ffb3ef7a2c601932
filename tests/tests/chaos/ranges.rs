//! A large video costs no memory, however slowly it is read.

use std::time::Duration;

use grok2api_tests::fleet::{Clients, Fleet, Part, Plan, Records, Wish, wait_for};
use grok2api_tests::ledger::Told;
use reqwest::Method;

const MIB: u64 = 1 << 20;
/// The most that may be added while it is served.
const EXTRA: u64 = 8 * MIB;

/// Reads a range at about 20 MiB a second; answers how many bytes came.
async fn read_slowly(fleet: &Fleet, path: &str, range: Option<(u64, u64)>) -> u64 {
    let mut request = fleet.client().request(Method::GET, path);
    if let Some((from, to)) = range {
        request = request.header("range", format!("bytes={from}-{to}"));
    }
    let mut response = request.send().await.unwrap();
    assert_eq!(response.status().as_u16(), if range.is_some() { 206 } else { 200 }, "{range:?}: {response:?}");
    let (mut read, mut rested) = (0, 0);
    while let Some(piece) = response.chunk().await.unwrap() {
        read += piece.len() as u64;
        if read - rested > MIB {
            rested = read;
            // No wait for anything: this reader is slow.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    read
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_of_100_mib_is_served_in_ranges_within_8_mib_of_memory() {
    let fleet = Fleet::prepare(Plan::new(Records::Sqlite, false)).await.unwrap();
    let serve = fleet.ready(Part::Serve, "").await.unwrap();
    let clients = Clients::new(fleet.client());
    clients.ask(Wish::video("large", "media:mib=100")).await;
    let done = wait_for("the video is stored", Duration::from_secs(120), async || {
        Ok((fleet.open_jobs().await? == 0).then_some(()))
    });
    done.await.unwrap();
    let log = clients.log(Duration::from_secs(5)).await.unwrap();
    let Told::Accepted(Some(id)) = &log[0].told else { panic!("{log:?}") };
    let path = format!("/v1/videos/{id}/content");
    // Once before it counts: what is made at the first use stays.
    assert_eq!(read_slowly(&fleet, &path, Some((0, MIB - 1))).await, MIB);
    let before = serve.status_kib("VmRSS").unwrap() * 1024;
    serve.forget_peak().unwrap();
    let (first, middle, last, whole) = tokio::join!(
        read_slowly(&fleet, &path, Some((0, 30 * MIB - 1))),
        read_slowly(&fleet, &path, Some((40 * MIB, 70 * MIB - 1))),
        read_slowly(&fleet, &path, Some((70 * MIB, 100 * MIB - 1))),
        read_slowly(&fleet, &path, None),
    );
    assert_eq!((first, middle, last, whole), (30 * MIB, 30 * MIB, 30 * MIB, 100 * MIB));
    let peak = serve.status_kib("VmHWM").unwrap() * 1024;
    let extra = peak.saturating_sub(before);
    println!("{} KiB before, {} KiB at most: {} KiB more", before / 1024, peak / 1024, extra / 1024);
    assert!(extra <= EXTRA, "{extra} bytes more than before");
}
