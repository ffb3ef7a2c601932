//! A full disk, on a file system of 4 MiB.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use grok2api_entity::asset::{Kind, State};
use grok2api_entity::failure::Code;
use grok2api_media::{Folder, Library, MediaError, Spool, StoreError};

use crate::room::{LIMITS, Room, picture, read, whole};

/// Set in a process that runs in a namespace of its own.
const INSIDE: &str = "GROK2API_TEST_NAMESPACE";

/// A small file system; unmounted at the end.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Self {
        assert!(mount(at), "a tmpfs cannot be mounted, neither as root nor in a namespace of its own");
        Self(at)
    }
}

fn mount(at: &Path) -> bool {
    let mut command = Command::new("mount");
    command.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(at).status().unwrap().success()
}

/// Whoever may not mount runs the test once more where everybody may; returns whether that was done, with success.
fn has_run_in_a_namespace(test: &str) -> bool {
    let place = tempfile::tempdir().unwrap();
    let is_inside = std::env::var_os(INSIDE).is_some();
    if is_inside || mount(place.path()) {
        drop(SmallDisk(place.path()));
        return false;
    }
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount"]).arg(std::env::current_exe().unwrap());
    let status = command.args(["--exact", test]).env(INSIDE, "1").status().unwrap();
    assert!(status.success(), "{test} fails in a namespace of its own");
    true
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

fn library(room: &Room, disk: &Path) -> Library {
    let (spool, store) = (Spool::open(&disk.join("tmp")).unwrap(), Arc::new(Folder::open(disk).unwrap()));
    Library::with_store(room.database.db.clone(), room.settings.clone(), store, spool, LIMITS)
}

fn files(disk: &Path) -> usize {
    let entries = |dir: &Path| std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    entries(disk).iter().map(|dir| entries(dir).len()).sum()
}

#[tokio::test]
async fn f60_a_full_disk_leaves_no_half_file_and_recovers_alone() {
    if has_run_in_a_namespace("full::f60_a_full_disk_leaves_no_half_file_and_recovers_alone") {
        return;
    }
    let room = Room::sqlite().await;
    let home = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(home.path());
    let library = library(&room, disk.0);
    let mebibyte = |seed: u8| picture(seed, 1 << 20);
    let mut stored = Vec::new();
    for seed in 0..3 {
        let asset = room.pending(Kind::Image, &format!("users/a/{seed}.png")).await;
        stored.push(library.store(asset.id, whole(&mebibyte(seed)), None).await.unwrap());
    }
    // All is in use, so there is no room for another one, and nothing of it stays.
    let late = room.pending(Kind::Image, "users/a/late.png").await;
    let large = picture(9, 2 << 20);
    let error = library.store(late.id, whole(&large), Some(2 << 20)).await.unwrap_err();
    assert!(matches!(error, MediaError::Store(StoreError::Full(_))), "{error:?}");
    assert_eq!((error.code(), error.is_temporary()), (Code::StorageFull, true));
    assert_eq!((room.row(late.id).await.state, files(disk.0)), (State::Pending, 3));
    for (seed, asset) in (0..3).zip(&stored) {
        assert_eq!(read(&library, asset).await.unwrap(), mebibyte(seed));
    }
    // Two of them have not been used for long: they make room, and the next try succeeds.
    room.age(stored[0].id, 20).await;
    room.age(stored[2].id, 10).await;
    let row = library.store(late.id, whole(&large), Some(2 << 20)).await.unwrap();
    assert_eq!(read(&library, &row).await.unwrap(), large);
    assert_eq!(room.row(stored[0].id).await.state, State::Evicted);
    assert_eq!(read(&library, &room.row(stored[1].id).await).await.unwrap(), mebibyte(1));
    drop(disk);
    room.end().await;
}

#[tokio::test]
async fn f60_a_disk_without_room_for_a_single_byte_is_told_apart_from_other_trouble() {
    if has_run_in_a_namespace("full::f60_a_disk_without_room_for_a_single_byte_is_told_apart_from_other_trouble") {
        return;
    }
    let room = Room::sqlite().await;
    let home = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(home.path());
    let library = library(&room, disk.0);
    let ballast = disk.0.join("ballast");
    let filled = std::fs::write(&ballast, vec![0; 5 << 20]);
    assert_eq!(filled.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    let asset = room.pending(Kind::Image, "users/a/1.png").await;
    let bytes: Bytes = picture(1, 1000);
    let error = library.store(asset.id, whole(&bytes), None).await.unwrap_err();
    assert_eq!(error.code(), Code::StorageFull, "{error:?}");
    std::fs::remove_file(ballast).unwrap();
    assert_eq!(library.store(asset.id, whole(&bytes), None).await.unwrap().state, State::Stored);
    drop(disk);
    room.end().await;
}
