//! What every store does alike, and what becomes of an S3 service in trouble.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use grok2api_entity::asset::{Kind, State};
use grok2api_media::{Folder, Listed, MediaError, Opened, Shelf, Spool, SpoolFile, StorageKey, Store, StoreError};
use tempfile::TempDir;

use crate::room::{Room, picture, read, video, whole};
use crate::s3_server::S3Server;

/// Long enough for a busy machine.
const PATIENT: Duration = Duration::from_secs(20);

async fn spooled(spool: &Spool, bytes: &Bytes) -> (StorageKey, SpoolFile) {
    let mut file = spool.begin().await.unwrap();
    for at in (0..bytes.len()).step_by(100_000) {
        file.append(bytes.slice(at..bytes.len().min(at + 100_000))).await.unwrap();
    }
    (StorageKey::of_content(&file.sha256()).unwrap(), file)
}

async fn bytes_of(opened: Opened) -> Option<Vec<u8>> {
    match opened {
        Opened::Whole(pieces) => Some(pieces.try_collect::<Vec<Bytes>>().await.unwrap().concat()),
        Opened::Missing | Opened::Damaged => None,
    }
}

/// What holds for any store, here with files of `length` bytes.
async fn contract(store: &dyn Store, spool: &Spool, length: usize) {
    let bytes = picture(1, length);
    let whole_length = length as u64;
    let (key, file) = spooled(spool, &bytes).await;
    assert!(matches!(store.open(&key, whole_length, 0..whole_length).await.unwrap(), Opened::Missing));
    assert_eq!(store.size(&key).await.unwrap(), None);
    store.delete(&key).await.unwrap();
    store.put(&key, &file).await.unwrap();
    store.put(&key, &file).await.unwrap();
    drop(file);
    let (_, again) = spooled(spool, &bytes).await;
    store.put(&key, &again).await.unwrap();
    assert_eq!(store.size(&key).await.unwrap(), Some(whole_length));
    for range in [0..whole_length, 0..1, 7..8, whole_length - 1..whole_length, 100..whole_length - 100] {
        let expected = &bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
        let opened = store.open(&key, whole_length, range.clone()).await.unwrap();
        assert_eq!(bytes_of(opened).await.unwrap(), expected, "{range:?}");
    }
    for (wrong, range) in [(whole_length + 10, 0..10), (whole_length + 10, whole_length + 1..whole_length + 5)] {
        assert!(matches!(store.open(&key, wrong, range).await.unwrap(), Opened::Damaged));
    }
    let mut keys = vec![key.clone(), StorageKey::of_input(uuid::Uuid::now_v7())];
    store.put(&keys[1], &again).await.unwrap();
    for seed in 2..7 {
        let (key, file) = spooled(spool, &picture(seed, 500)).await;
        store.put(&key, &file).await.unwrap();
        keys.push(key);
    }
    keys.sort();
    assert_eq!(listed(store, None, 100).await, keys);
    assert_eq!(listed(store, Some(&keys[2]), 100).await, &keys[3..]);
    assert_eq!(listed(store, Some(&keys[0]), 4).await, &keys[1..5]);
    assert_eq!(listed(store, keys.last(), 4).await, []);
    let found: Listed = store.list(None, 100).await.unwrap().into_iter().find(|listed| listed.key == key).unwrap();
    assert_eq!(found.bytes, whole_length);
    store.delete(&key).await.unwrap();
    store.delete(&key).await.unwrap();
    assert_eq!(store.size(&key).await.unwrap(), None);
    assert_eq!(listed(store, None, 100).await.len(), 6);
}

async fn listed(store: &dyn Store, after: Option<&StorageKey>, limit: usize) -> Vec<StorageKey> {
    store.list(after, limit).await.unwrap().into_iter().map(|listed| listed.key).collect()
}

fn spool() -> (TempDir, Spool) {
    let home = tempfile::tempdir().unwrap();
    let spool = Spool::open(&home.path().join("tmp")).unwrap();
    (home, spool)
}

#[tokio::test]
async fn a_folder_keeps_the_contract() {
    let (home, spool) = spool();
    let folder = Folder::open(home.path()).unwrap();
    assert!(folder.is_local());
    contract(&folder, &spool, 700_000).await;
    assert_eq!(std::fs::read_dir(home.path().join("tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn an_s3_service_keeps_the_contract_in_one_request_and_in_parts() {
    let (_home, spool) = spool();
    let server = S3Server::start().await;
    contract(&server.store("", PATIENT), &spool, 700_000).await;
    let server = S3Server::start().await;
    contract(&server.store("deep/er", PATIENT), &spool, 12 << 20).await;
    assert!(server.objects().iter().all(|name| name.starts_with("deep/er/")));
    assert_eq!(server.open_uploads(), 0);
}

#[tokio::test]
async fn m14_a_folder_follows_no_symbolic_link() {
    let (home, spool) = spool();
    let folder = Folder::open(home.path()).unwrap();
    let (key, file) = spooled(&spool, &picture(1, 500)).await;
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join(key.file()), vec![0; 500]).unwrap();
    std::os::unix::fs::symlink(outside.path(), home.path().join(key.folder())).unwrap();
    assert!(matches!(folder.open(&key, 500, 0..500).await, Err(StoreError::Io(_))));
    assert!(matches!(folder.put(&key, &file).await, Err(StoreError::Io(_))));
    std::fs::remove_file(home.path().join(key.folder())).unwrap();
    std::fs::create_dir(home.path().join(key.folder())).unwrap();
    std::os::unix::fs::symlink(outside.path().join(key.file()), home.path().join(key.as_str())).unwrap();
    assert!(matches!(folder.open(&key, 500, 0..500).await, Err(StoreError::Io(_))));
    folder.put(&key, &file).await.unwrap();
    assert_eq!(bytes_of(folder.open(&key, 500, 0..500).await.unwrap()).await.unwrap(), picture(1, 500));
    assert_eq!(std::fs::read(outside.path().join(key.file())).unwrap(), vec![0; 500]);
}

#[tokio::test]
async fn f62_a_service_that_fails_three_times_is_asked_once_more_and_no_further() {
    let (_home, spool) = spool();
    let server = S3Server::start().await;
    let store = server.store("", PATIENT);
    let (key, file) = spooled(&spool, &picture(1, 500)).await;
    server.faults.unavailable.store(3, Ordering::SeqCst);
    assert_eq!(store.size(&key).await.unwrap(), None);
    assert_eq!(server.faults.requests.load(Ordering::SeqCst), 4);
    server.faults.unavailable.store(usize::MAX, Ordering::SeqCst);
    let error = store.put(&key, &file).await.unwrap_err();
    assert!(matches!(error, StoreError::Remote(_)), "{error:?}");
    assert_eq!(server.faults.requests.load(Ordering::SeqCst), 8);
    assert!(!format!("{error} {error:?}").contains("canary"));
}

#[tokio::test]
async fn f62_a_silent_service_is_given_up_and_the_row_stays_to_be_fetched() {
    let room = Room::sqlite().await;
    let server = S3Server::start().await;
    let library = room.with_store(Arc::new(server.store("", Duration::from_millis(20))));
    let asset = room.pending(Kind::Image, "users/a/1.png").await;
    let bytes = picture(1, 5000);
    server.faults.silent.store(true, Ordering::SeqCst);
    let error = library.store(asset.id, whole(&bytes), None).await.unwrap_err();
    assert!(matches!(error, MediaError::Store(StoreError::Remote(_))) && error.is_temporary(), "{error:?}");
    assert_eq!((room.row(asset.id).await, room.files()), (asset.clone(), Vec::new()));
    server.faults.silent.store(false, Ordering::SeqCst);
    let library = room.with_store(Arc::new(server.store("", PATIENT)));
    let row = library.store(asset.id, whole(&bytes), None).await.unwrap();
    assert_eq!(read(&library, &row).await.unwrap(), bytes);
    room.end().await;
}

#[tokio::test]
async fn f62_an_upload_that_fails_is_called_off() {
    let room = Room::sqlite().await;
    let server = S3Server::start().await;
    let library = room.with_store(Arc::new(server.store("", PATIENT)));
    let asset = room.pending(Kind::Video, "users/a/v.mp4").await;
    let bytes = video(1, 6 << 20);
    server.faults.refuse_parts.store(true, Ordering::SeqCst);
    let error = library.store(asset.id, whole(&bytes), None).await.unwrap_err();
    assert!(matches!(error, MediaError::Store(StoreError::Remote(_))), "{error:?}");
    assert_eq!((server.open_uploads(), server.objects().len(), room.files().len()), (0, 0, 0));
    server.faults.refuse_parts.store(false, Ordering::SeqCst);
    let row = library.store(asset.id, whole(&bytes), None).await.unwrap();
    assert_eq!(read(&library, &row).await.unwrap(), bytes);
    room.end().await;
}

#[tokio::test]
async fn f64_objects_of_an_s3_service_are_evicted_checked_and_fetched_again() {
    let room = Room::sqlite().await;
    let server = S3Server::start().await;
    let library = room.with_store(Arc::new(server.store("media", PATIENT)));
    let bytes = picture(1, 5000);
    let one = room.pending(Kind::Image, "users/a/1.png").await;
    let other = room.pending(Kind::Image, "users/a/2.png").await;
    let one = library.store(one.id, whole(&bytes), None).await.unwrap();
    let other = library.store(other.id, whole(&picture(2, 5000)), None).await.unwrap();
    let object = server.object(&format!("media/{}", one.storage_key.clone().unwrap()));
    std::fs::write(&object, &bytes[..4000]).unwrap();
    assert!(library.open(&one, Some(4500..4600)).await.unwrap().is_none());
    assert_eq!((room.row(one.id).await.state, object.exists()), (State::Evicted, false));
    let one = library.store(one.id, whole(&bytes), None).await.unwrap();
    std::fs::write(&object, &bytes[..4000]).unwrap();
    let orphan = format!("media/ff/ff{}", "0".repeat(62));
    std::fs::write(server.object(&orphan), "x").unwrap();
    std::fs::write(server.object("media/notes.txt"), "x").unwrap();
    let checked = library.check(1 << 20).await.unwrap();
    assert_eq!((checked.objects, checked.damaged, checked.hashed), (3, 1, 0));
    assert_eq!(room.row(one.id).await.state, State::Evicted);
    library.clear(Shelf::Images).await.unwrap();
    assert_eq!(room.row(other.id).await.state, State::Evicted);
    assert!(server.objects().contains(&"media/notes.txt".to_owned()));
    assert!(!server.objects().contains(&format!("media/{}", other.storage_key.unwrap())));
    room.end().await;
}
