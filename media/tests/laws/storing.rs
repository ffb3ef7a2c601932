//! Taking bytes in.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use grok2api_entity::asset::{Kind, State};
use grok2api_entity::connect::begin_write;
use grok2api_entity::failure::Code;
use grok2api_media::{Folder, Limits, MediaError, Store, is_public_name, register};
use sea_orm::ConnectionTrait;
use tokio::sync::oneshot;

use crate::room::{LIMITS, Room, asset_path, new_asset, picture, read, video, whole};

#[tokio::test]
async fn f61_a_hundred_parallel_stores_of_one_asset_make_one_file_and_one_row() {
    for room in Room::everywhere().await {
        let (first, second) = (room.library.clone(), room.second());
        let asset = room.pending(Kind::Image, "users/a/generated/b/image.jpg").await;
        let bytes = picture(1, 40_000);
        let store = |number: usize| {
            let library = if number.is_multiple_of(2) { first.clone() } else { second.clone() };
            let (bytes, id) = (bytes.clone(), asset.id);
            async move { library.store(id, whole(&bytes), Some(bytes.len() as u64)).await }
        };
        let stored: Vec<_> = stream::iter(0..100).map(store).buffer_unordered(100).collect().await;
        for result in stored {
            assert_eq!(result.unwrap().state, State::Stored);
        }
        let row = room.row(asset.id).await;
        assert_eq!(room.files(), [room.file_of(&row)]);
        assert_eq!((row.bytes, row.content_type.as_deref()), (40_000, Some("image/png")));
        assert_eq!(std::fs::read(room.file_of(&row)).unwrap(), bytes);
        room.end().await;
    }
}

#[tokio::test]
async fn f61_rows_with_the_same_bytes_share_one_file() {
    let room = Room::sqlite().await;
    let bytes = picture(1, 5000);
    let one = room.stored(Kind::Image, "users/a/1.png", &bytes).await;
    let other = room.stored(Kind::Image, "users/a/2.png", &bytes).await;
    assert_ne!(one.name, other.name);
    assert_eq!(one.storage_key, other.storage_key);
    assert_eq!(room.files().len(), 1);
    room.end().await;
}

#[tokio::test]
async fn f6_a_store_after_a_crash_between_file_and_row_ends_with_one_file() {
    let room = Room::sqlite().await;
    let bytes = picture(1, 5000);
    let first = room.stored(Kind::Image, "users/a/1.png", &bytes).await;
    // The file is there, and no row says so: as a process leaves it that dies just before its last write.
    room.database.db.execute_unprepared("UPDATE asset SET state = 'pending', storage_key = NULL").await.unwrap();
    let again = room.library.store(first.id, whole(&bytes), None).await.unwrap();
    assert_eq!((again.sha256, again.storage_key.clone()), (first.sha256, first.storage_key));
    assert_eq!(room.files().len(), 1);
    room.end().await;
}

#[tokio::test]
async fn f6_a_stored_asset_is_left_alone_and_its_source_not_read() {
    let room = Room::sqlite().await;
    let asset = room.stored(Kind::Image, "users/a/1.png", &picture(1, 5000)).await;
    let source = stream::poll_fn(|_| -> std::task::Poll<Option<Result<Bytes, std::io::Error>>> { panic!("read") });
    assert_eq!(room.library.store(asset.id, source, None).await.unwrap(), asset);
    room.end().await;
}

#[tokio::test]
async fn f5_nothing_can_be_seen_before_the_last_byte() {
    let room = Room::sqlite().await;
    let asset = room.pending(Kind::Image, "users/a/1.png").await;
    let bytes = picture(1, 600_000);
    let (half_sent, half) = oneshot::channel();
    let (go_on, rest) = oneshot::channel::<()>();
    let (front, back) = (bytes.slice(..400_000), bytes.slice(400_000..));
    let source = stream::once(async { Ok::<_, std::io::Error>(front) }).chain(stream::once(async move {
        half_sent.send(()).unwrap();
        rest.await.unwrap();
        Ok(back)
    }));
    let library = room.library.clone();
    let storing = tokio::spawn(async move { library.store(asset.id, Box::pin(source), None).await });
    half.await.unwrap();
    let row = room.row(asset.id).await;
    assert_eq!((row.state, room.library.open(&row, None).await.unwrap().is_none()), (State::Pending, true));
    let files = room.files();
    assert!(files.len() == 1 && files[0].starts_with(room.home.path().join("tmp")), "{files:?}");
    assert_eq!(std::fs::metadata(&files[0]).unwrap().permissions().mode() & 0o777, 0o600);
    go_on.send(()).unwrap();
    let row = storing.await.unwrap().unwrap();
    assert_eq!(read(&room.library, &row).await.unwrap(), bytes);
    assert_eq!(room.files(), [room.file_of(&row)]);
    room.end().await;
}

#[tokio::test]
async fn f5_a_broken_source_leaves_no_file_and_no_change() {
    let room = Room::sqlite().await;
    let bytes = video(1, 700_000);
    let asset = room.pending(Kind::Video, "users/a/1.mp4").await;
    let cut = stream::iter([Ok(bytes.slice(..500_000)), Err(std::io::Error::other("reset"))]);
    let error = room.library.store(asset.id, cut, None).await.unwrap_err();
    assert!(matches!(error, MediaError::Source(_)) && error.is_temporary(), "{error:?}");
    let short = room.library.store(asset.id, whole(&bytes.slice(..500_000)), Some(700_000)).await.unwrap_err();
    assert!(matches!(short, MediaError::WrongLength { declared: 700_000, received: 500_000 }), "{short:?}");
    let long = room.library.store(asset.id, whole(&bytes), Some(500_000)).await.unwrap_err();
    assert!(matches!(long, MediaError::WrongLength { .. }), "{long:?}");
    assert_eq!((room.row(asset.id).await, room.files()), (asset, Vec::new()));
    room.end().await;
}

#[tokio::test]
async fn i7_a_source_that_is_silent_or_never_ends_is_given_up() {
    let room = Room::sqlite().await;
    let asset = room.pending(Kind::Image, "users/a/1.png").await;
    let short = Duration::from_millis(30);
    let store = Arc::new(Folder::open(room.home.path()).unwrap());
    for limits in [Limits { max_silence: short, ..LIMITS }, Limits { max_duration: short, ..LIMITS }] {
        let library = room.with_limits(Arc::clone(&store) as Arc<dyn Store>, limits);
        let silent = stream::iter([Ok::<_, std::io::Error>(picture(1, 1000))]).chain(stream::pending());
        let error = library.store(asset.id, silent, None).await.unwrap_err();
        assert!(matches!(error, MediaError::SourceSilent) && error.is_temporary(), "{error:?}");
    }
    assert_eq!((room.row(asset.id).await, room.files()), (asset, Vec::new()));
    room.end().await;
}

#[tokio::test]
async fn m9_more_bytes_than_allowed_are_refused_while_they_come() {
    let room = Room::sqlite().await;
    let asset = room.pending(Kind::Image, "users/a/1.png").await;
    let endless = stream::iter([picture(1, 1000)]).chain(stream::repeat(picture(2, 1 << 16)));
    let error = room.library.store(asset.id, endless.map(Ok::<_, std::io::Error>), None).await.unwrap_err();
    assert!(matches!(error, MediaError::TooLarge { limit } if limit == LIMITS.max_image_bytes), "{error:?}");
    let declared = room.library.store(asset.id, whole(&picture(1, 100)), Some(5 << 20)).await.unwrap_err();
    assert!(matches!(declared, MediaError::TooLarge { .. }) && !declared.is_temporary(), "{declared:?}");
    let largest = picture(1, 4 << 20);
    assert!(room.library.store(asset.id, whole(&largest), None).await.is_ok());
    assert_eq!(room.files().len(), 1);
    room.end().await;
}

#[tokio::test]
async fn m10_what_is_no_picture_or_video_is_refused_whatever_it_is_called() {
    let room = Room::sqlite().await;
    let image = room.pending(Kind::Image, "users/a/1.png").await;
    let film = room.pending(Kind::Video, "users/a/1.mp4").await;
    let html = Bytes::from_static(b"<!doctype html><script>alert(1)</script>");
    let svg = Bytes::from_static(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>");
    for bytes in [html, svg, Bytes::new(), video(1, 5000), Bytes::from_static(b"\x89PN"), vec![b' '; 100_000].into()] {
        let error = room.library.store(image.id, whole(&bytes), None).await.unwrap_err();
        assert!(matches!(error, MediaError::WrongType { expected: "picture" }), "{error:?}");
        assert_eq!((error.code(), error.is_temporary()), (Code::MediaUnavailable, false));
    }
    let error = room.library.store(film.id, whole(&picture(1, 5000)), None).await.unwrap_err();
    assert!(matches!(error, MediaError::WrongType { expected: "video" }), "{error:?}");
    assert_eq!(room.files().len(), 0);
    room.end().await;
}

#[tokio::test]
async fn m13_a_name_tells_nothing_of_its_source_and_a_rolled_back_one_is_gone() {
    for room in Room::everywhere().await {
        let source = asset_path("users/3f9c2a1e/generated/v1/generated_video.mp4?cache=1");
        let tx = begin_write(&room.database.db).await.unwrap();
        let lost = register(&*tx, new_asset(Kind::Video, &source)).await.unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(room.library.get(lost.id).await.unwrap(), None);
        let tx = begin_write(&room.database.db).await.unwrap();
        let kept = register(&*tx, new_asset(Kind::Video, &source)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(room.row(kept.id).await, kept);
        assert!(is_public_name(&kept.name) && kept.name.len() == 30, "{}", kept.name);
        assert!(!kept.name.contains("3f9c2a1e"));
        assert_eq!(kept.source_path.as_deref(), Some("users/3f9c2a1e/generated/v1/generated_video.mp4?cache=1"));
        assert_eq!(kept.seed_name.as_deref(), Some("users-3f9c2a1e-generated-v1-generated_video.mp4"));
        room.end().await;
    }
}

#[tokio::test]
async fn a_failure_is_noted_unless_the_bytes_came_after_all() {
    for room in Room::everywhere().await {
        let asset = room.pending(Kind::Image, "users/a/1.png").await;
        assert!(room.library.fail(asset.id, Code::MediaUnavailable).await.unwrap());
        let row = room.row(asset.id).await;
        assert_eq!((row.state, row.error_code.as_deref()), (State::Failed, Some("media_unavailable")));
        let row = room.library.store(asset.id, whole(&picture(1, 100)), None).await.unwrap();
        assert_eq!((row.state, row.error_code.clone()), (State::Stored, None));
        assert!(!room.library.fail(asset.id, Code::MediaUnavailable).await.unwrap());
        assert_eq!(room.row(asset.id).await, row);
        room.end().await;
    }
}

#[tokio::test]
async fn a_row_that_went_away_meanwhile_takes_its_file_along() {
    let room = Room::sqlite().await;
    let generation_id = uuid::Uuid::now_v7();
    let source = asset_path("users/a/1.png");
    let new = grok2api_media::NewAsset { generation_id: Some(generation_id), ..new_asset(Kind::Image, &source) };
    let asset = room.library.register(new).await.unwrap();
    let bytes = picture(1, 100_000);
    let (library, remover) = (room.library.clone(), room.library.clone());
    let last = bytes.slice(50_000..);
    let source = stream::iter([bytes.slice(..50_000)]).chain(stream::once(async move {
        assert_eq!(remover.remove_generation(generation_id).await.unwrap(), 1);
        last
    }));
    let stored = library.store(asset.id, Box::pin(source.map(Ok::<_, std::io::Error>)), None).await;
    assert!(matches!(stored, Err(MediaError::NoSuchAsset(id)) if id == asset.id));
    assert_eq!(room.files().len(), 0);
    room.end().await;
}
