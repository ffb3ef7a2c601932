//! A large video passes through in little memory. A process of its own, since its peak is what is measured.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "laws/room.rs"]
#[expect(dead_code, reason = "this test needs less of it")]
mod room;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt, stream};
use grok2api_entity::asset::Kind;
use grok2api_media::{Folder, Library, Limits};
use room::{Room, asset_path, new_asset, video};

const VIDEO_BYTES: usize = 100_000_000;
const PIECE: usize = 64 * 1024;
/// What the issue allows.
const EXTRA_KIB: u64 = 8 * 1024;

/// A line of `/proc/self/status`, in KiB.
fn status_kib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// From here on the peak counts anew.
fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// A source that makes its bytes while they are asked for.
fn source(length: usize) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let pieces = (0..length).step_by(PIECE).map(move |at| {
        let piece = PIECE.min(length - at);
        Ok(if at == 0 { video(1, piece) } else { vec![u8::try_from(at / PIECE % 256).unwrap(); piece].into() })
    });
    stream::iter(pieces)
}

async fn pass_through(library: &Library, length: usize) -> (u64, u64) {
    let source_path = asset_path("users/a/v.mp4");
    let asset = library.register(new_asset(Kind::Video, &source_path)).await.unwrap();
    forget_peak();
    let before = status_kib("VmRSS");
    let stored = library.store(asset.id, source(length), Some(length as u64)).await.unwrap();
    let storing = status_kib("VmHWM").saturating_sub(before);
    forget_peak();
    let before = status_kib("VmRSS");
    let mut pieces = library.open(&stored, None).await.unwrap().unwrap();
    let mut received = 0;
    while let Some(piece) = pieces.try_next().await.unwrap() {
        assert!(piece.len() <= 1 << 20);
        received += piece.len();
    }
    assert_eq!(received, length);
    (storing, status_kib("VmHWM").saturating_sub(before))
}

#[tokio::test]
async fn a_video_of_100_mb_is_stored_and_read_in_at_most_8_mib_of_extra_memory() {
    let room = Room::sqlite().await;
    let store = Arc::new(Folder::open(room.home.path()).unwrap());
    let library = room.with_limits(store, Limits { max_video_bytes: 200_000_000, ..room::LIMITS });
    // The first one wakes what stays: threads, connections, the allocator's stock.
    pass_through(&library, 1_000_000).await;
    let (storing, reading) = pass_through(&library, VIDEO_BYTES).await;
    assert!(storing <= EXTRA_KIB && reading <= EXTRA_KIB, "storing took {storing} KiB, reading {reading} KiB");
    room.end().await;
}
